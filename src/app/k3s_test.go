package app

import "testing"

// What 0.38.15 makes of annotations and labels, and what it makes of no other property.
func TestK3sProperty(t *testing.T) {
	const list = "lib/config/scheduler-k3s/blog/web.deployment"
	for _, c := range []struct{ about, path, from, to, was, want string }{
		{"a list", list, "0.37.10", "0.38.27", "a: b\nc/d: e: f & g\n", `{"a":"b","c/d":"e: f \u0026 g"}`},
		{"a label", "lib/config/scheduler-k3s/blog/labels.web.pod", "0.36.0", "0.38.15", "a: b\n", `{"a":"b"}`},
		{"of the host", "lib/config/scheduler-k3s/--global/--global.service", "0.36.0", "0.38.15", "a: b\n", `{"a":"b"}`},
		{"an empty one", list, "0.36.0", "0.38.15", "", ""},
		{"blank lines", list, "0.36.0", "0.38.15", "a: b\n\nc: d\n\n", `{"a":"b","c":"d"}`},
		{"a value of several lines", list, "0.36.0", "0.38.15", "a: x\n  y: \"z\";\nw\nb: c\n", `{"a":"x\n  y: \"z\";\nw","b":"c"}`},
		{"an empty value", list, "0.36.0", "0.38.15", "a: \n", `{"a":""}`},
		{"no list", list, "0.36.0", "0.38.15", "what\n", "what\n"},
		{"a map already", list, "0.36.0", "0.38.15", `{"a":"b"}`, `{"a":"b"}`},
		{"the way back", list, "0.38.27", "0.37.10", `{"c/d":"e: f","a":"b"}`, "a: b\nc/d: e: f\n"},
		{"the way back of what no list has", list, "0.38.27", "0.37.10", `{"a":"b\nc"}`, `{"a":"b\nc"}`},
		{"the same version", list, "0.38.27", "0.38.27", "a: b\n", "a: b\n"},
		{"below it", list, "0.35.5", "0.36.11", "a: b\n", "a: b\n"},
		{"a chart's value", "lib/config/scheduler-k3s/--global/chart.cert-manager.deployment", "0.36.0", "0.38.15", "a: b\n", "a: b\n"},
		{"a trigger's", "lib/config/scheduler-k3s/blog/trigger-auth.x.secret", "0.36.0", "0.38.15", "a: b\n", "a: b\n"},
		{"a node profile", "lib/config/scheduler-k3s/--global/node-profile-a.job", "0.37.0", "0.38.15", "a: b\n", "a: b\n"},
		{"no kind of resource", "lib/config/scheduler-k3s/blog/web.other", "0.36.0", "0.38.15", "a: b\n", "a: b\n"},
		{"another plugin's", "lib/config/nginx/blog/web.pod", "0.36.0", "0.38.15", "a: b\n", "a: b\n"},
	} {
		if got := string(K3sProperty(File{Path: c.path, Data: []byte(c.was)}, c.from, c.to)); got != c.want {
			t.Errorf("%s: %q, not %q", c.about, got, c.want)
		}
	}
	for text, want := range map[string]bool{"a: b\n": false, "a: b\nc\n": true, "a: b\n c: d\n": false, "x\n": true, "": false, `{"a":"b"}`: false, "a: b\n\n": false} {
		if _, stops, _ := K3sPairs([]byte(text)); stops != want {
			t.Errorf("%q: %v", text, stops)
		}
	}
}

func TestHasK3sOverride(t *testing.T) {
	was := File{Path: "lib/config/scheduler-k3s/--global/chart.cert-manager.installCRDs.x", Data: []byte("false")}
	for about, c := range map[string]struct {
		dokku, text string
		want        bool
	}{
		"moved": {"0.38.15", `{"installCRDs.x":"false"}`, true}, "another value": {"0.38.15", `{"installCRDs.x":"true"}`, false}, "gone": {"0.38.27", `{}`, false},
		"no map": {"0.38.27", `x`, false}, "before": {"0.38.14", `{"installCRDs.x":"false"}`, false},
	} {
		f := NewFiles(c.dokku, nil, nil, []File{{Path: "lib/config/scheduler-k3s/--global/chart-overrides.cert-manager", Data: []byte(c.text), SHA256: "x"}})
		if f.HasK3sOverride(was) != c.want {
			t.Error(about)
		}
	}
	if (&Files{Dokku: "0.38.27"}).HasK3sOverride(File{Path: "lib/config/nginx/blog/hsts"}) {
		t.Error("another property is one")
	}
}
