package app

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/joho/godotenv"
)

// cpu is the time that this process has worked: the machine may have other work.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// soon fails a test where work takes out of all proportion to what it was given.
func soon(t *testing.T, size int, work func()) (took time.Duration) {
	t.Helper()
	began := cpu()
	work()
	if took = cpu() - began; took > time.Second+time.Duration(size)*5*time.Microsecond {
		t.Fatalf("%d bytes took %s", size, took)
	}
	return took
}

func FuzzEnv(f *testing.F) {
	for _, seed := range []string{
		"A=\"b\"\n", "export A='b'\nB=c # d\n", "A=\"x\"\nB=\"$A${A}\"\nC=$B$B\n", "A=\"\\$B\\\\$C$\\A\"", "# a\n\nA: b\r\nB=\"\n\n\"", "A", "=", "A=\"", "A=\xa0b", "A=$A\\B$(A}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		soon(t, len(text), func() {
			values, err := ParseEnv(text)
			total := 0
			for _, v := range values {
				total += len(v)
			}
			if total > maxExpanded+len(text) {
				t.Fatalf("%d bytes have become %d", len(text), total)
			}
			sizes, swells := foreseen(text)
			if swells {
				return
			}
			want, wantErr := godotenv.Unmarshal(text)
			if (err == nil) != (wantErr == nil) || err == nil && !cmp.Equal(values, want) {
				t.Fatalf("%q: %v, %v", values, err, wantErr)
			}
			// And it is never more than was foreseen.
			for name, v := range want {
				if wantErr == nil && name != "" && len(v) > sizes[name] {
					t.Fatalf("%q is %d bytes, and %d were foreseen", name, len(v), sizes[name])
				}
			}
		})
	})
}

var _ = strings.Repeat
