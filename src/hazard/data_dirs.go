package hazard

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
)

// dataDirs is about directories that only core's installation makes
// (docs/dokku-versions.md#data-directories-and-the-deploy-lock). Where it did not come
// to its end, and in the Docker image up to 0.34, where it is never run, they are
// missing; from 0.34 on the lock of every deploy is one of the files in them, and no
// deploy can begin.
var dataDirs = Hazard{
	Name:    "data-directories",
	Threads: "dokku/dokku#7018, #8223",
	Guide:   "https://dokku.com/docs/appendices/0.34.0-migration-guide/",

	Detect: func(s Subject) []Finding {
		dirs := []string{"apps", "app-json", "ps"}
		if !app.Before(s.To, "0.36.0") && app.Before(s.To, "0.37.5") {
			dirs = append(dirs, "scheduler-k3s") // of every app, whatever its scheduler is
		}
		missing := s.missingDirs(dirs...)
		if app.Before(s.To, "0.34.0") || len(missing) == 0 {
			return nil
		}
		return []Finding{{
			What:        "directories that Dokku's installation makes are missing: " + strings.Join(missing, " "),
			Consequence: "Deploys of the app fail.",
			Step:        makeDirs(missing),
		}}
	},
}

// missingDirs are the app's directories of data that are not there.
func (s Subject) missingDirs(dirs ...string) (missing []string) {
	for _, dir := range dirs {
		if _, ok := s.Files.Get("lib/data/" + dir + "/" + s.Now.Name); !ok {
			missing = append(missing, filepath.Join(s.Paths.LibRoot, "data", dir, s.Now.Name))
		}
	}
	return missing
}

func makeDirs(missing []string) *plan.Step {
	return &plan.Step{
		Mark: plan.Add, Text: textDirs(len(missing)),
		Do: func(_ context.Context, h host.Host) error {
			for _, dir := range missing {
				if err := h.Mkdir(dir, fs.FileMode(0o755)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func textDirs(n int) string {
	if n == 1 {
		return "1 data directory"
	}
	return fmt.Sprintf("%d data directories", n)
}
