package host_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The bench: a host of a thousand apps, the real program on it, and beside each figure what
// it is held to: hashing the same files, packing them, copying. Whatever is compared is seen
// to be of the same files first.

// row is a line of the table.
type row struct {
	name string
	runs []taken
	// against is the row that it is held to, at most so many times its time; beside an
	// absolute figure stands none.
	against string
	most    float64
}

// table are the rows, in their order.
type table struct{ rows []*row }

func (t *table) add(name, against string, most float64, took taken) {
	i := slices.IndexFunc(t.rows, func(r *row) bool { return r.name == name })
	if i < 0 {
		i = len(t.rows)
		t.rows = append(t.rows, &row{name: name, against: against, most: most})
	}
	t.rows[i].runs = append(t.rows[i].runs, took)
}

func (t *table) of(name string) *row {
	for _, r := range t.rows {
		if r.name == name {
			return r
		}
	}
	return &row{}
}

func median[T int64 | time.Duration | float64](runs []taken, of func(taken) T) T {
	all := make([]T, 0, len(runs))
	for _, r := range runs {
		all = append(all, of(r))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func (r *row) wall() time.Duration {
	return median(r.runs, func(t taken) time.Duration { return t.wall })
}
func (r *row) cpu() time.Duration {
	return median(r.runs, func(t taken) time.Duration { return t.cpu })
}
func (r *row) memory() float64 { return median(r.runs, func(t taken) float64 { return t.memory }) }

func (t *table) String() string {
	var b strings.Builder
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Fprintf(&b, "medians of %d, load %s", len(t.rows[0].runs), load)
	fmt.Fprintf(&b, "%-30s %9s %9s %6s   %s\n", "", "wall ms", "CPU ms", "MiB", "times (wall, CPU), at most")
	for _, r := range t.rows {
		fmt.Fprintf(&b, "%-30s %9.1f %9.1f %6.0f", r.name, float64(r.wall().Microseconds())/1000, float64(r.cpu().Microseconds())/1000, r.memory())
		if o := t.of(r.against); len(o.runs) > 0 {
			fmt.Fprintf(&b, "   %.2f, %.2f of %s", r.wall().Seconds()/o.wall().Seconds(), r.cpu().Seconds()/o.cpu().Seconds(), r.against)
			if r.most > 0 {
				fmt.Fprintf(&b, ", %.1f", r.most)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// rounds runs everything in turn, so many times.
func (t *bench) rounds(n int, travel bool) *table {
	t.Helper()
	rows := &table{}
	mine := func(name, against string, most float64, args ...string) {
		_, took := t.timed(nil, t.program, args...)
		rows.add(name, against, most, took)
	}
	for round := range n {
		t.change(fmt.Sprintf("round %d", round))
		rows.add("sha256sum", "", 0, t.hashed())
		rows.add("tar cz", "sha256sum", 0, t.packed())
		rows.add("snapshot", "sha256sum", 2.5, t.snapshot())
		rows.add("", "", 0, t.snapshot()) // the newest but one has to be as it is now
		rows.add("snapshot, nothing changed", "sha256sum", 1.2, t.snapshot())
		mine("report", "snapshot, nothing changed", 1.5, "report", "--no-probe")
		mine("check", "snapshot, nothing changed", 1.5, "check")
		mine("diff", "snapshot, nothing changed", 0, "diff")
		mine("refresh at a deploy", "", 0, "trigger", "post-deploy", "app00002")
		mine("report of one app", "", 0, "report", "app00002", "--no-probe")
		mine("a trigger, nothing to do", "", 0, "trigger", "post-extract", "app00002")
		mine("a trigger that is not ours", "", 0, "trigger", "nginx-pre-reload")
		if travel {
			t.travel(rows)
		}
	}
	rows.rows = slices.DeleteFunc(rows.rows, func(r *row) bool { return r.name == "" })
	return rows
}

// travel exports the newest snapshot and imports it, beside a copy that is on the disk when
// it ends.
func (t *bench) travel(rows *table) {
	t.Helper()
	export := t.list + ".export"
	_, took := t.timed(nil, "sh", "-ec", `cp "$1" "$2"; sync -d "$2"`, "sh", t.newest(), t.list+".copy")
	rows.add("cp and sync of a snapshot", "", 0, took)
	_, took = t.timed(nil, "sh", "-ec", `"$1" export >"$2" 2>/dev/null`, "sh", t.program, export)
	rows.add("export", "cp and sync of a snapshot", 1.5, took)
	one, errOne := os.Stat(export)
	two, errTwo := os.Stat(t.list + ".copy")
	if errOne != nil || errTwo != nil || one.Size() < two.Size() || one.Size() > two.Size()+two.Size()/100+64<<10 {
		t.Fatalf("the export and the copy are not of one snapshot: %v, %v", errOne, errTwo)
	}
	in, err := os.Open(export)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, took := t.timed(in, t.program, "import")
	if !strings.Contains(out, "kept") {
		t.Fatal(out)
	}
	rows.add("import", "cp and sync of a snapshot", 1.5, took)
	t.run(t.program, "forget", strings.Fields(out)[2])
}

// BenchmarkApps prints the table of hosts with so many apps as UPGRADE_GUARD_BENCH_APPS
// says, and how the larger ones stand to the first.
func BenchmarkApps(b *testing.B) {
	sizes := strings.Fields(os.Getenv("UPGRADE_GUARD_BENCH_APPS"))
	if len(sizes) == 0 {
		sizes = []string{"1000"}
	}
	var first *table
	for _, size := range sizes {
		apps, err := strconv.Atoi(size)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(size, func(b *testing.B) {
			t := newBench(b, apps)
			rows := t.rounds(5, first == nil)
			fmt.Printf("\n%d apps, %d files, %s", apps, len(t.files), rows)
			if first == nil {
				first = rows
				return
			}
			for _, r := range rows.rows {
				if o := first.of(r.name); len(o.runs) > 0 {
					fmt.Printf("%-30s %.2f times the CPU of %s apps, %.2f times the memory\n", r.name, r.cpu().Seconds()/o.cpu().Seconds(), sizes[0], r.memory()/o.memory())
				}
			}
		})
	}
}

// The short form: what CPU it takes beside sha256sum, and twice as many apps beside half of
// them, with room for noise. It says nothing of time.
func TestRatios(t *testing.T) {
	if os.Getenv("UPGRADE_GUARD_RATIOS") == "" {
		t.Skip("a measurement: make ratios")
	}
	few := newBench(t, 100).rounds(5, false)
	many := newBench(t, 200).rounds(5, false)
	fmt.Printf("%s\n%s\n", few, many)
	held := func(what string, is, most float64) {
		t.Helper()
		fmt.Printf("%-70s %5.2f, at most %.1f\n", what, is, most)
		if is > most {
			t.Errorf("%s: %.2f times, and at most %.1f", what, is, most)
		}
	}
	for _, limit := range []struct {
		name string
		most float64
	}{{"snapshot", 8}, {"snapshot, nothing changed", 6}, {"report", 8.5}, {"check", 7}, {"diff", 9}} {
		name, most := limit.name, limit.most
		held(name+" beside sha256sum, CPU", many.of(name).cpu().Seconds()/many.of("sha256sum").cpu().Seconds(), most)
		held(name+", twice as many apps, CPU", many.of(name).cpu().Seconds()/few.of(name).cpu().Seconds(), 2.6)
		held(name+", twice as many apps, memory", many.of(name).memory()/few.of(name).memory(), 2.2)
	}
	held("report of one app, twice as many apps, CPU", many.of("report of one app").cpu().Seconds()/few.of("report of one app").cpu().Seconds(), 1.6)
}
