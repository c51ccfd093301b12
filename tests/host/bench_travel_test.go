package host_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What it takes to export the snapshot of a thousand apps and to import it, beside a plain
// copy that is on the disk when it ends. times-cp is the quotient; the difference is what
// it takes to check the whole of a snapshot.
func BenchmarkThousandAppsTravel(b *testing.B) {
	binary := benchHost(b)
	export, copied := filepath.Join(b.TempDir(), "export"), filepath.Join(b.TempDir(), "copy")
	took := map[string]time.Duration{}
	run := func(name string, command string) time.Duration {
		cmd := exec.Command("sh", "-ec", command, "sh", binary, export, copied)
		begun := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%s: %v\n%s", name, err, out)
		}
		return time.Since(begun)
	}
	for range b.N {
		took["export"] += run("export", `"$1" export >"$2" 2>/dev/null`)
		took["cp"] += run("cp", `cp "$2" "$3" && sync -d "$3"`)
		took["verify"] += run("verify", `"$1" snapshots --verify >/dev/null`)
		begun := time.Now()
		cmd := exec.Command(binary, "import")
		in, err := os.Open(export)
		if err != nil {
			b.Fatal(err)
		}
		cmd.Stdin = in
		out, err := cmd.CombinedOutput()
		took["import"] += time.Since(begun)
		in.Close()
		if err != nil || !strings.Contains(string(out), "kept") {
			b.Fatalf("%v: %s", err, out)
		}
		id := strings.Fields(string(out))[2]
		run("forget", `"$1" forget `+id)
	}
	st, err := os.Stat(export)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(st.Size())/(1<<20), "MiB")
	for name, d := range took {
		b.ReportMetric(float64(d.Microseconds())/float64(b.N)/1000, name+"-ms")
		if name != "cp" {
			b.ReportMetric(d.Seconds()/took["cp"].Seconds(), name+"-times-cp")
		}
	}
}
