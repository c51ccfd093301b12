package host_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// What is done for each app costs as much on a host of thirty as on one of ten: files
// read, directories listed, programs run; and what looks at all apps is done as often. A
// build that looked at all others was half of the time on a host of a thousand.
func TestMendingIsLinear(t *testing.T) {
	for about, work := range map[string]func(*testing.T, int) map[string]int{
		"pre-upgrade": func(t *testing.T, apps int) map[string]int {
			c := newCrowd(t, "0.20.4", apps)
			return c.counted(c.preUpgrade)
		},
		"post-upgrade": func(t *testing.T, apps int) map[string]int {
			c := newCrowd(t, "0.20.4", apps)
			c.preUpgrade()
			c.upgraded()
			return c.counted(func() {
				if said := c.postUpgrade(); strings.Count(said, "scale web=3") != apps {
					t.Errorf("%.3000s", said)
				}
			})
		},
		"addresses": func(t *testing.T, apps int) map[string]int {
			c := newCrowd(t, "0.35.5", apps)
			c.takeSnapshot()
			c.address(1)
			return c.counted(func() {
				if said := c.routes(); strings.Count(said, "built by Dokku") != apps {
					t.Errorf("%.3000s", said)
				}
			})
		},
		"fallbacks": func(t *testing.T, apps int) map[string]int {
			c := newCrowd(t, "0.35.5", apps)
			c.takeSnapshot()
			c.deployed()
			c.address(1)
			c.noBuild = true
			return c.counted(func() {
				if said := c.routes(); strings.Count(said, ": fallback upstream in its nginx") != apps {
					t.Errorf("%.3000s", said)
				}
			})
		},
	} {
		t.Run(about, func(t *testing.T) {
			few, more, many := work(t, 10), work(t, 20), work(t, 30)
			for _, what := range slices.Sorted(maps.Keys(many)) {
				if many[what]-more[what] != more[what]-few[what] {
					t.Errorf("%s: %d times for 10 apps, %d for 20, %d for 30", what, few[what], more[what], many[what])
				}
			}
			if few["apps listed"] != many["apps listed"] {
				t.Errorf("the apps are listed %d times where there are 10, and %d where there are 30", few["apps listed"], many["apps listed"])
			}
		})
	}
}

// nginx names one file that it refuses at a time. What is done about one of them costs as
// much on a host of forty apps as on one of twenty: only it is looked at again, and all
// others are when all is done.
func TestARoundIsOfWhatWasTouched(t *testing.T) {
	each := func(apps int) map[string]int {
		var counts []map[string]int
		for _, refused := range []int{2, 5} {
			c := newCrowd(t, "0.35.5", apps)
			c.takeSnapshot()
			c.refuse(refused)
			counts = append(counts, c.counted(func() {
				if said := c.mended(); strings.Count(said, "nginx configuration, quarantined") != refused {
					t.Errorf("%.3000s", said)
				}
			}))
		}
		for what, n := range counts[0] {
			counts[1][what] -= n
		}
		return counts[1]
	}
	few, many := each(20), each(40)
	if !maps.Equal(few, many) {
		t.Errorf("three more among 20: %v\namong 40: %v", few, many)
	}
}

// What a deploy or config:set waits for hangs on that app alone: no other app's files are
// looked at, not even the apps are listed, and docker is asked once.
func TestARefreshIsOfOneApp(t *testing.T) {
	refresh := func(apps int) map[string]int {
		c := newCrowd(t, "0.35.5", apps)
		c.takeSnapshot()
		counts := c.counted(c.refresh)
		if _, err := c.Lstat(c.Paths().Data("live", c.apps[apps/2]+".tar.gz")); err != nil {
			t.Error(err)
		}
		return counts
	}
	if one, many := refresh(1), refresh(50); !maps.Equal(one, many) || many["apps listed"] > 0 || many["docker ps"]+many["docker inspect"] != 1 {
		t.Errorf("alone: %v\namong fifty: %v", one, many)
	}
}
