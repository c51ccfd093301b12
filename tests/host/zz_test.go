package host_test

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	b := newBench(t, 1000)
	var env strings.Builder
	for _, e := range os.Environ() {
		if strings.HasPrefix(e, "DOKKU") || strings.HasPrefix(e, "PLUGIN") || strings.HasPrefix(e, "PATH=") || strings.Contains(e, "UPGRADE") || strings.Contains(e, "SANDBOX") || strings.HasPrefix(e, "HOME") || strings.HasPrefix(e, "USER") || strings.HasPrefix(e, "LOGNAME") {
			env.WriteString("export '" + e + "'\n")
		}
	}
	os.WriteFile("/tmp/bench.env", []byte(env.String()+"export BENCHLIST="+b.list+"\n"+"export BENCHDIR="+b.box.Dir+"\n"), 0o600)
	for i := 0; i < 7200; i++ {
		if _, err := os.Stat("/tmp/bench.stop"); err == nil {
			return
		}
		time.Sleep(time.Second)
	}
}
