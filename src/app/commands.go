package app

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
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
// a line. The whole of it would be 15 KiB a container.
const dockerFormat = `{"id":{{json .Id}},"name":{{json .Name}},"running":{{json .State.Running}},"status":{{json .State.Status}},"image":{{json .Config.Image}},` +
	`"labels":{{json .Config.Labels}},"workdir":{{json .Config.WorkingDir}},"networks":{{json .NetworkSettings.Networks}},` +
	`"env":[{{range $i, $v := .Config.Env}}{{if $i}},{{end}}{{json (index (split $v "=") 0)}}{{end}}]}` // names only: values are secrets

// docker asks docker about all containers that Dokku knows, by label and by
// CONTAINER file, in one docker inspect.
func (c *capture) docker(ctx context.Context, only []string) {
	patience := 20 * time.Second
	if len(only) == 1 {
		patience = 5 * time.Second // in a deploy
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
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
	out, err = c.h.Run(ctx, "docker", append([]string{"inspect", "--format", dockerFormat}, ids...)...)
	if err != nil && len(bytes.TrimSpace(out)) > 0 {
		err = nil // one of them was removed meanwhile; docker has told the rest
	}
	c.fact(dockerFacts, out, err)
}

// images fetches Procfile and nginx.conf.sigil from a running container of each
// app. What is not in there is no error.
func (c *capture) images(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c.mu.Lock()
	facts := readDocker(NewFiles("", nil, nil, slices.DeleteFunc(slices.Clone(c.files), func(f File) bool { return f.Path != dockerFacts })))
	c.mu.Unlock()
	done := map[string]bool{}
	for id, container := range facts.byID {
		name := container.Labels["com.dokku.app-name"]
		if name == "" || strings.Contains(name, "/") || !container.Running || done[name] {
			continue
		}
		done[name] = true
		for _, file := range []string{"Procfile", "nginx.conf.sigil"} {
			out, err := c.h.Run(ctx, "docker", "cp", id+":"+path.Join("/", container.Workdir, file), "-")
			if err != nil && (strings.Contains(err.Error(), "Could not find the file") || strings.Contains(err.Error(), "No such container:path")) {
				continue
			}
			var data []byte
			if err == nil {
				data, err = onlyFile(out)
			}
			c.fact(ImageFacts+name+"/"+file, data, err)
		}
	}
}

// onlyFile is the file that docker cp writes, as an archive, to standard output.
func onlyFile(archive []byte) ([]byte, error) {
	tr := tar.NewReader(bytes.NewReader(archive))
	head, err := tr.Next()
	if err != nil {
		return nil, err
	}
	if head.Typeflag != tar.TypeReg || head.Size > MaxFile {
		return nil, fmt.Errorf("%sno small regular file", leftOut)
	}
	return io.ReadAll(tr)
}

// crontab asks for the Dokku user's crontab, which 0.23.0 and later overwrite.
func (c *capture) crontab(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := c.h.Run(ctx, "crontab", "-l")
	if err != nil && (strings.Contains(err.Error(), "no crontab") || strings.Contains(err.Error(), "executable file not found")) {
		out, err = nil, nil
	}
	c.fact(cronFacts, out, err)
}
