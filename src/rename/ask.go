package rename

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// answers asks this host's nginx for every domain of an app on every port of its
// map, and returns the status of each answer by address; 0 is none.
func answers(ctx context.Context, h host.Host, domains []string, s app.State) (map[string]int, error) {
	ports := s.Ports.Map
	if len(ports) == 0 {
		ports = s.Ports.Detected
	}
	if len(ports) == 0 {
		ports = []string{"http:80:5000", "https:443:5000"}
	}
	found := map[string]int{}
	for _, d := range domains {
		d = strings.Replace(d, "*", "upgrade-guard", 1)
		for _, p := range ports {
			scheme, port, ok := strings.Cut(p, ":")
			port, _, _ = strings.Cut(port, ":")
			if !ok || scheme != "http" && scheme != "https" || scheme == "https" && s.Certificate == nil {
				continue
			}
			url := fmt.Sprintf("%s://%s:%s/", scheme, d, port)
			if _, asked := found[url]; asked {
				continue
			}
			// The certificate may be for nobody, and for no name of ours.
			out, err := h.Run(ctx, "curl", "--silent", "--insecure", "--output", "/dev/null", "--max-time", "10",
				"--write-out", "%{http_code}", "--noproxy", "*", "--resolve", d+":"+port+":127.0.0.1", url)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil && strings.Contains(err.Error(), "executable file not found") {
				return nil, err
			}
			found[url], _ = strconv.Atoi(strings.TrimSpace(string(out)))
		}
	}
	return found, nil
}

// worse says which addresses do not answer that did. nginx reloads behind our
// back, so each is given a moment.
func worse(ctx context.Context, h host.Host, domains []string, s app.State, before map[string]int) error {
	var bad []string
	for try := range 10 {
		now, err := answers(ctx, h, domains, s)
		if err != nil {
			return err
		}
		bad = nil
		for _, url := range slices.Sorted(maps.Keys(before)) {
			if well(before[url]) && !well(now[url]) {
				bad = append(bad, fmt.Sprintf("%s answers %03d and answered %03d", url, now[url], before[url]))
			}
		}
		if len(bad) == 0 {
			return nil
		}
		if try < 9 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(300 * time.Millisecond):
			}
		}
	}
	return fmt.Errorf("%s", strings.Join(bad, "; "))
}

func well(status int) bool { return status > 0 && status < 500 }
