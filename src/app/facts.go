package app

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"upgrade-guard/src/pattern"
)

// fact captures what a command answered.
func (c *capture) fact(logical string, data []byte, err error) {
	if err != nil {
		c.add(File{Path: logical, Mode: 0o600, Error: err.Error()})
		return
	}
	c.add(File{Path: logical, Mode: 0o600, Data: data, Size: len(data), SHA256: Digest(data)})
}

// dockerFormat keeps of docker inspect what an app's state needs, a container
// a line. The whole of it would be 15 KiB a container. Labels and variables come last,
// where they may be cut off: they are as long as whoever wrote the Dockerfile liked.
// Of several things an empty one comes first, because Docker's older templates cannot
// tell the first from the others.
const dockerFormat = `{"id":{{json .Id}},"name":{{json .Name}},"running":{{json .State.Running}},"status":{{json .State.Status}},"image":{{json .Config.Image}},"image_id":{{json .Image}},` +
	`"workdir":{{json .Config.WorkingDir}},"networks":{"":{}{{range $name, $n := .NetworkSettings.Networks}},{{json $name}}:{"IPAddress":{{json $n.IPAddress}}}{{end}}}` +
	cutHere + `{"":""{{range $name, $v := .Config.Labels}}{{if lt (len $v) 8192}},{{json $name}}:{{json $v}}{{end}}{{end}}},` +
	`"env":[{{range $i, $v := .Config.Env}}{{if $i}},{{end}}{{json (index (split $v "=") 0)}}{{end}}]}` // names only: values are secrets

const (
	cutHere = `,"labels":`
	// maxContainer is as much as is kept of docker's word on one container, and
	// maxContainers on all of them.
	maxContainer  = 64 << 10
	maxContainers = 64 << 20
)

// docker asks docker about all containers that bear Dokku's label. Which of them are an
// app's is told by its CONTAINER files: anybody's container may bear any label. Where only
// some apps are wanted, those of their files are asked about, and nobody else's.
func (c *capture) docker(ctx context.Context, what What) {
	only := what.Apps
	ids, deployed := c.noted()
	if len(only) > 0 && !deployed && !what.Needs {
		c.fact(dockerFacts, nil, nil) // never deployed: there is nothing to be known, and config:set waits
		return
	}
	if kept, ok := what.Settings.running(ids); ok {
		c.add(kept)
		return
	}
	limit := 20 * time.Second
	if len(only) == 1 {
		limit = 5 * time.Second // in a deploy
	}
	first, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if len(ids) == 0 {
		filter := "label=com.dokku.app-name"
		if len(only) == 1 {
			filter += "=" + only[0]
		}
		out, err := c.h.Run(first, "docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", filter)
		if err != nil {
			c.fact(dockerFacts, nil, err)
			return
		}
		ids = strings.Fields(string(out))
	}
	kept, err := c.inspect(ctx, limit, ids)
	c.fact(dockerFacts, kept, err)
}

// running is docker's word on these containers, where that is on no other and all of them
// ran. docker's program takes as long to start as all the rest that config:set waits for.
func (f *Files) running(ids []string) (facts File, ok bool) {
	if f == nil || len(ids) == 0 {
		return facts, false
	}
	facts, _ = f.Get(dockerFacts)
	known := readDocker(f)
	if known.missing != "" || len(known.byID) != len(ids) {
		return facts, false
	}
	for _, id := range ids {
		if !known.byID[id].Running {
			return facts, false
		}
	}
	return facts, true
}

// noted are the ids in the CONTAINER files of apps, where only some are wanted, and whether
// there are such files at all.
func (c *capture) noted() (ids []string, deployed bool) {
	if !c.some {
		return nil, true
	}
	for _, part := range c.parts {
		for _, f := range part {
			if name := f.Path[strings.LastIndexByte(f.Path, '/')+1:]; !strings.HasPrefix(name, "CONTAINER.") || strings.Count(f.Path, "/") != 2 || !strings.HasPrefix(f.Path, "root/") {
				continue
			}
			deployed = true
			// What is none would be an option, or the name of another's container.
			if id := strings.TrimSpace(string(f.Data)); id != "" && len(id) <= 64 && id[0] != '-' && !strings.ContainsAny(id, " \t\n/.") {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids) // whichever app was read first
	return ids, deployed
}

const (
	// mostAsked is how many containers docker is asked about in one command, which fit into
	// any argument list, and inspectors how many of these run beside one another: docker
	// inspect looks at one after the other.
	mostAsked  = 1000
	inspectors = 4
	// eachContainer is more than docker takes for one.
	eachContainer = 2 * time.Millisecond
)

// inspect is docker's word on some containers.
func (c *capture) inspect(ctx context.Context, limit time.Duration, ids []string) (kept []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit+time.Duration(len(ids))*eachContainer)
	defer cancel()
	parts := make([][]byte, (len(ids)+mostAsked-1)/mostAsked)
	var g errgroup.Group
	g.SetLimit(inspectors)
	for i := range parts {
		g.Go(func() error {
			defer c.keepPanic()
			err := c.h.Stream(ctx, func(r io.Reader) (err error) { parts[i], err = inspectedLines(r, nil); return err },
				"docker", append([]string{"inspect", "--format", dockerFormat}, ids[i*mostAsked:min((i+1)*mostAsked, len(ids))]...)...)
			if err == nil || errors.Is(err, errContainers) || ctx.Err() != nil || len(bytes.TrimSpace(parts[i])) == 0 && !noSuch().MatchString(err.Error()) {
				return err
			}
			return nil // some were removed meanwhile; docker has told the rest
		})
	}
	err = g.Wait()
	kept = slices.Concat(parts...)
	if len(kept) > maxContainers {
		return nil, errContainers
	}
	return kept, err
}

// noSuch is docker's, or podman's, answer to an id that it does not know.
var noSuch = pattern.Of(`(?i)no such (object|container)`)

// errContainers says that what docker tells of the containers is not known whole.
var errContainers = errors.New("docker tells more of the containers than can be read")

// inspectedLines adds the lines of docker inspect to those that are kept. One that is too
// long is kept without labels and variables.
func inspectedLines(r io.Reader, kept []byte) ([]byte, error) {
	for br := bufio.NewReaderSize(r, maxContainer); ; {
		line, long, err := br.ReadLine()
		if err == io.EOF {
			return kept, nil
		}
		if err != nil {
			return kept, err
		}
		end := "\n"
		if long {
			i := bytes.Index(line, []byte(cutHere))
			if i < 0 {
				return kept, errContainers
			}
			line, end = line[:i], "}\n"
		}
		if kept = append(append(kept, line...), end...); len(kept) > maxContainers {
			return kept, errContainers
		}
		for long && err == nil {
			_, long, err = br.ReadLine()
		}
	}
}

// crontab asks for the Dokku user's crontab, which 0.23.0 and later overwrite.
func (c *capture) crontab(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := c.h.Run(ctx, "crontab", "-l")
	switch {
	case err != nil && (strings.Contains(err.Error(), "no crontab") || strings.Contains(err.Error(), "executable file not found")):
		out, err = nil, nil
	case err == nil && len(out) > MaxFile:
		out, err = nil, errors.New(leftOut+"larger than 1 MiB")
	}
	c.fact(cronFacts, out, err)
}
