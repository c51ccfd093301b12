package app

import "testing"

func TestKnown(t *testing.T) {
	for version, want := range map[string]bool{
		"0.20.4": true, NewestKnown: true, "0.38.3": true,
		"0.38.28": false, "0.39.0": false, "1.0.0": false, "1.0": false,
		"0.38.27-5-gabcdef0": false, "0.35.5-1": false, "1790000000:0.38.27": false, "master": false, "": false,
	} {
		if Known(version) != want {
			t.Errorf("%q is known: %v", version, !want)
		}
	}
}

func TestBefore(t *testing.T) {
	for _, c := range []struct {
		version, than string
		want          bool
	}{
		{"0.20.4", "0.35.5", true},
		{"0.35.5", "0.35.5", false},
		{"0.9.4", "0.10.0", true},
		{"0.100.0", "0.38.27", false},
		// A branch goes on from its release.
		{"0.38.27-5-gabcdef0", "0.38.27", false},
		{"0.38.27-5-gabcdef0", "0.38.28", true},
		{"0.38.0-3-gabcdef0", "0.38.0", false},
		{"0.37.10", "0.38.0-3-gabcdef0", true},
		// What names no release is newer than everything.
		{"master", "0.38.27", false},
		{"0.38.27", "master", true},
		{"1790000000:0.38.27", "0.38.27", false},
		// Nothing is no version.
		{"", "0.38.27", false},
		{"0.38.27", "", false},
	} {
		if got := Before(c.version, c.than); got != c.want {
			t.Errorf("%q is before %q: %v", c.version, c.than, got)
		}
	}
}
