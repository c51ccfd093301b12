package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/packages"
	"upgrade-guard/src/pattern"
)

// What Dokku stands on, and what apt would make of it.

// plans asks apt what it would do while the host is looked at: both take as long.
func (g *Guard) plans(ctx context.Context) (told func() (packages.Ahead, error)) {
	var ahead packages.Ahead
	ended := make(chan error, 1)
	go func() {
		err := errors.New("asking apt broke off")
		defer func() {
			_ = recover()
			ended <- err
		}()
		ahead, err = packages.AskAhead(ctx, g.Host)
	}()
	return func() (packages.Ahead, error) {
		err := <-ended
		return ahead, err
	}
}

// ground is what there is to be known of it before an upgrade of all packages, and a
// sentence for each thing that could not be asked. Where there is no apt nothing is said.
func (g *Guard) ground(ctx context.Context, o *Observation, told func() (packages.Ahead, error)) (hazard.Ground, []string) {
	var unknown []string
	ahead, err := told()
	if errors.Is(err, exec.ErrNotFound) {
		return hazard.Ground{}, nil
	}
	if err != nil {
		unknown = append(unknown, fmt.Sprintf("What an upgrade of all packages would do is not known: %s. To do: apt-get --simulate dist-upgrade", strings.TrimSuffix(err.Error(), ".")))
	}
	ground := hazard.Ground{Ahead: ahead, Docker: packages.Upstream(o.Now.Has.Server), Client: packages.Upstream(o.Now.Has.Client), Nginx: ahead.From("nginx", "openresty")}
	ground.HasClient = g.hasPackage("docker-cli")
	if o.Now.DockerMissing == "" {
		if ground.Driver, err = g.storageDriver(ctx); err != nil {
			unknown = append(unknown, fmt.Sprintf("docker does not tell its storage driver: %s. To do: docker info", strings.TrimSuffix(err.Error(), ".")))
		}
	}
	if _, err := g.Host.Stat("/run/systemd/system"); err == nil {
		if line, _ := g.Host.ReadFile("/proc/cmdline"); !strings.Contains(string(line), "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1") {
			ground.CgroupV1 = cgroupWord().FindString(string(line))
		}
	}
	ground.Confs, ground.NginxConf = g.nginxFiles(o), filepath.Join(g.Host.Paths().Nginx, "nginx.conf")
	return ground, unknown
}

// cgroupWord is what asks for cgroup v1 on the kernel's command line.
var cgroupWord = pattern.Of(`\bsystemd\.unified_cgroup_hierarchy=(?:0|no|false|off)\b`)

// storageDriver is docker's; "" where what answers for docker has none by that name.
func (g *Guard) storageDriver(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := g.Host.Run(ctx, "docker", "info", "--format", "{{json .}}")
	if err != nil {
		return "", err
	}
	var info struct{ Driver string }
	err = json.Unmarshal(out, &info)
	return info.Driver, err
}

// nginxFiles are the texts of nginx's configuration, the apps' as they were captured, and
// the host's own as far as the Dokku user may read them.
func (g *Guard) nginxFiles(o *Observation) map[string]string {
	texts := map[string]string{}
	for _, name := range o.Files.Apps {
		for _, file := range o.Files.Under("root/" + name + "/nginx.conf") {
			if file.Error == "" && strings.HasSuffix(file.Path, ".conf") {
				texts[filepath.Join(g.Host.Paths().DokkuRoot, strings.TrimPrefix(file.Path, "root/"))] = string(file.Data)
			}
		}
	}
	root := g.Host.Paths().Nginx
	own := []string{filepath.Join(root, "nginx.conf")}
	for _, dir := range []string{"conf.d", "sites-enabled", "snippets"} {
		entries, _ := g.Host.ReadDir(filepath.Join(root, dir))
		for _, e := range entries {
			own = append(own, filepath.Join(root, dir, e.Name()))
		}
	}
	for _, path := range own {
		if text, err := g.Host.ReadFile(path); err == nil {
			texts[path] = string(text)
		}
	}
	return texts
}
