package app

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
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
const dockerFormat = `{"id":{{json .Id}},"name":{{json .Name}},"running":{{json .State.Running}},"status":{{json .State.Status}},"image":{{json .Config.Image}},"imageid":{{json .Image}},` +
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

// docker asks docker about all containers that bear Dokku's label, in one docker
// inspect. Which of them are an app's is told by its CONTAINER files: anybody's
// container may bear any label.
func (c *capture) docker(ctx context.Context, only []string) {
	limit := 20 * time.Second
	if len(only) == 1 {
		limit = 5 * time.Second // in a deploy
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	filter := "label=com.dokku.app-name"
	if len(only) == 1 {
		filter += "=" + only[0]
	}
	out, err := c.h.Run(ctx, "docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", filter)
	if err != nil {
		c.fact(dockerFacts, nil, err)
		return
	}
	ids := strings.Fields(string(out))
	if len(ids) == 0 {
		c.fact(dockerFacts, nil, nil)
		return
	}
	var kept []byte
	err = c.h.Stream(ctx, func(r io.Reader) (err error) { kept, err = inspectedLines(r); return err },
		"docker", append([]string{"inspect", "--format", dockerFormat}, ids...)...)
	if err != nil && !errors.Is(err, errContainers) && ctx.Err() == nil && len(bytes.TrimSpace(kept)) > 0 {
		err = nil // one of them was removed meanwhile; docker has told the rest
	}
	c.fact(dockerFacts, kept, err)
}

// errContainers says that what docker tells of the containers is not known whole.
var errContainers = errors.New("docker tells more of the containers than can be read")

// inspectedLines are the lines of docker inspect. One that is too long is kept
// without labels and variables.
func inspectedLines(r io.Reader) (kept []byte, err error) {
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

// images fetches Procfile and nginx.conf.sigil from a running container of each
// app, one that a deploy of it has made. What is not in there is no error.
func (c *capture) images(ctx context.Context, apps []string) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	files := NewFiles("", nil, nil, slices.Clone(c.files))
	facts := readDocker(files)
	var g errgroup.Group
	g.SetLimit(4)
	for _, name := range apps {
		containers, _ := readContainers(files, name, facts)
		i := slices.IndexFunc(containers, func(w Container) bool { return w.Running && containerID.MatchString(w.ID) })
		if i < 0 {
			continue
		}
		id, dir := containers[i].ID, path.Join("/", facts.byID[containers[i].ID].Workdir)
		g.Go(func() error {
			defer c.keepPanic()
			for _, file := range []string{"Procfile", "nginx.conf.sigil"} {
				data, err := c.fromContainer(ctx, id+":"+path.Join(dir, file))
				if err == nil || !strings.Contains(err.Error(), "Could not find the file") && !strings.Contains(err.Error(), "No such container:path") {
					c.fact(ImageFacts+name+"/"+file, data, err)
				}
			}
			return nil
		})
	}
	_ = g.Wait()
}

var containerID = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

// fromContainer is a small file of a container, which docker cp writes as an archive
// to standard output. Its head is looked at first, and of what is large, or no file,
// nothing else is read.
func (c *capture) fromContainer(ctx context.Context, from string) (data []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err = c.h.Stream(ctx, func(r io.Reader) error {
		tr := tar.NewReader(r)
		head, err := tr.Next()
		switch {
		case err != nil:
			return err
		case head.Typeflag != tar.TypeReg:
			return errors.New(leftOut + "not a regular file")
		case head.Size > MaxFile:
			return errors.New(leftOut + "larger than 1 MiB")
		}
		data, err = io.ReadAll(io.LimitReader(tr, MaxFile))
		return err
	}, "docker", "cp", from, "-")
	return data, err
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
