package app

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
)

// What old versions take from an app's image each time they need it, and new ones from a
// copy that builds make (docs/dokku-versions.md#files-from-the-image).

// fromImage are the names of these files, and the first version that goes by a copy of each.
var fromImage = map[string]string{"Procfile": "0.22.0", "nginx.conf.sigil": "0.29.0", "CHECKS": "0.31.0"}

// FromImages tells whether this Dokku takes any of them from there.
func FromImages(dokku string) bool { return Before(dokku, "0.31.0") }

// ImageDirectory is the name of the fact that says where in an app's image they were
// looked for: with it, what is not there is known not to be there.
const ImageDirectory = "directory"

// imageConfig is what docker says of an image; of its environment the user alone.
type imageConfig struct {
	ID      string   `json:"id"`
	Workdir string   `json:"workdir"`
	Stack   string   `json:"stack"`
	User    []string `json:"user"`
}

// imageFormat prints it: of several things an empty one comes first (dockerFormat).
const imageFormat = `{"id":{{json .Id}},"workdir":{{json .Config.WorkingDir}},"stack":{{json (index .Config.Labels "io.buildpacks.stack.id")}},` +
	`"user":[""{{range .Config.Env}}{{if eq (index (split . "=") 0) "USER"}},{{json .}}{{end}}{{end}}]}`

// directory is where this Dokku looks in an image for a file of an app: its
// copy_from_image. The user is DOKKU_APP_USER, by which it knows an image that herokuish
// has made, where that is set.
func (i imageConfig) directory(dokku, user string) string {
	if user == "" {
		user = "herokuishuser"
	}
	buildpacks := i.Stack != "" && !Before(dokku, "0.22.0")
	switch {
	case buildpacks && !Before(dokku, "0.23.3"):
		return "/workspace"
	case buildpacks || slices.Contains(i.User, "USER="+user):
		// 0.22.0 to 0.23.2 know buildpacks' images, and take them for herokuish's.
		return "/app"
	}
	// Relative to the root where the image has none: docker cp takes it so.
	return path.Join("/", i.Workdir)
}

// images fetches these files from a container of each app, one that a deploy of it has
// made: as they run, or as they have ended. What is not in there is no error.
func (c *capture) images(ctx context.Context, dokku string, apps []string) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	files := NewFiles(dokku, nil, nil, slices.Concat(c.parts...))
	facts := readDocker(files)
	chosen := map[string]inspected{}
	var ids []string
	for _, name := range apps {
		containers, _ := readContainers(files, name, facts)
		i := slices.IndexFunc(containers, func(w Container) bool { return w.Running && containerID().MatchString(w.ID) })
		if i < 0 {
			i = slices.IndexFunc(containers, func(w Container) bool { return w.Status != "" && containerID().MatchString(w.ID) })
		}
		if i < 0 {
			if len(containers) > 0 && facts.missing == "" {
				c.fact(ImageFacts+name+"/Procfile", nil, errors.New("docker knows no container of the app"))
			}
			continue
		}
		chosen[name] = facts.byID[containers[i].ID]
		ids = append(ids, chosen[name].ImageID)
	}
	configs := c.imageConfigs(ctx, ids)
	var g errgroup.Group
	g.SetLimit(4)
	for name, container := range chosen {
		config, known := configs[container.ImageID]
		if !known { // the image is gone; its container has the most of it
			config = imageConfig{Workdir: container.Workdir, Stack: container.Labels["io.buildpacks.stack.id"]}
		}
		dir := config.directory(dokku, firstOf(files, "DOKKU_APP_USER", name, host.GlobalScope))
		c.fact(ImageFacts+name+"/"+ImageDirectory, []byte(dir), nil)
		g.Go(func() error {
			defer c.keepPanic()
			for file, copied := range fromImage {
				if !Before(dokku, copied) {
					continue
				}
				data, err := c.fromContainer(ctx, container.ID+":"+path.Join(dir, file))
				if err == nil || !strings.Contains(err.Error(), "Could not find the file") && !strings.Contains(err.Error(), "No such container:path") {
					c.fact(ImageFacts+name+"/"+file, data, err)
				}
			}
			return nil
		})
	}
	_ = g.Wait()
}

// firstOf is the value of a variable in the first of some scopes that has it.
func firstOf(f *Files, variable string, scopes ...string) string {
	for _, scope := range scopes {
		if value, _ := f.Variable(scope, variable); value != "" {
			return value
		}
	}
	return ""
}

// imageConfigs are what docker says of images, by id. Of one that is gone it says nothing.
func (c *capture) imageConfigs(ctx context.Context, ids []string) map[string]imageConfig {
	configs := map[string]imageConfig{}
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return !imageID().MatchString(id) })
	if len(ids) == 0 {
		return configs
	}
	_ = c.h.Stream(ctx, func(r io.Reader) error {
		scanner := bufio.NewScanner(r)
		for scanner.Scan() {
			var i imageConfig
			if json.Unmarshal(bytes.TrimSpace(scanner.Bytes()), &i) == nil {
				configs[i.ID] = i
			}
		}
		return scanner.Err()
	}, "docker", append([]string{"image", "inspect", "--format", imageFormat}, ids...)...)
	return configs
}

var (
	containerID = pattern.Of(`^[0-9a-f]{12,64}$`)
	imageID     = pattern.Of(`^sha256:[0-9a-f]{64}$`)
)

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
