package hazard

import "testing"

// As seen on 0.25.7 and 0.29.4 (docs/dokku-versions.md#the-import-of-025-to-029).
func TestStopsImport(t *testing.T) {
	for text, want := range map[string]bool{
		"web=2\nworker=1\n": false, "web=2\r\nworker=1\r\n": false, "web=2\n\n": false, "#web=2\n": false, "web=1\nweb=4\n": false, "": false,
		"# a comment\nweb=2\n": true, "web=2 # why\n": true, "web = 2\n": true, "web=1worker=0\n": true, "web=two\n": true, "web\n": true,
	} {
		if got := stopsImport(text); got != want {
			t.Errorf("%q stops it: %v, want %v", text, got, want)
		}
	}
}
