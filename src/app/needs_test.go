package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What an option of docker's asks for. The flags, and how their values may be written, are
// those of docker container create from 20.10 to 29.
func TestOptionNeeds(t *testing.T) {
	for line, want := range map[string]string{
		"--link dokku.postgres.orders:dokku-postgres-orders": "container dokku.postgres.orders whole",
		"--link=orders:db":                             "container orders whole",
		`--link "orders:db"`:                           "container orders whole",
		"--link orders":                                "container orders whole",
		"--link a:b --link c:d":                        "container a, container c",
		"--restart=always --link a:b":                  "container a",
		"--link a:b -e X=1":                            "container a",
		"--link $DB:db":                                "",
		"--volumes-from data:ro":                       "container data whole",
		"--network backbone":                           "network backbone whole",
		"--net=backbone":                               "network backbone whole",
		"--network name=backbone,alias=x":              "network backbone whole",
		"--network host":                               "",
		"--net container:other":                        "container other whole",
		"--ipc container:other":                        "container other whole",
		"--ipc host":                                   "",
		"--pid=container:other":                        "container other whole",
		"-v /srv/media:/app/media":                     "directory /srv/media made whole",
		"-v /srv/media/:/app/media:ro":                 "directory /srv/media made whole",
		"-v/srv/media:/app/media":                      "directory /srv/media made whole",
		"--volume=/srv/media:/app/media":               "directory /srv/media made whole",
		`-v "/srv/my media:/app/media"`:                "directory /srv/my media made whole",
		"-v media:/app/media":                          "volume media made whole",
		"-v /app/media":                                "", // a volume without a name
		"-v ./media:/app/media":                        "",
		"-v $HOME/x:/x":                                "",
		"--mount type=bind,source=/srv/x,target=/x":    "directory /srv/x whole",
		"--mount type=bind,src=/srv/x,dst=/x,readonly": "directory /srv/x whole",
		"--mount type=volume,source=media,target=/x":   "volume media made whole",
		"--mount source=media,target=/x":               "volume media made whole",
		"--mount type=tmpfs,target=/x":                 "",
		"--label --link":                               "",
		"-e LINK=--link":                               "",
		"--link":                                       "",
		"--link 'open":                                 "",
		"# --link a:b":                                 "",
		"":                                             "",
	} {
		var got []string
		for _, n := range optionNeeds(line, "deploy", " for deploy") {
			text := fmt.Sprint(n.Kind, " ", n.Name)
			if n.Made {
				text += " made"
			}
			if n.Line != "" {
				text += " whole"
			}
			got = append(got, text)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%q: %q, want %q", line, strings.Join(got, ", "), want)
		}
	}
}

// Which networks an app is put into, by Dokku's version: the host's from 0.25 on, where
// the app has none of its own; a list from 0.31 on, of which attach-post-create takes the
// first.
func TestNetworkNeeds(t *testing.T) {
	for _, c := range []struct {
		dokku string
		files map[string]string
		want  string
	}{
		{"0.20.4", map[string]string{"blog/attach-post-create": "a"}, "a"},
		{"0.20.4", map[string]string{"blog/initial-network": "a", "--global/attach-post-deploy": "b"}, ""},
		{"0.25.0", map[string]string{"blog/initial-network": "a", "--global/attach-post-deploy": "b"}, "b a"},
		{"0.35.5", map[string]string{"blog/initial-network": "a", "--global/initial-network": "b"}, "a"},
		{"0.30.0", map[string]string{"blog/attach-post-deploy": "a,b"}, "a,b"},
		{"0.31.0", map[string]string{"blog/attach-post-deploy": "a,b"}, "a b"},
		{"0.31.0", map[string]string{"blog/attach-post-create": "a,b"}, "a"},
		{"0.38.27", map[string]string{"blog/initial-network": "host"}, ""},
		{"0.38.27", map[string]string{"blog/initial-network": ""}, ""},
	} {
		var list []File
		for path, text := range c.files {
			list = append(list, File{Path: "lib/config/network/" + path, Data: []byte(text)})
		}
		var got []string
		for _, n := range NewFiles(c.dokku, []string{"blog"}, nil, list).Needs("blog") {
			got = append(got, n.Name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %v: %v", c.dokku, c.files, got)
		}
	}
	// What cannot be read may be the app's own.
	f := NewFiles("0.35.5", []string{"blog"}, nil, []File{
		{Path: "lib/config/network/blog/initial-network", Error: "permission denied"}, {Path: "lib/config/network/--global/initial-network", Data: []byte("b")},
	})
	if needs := f.Needs("blog"); len(needs) > 0 {
		t.Errorf("%+v", needs)
	}
}

// Of a build of a Dockerfile, and in the list of one process type, Dokku drops links and
// mounts.
func TestDroppedOptions(t *testing.T) {
	for builder, want := range map[string]int{"dockerfile": 1, "railpack": 1, "herokuish": 3, "": 3} {
		f := NewFiles("0.38.27", []string{"blog"}, nil, []File{
			{Path: "lib/config/builder/blog/detected", Data: []byte(builder)},
			{Path: "lib/config/docker-options/blog/_default_.deploy", Data: []byte("--link a:b\n")},
			{Path: "lib/config/docker-options/blog/_default_.build", Data: []byte("--link a:b\n")},
			{Path: "lib/config/docker-options/blog/web.deploy", Data: []byte("--link c:d\n")},
		})
		if needs := f.Needs("blog"); len(needs) != want {
			t.Errorf("%s: %+v", builder, needs)
		}
	}
}

// What docker answers, from 20.10 to 29; an alias of a link stands among the names.
func TestReadHas(t *testing.T) {
	fact := func(name, text string) File { return File{Path: "facts/docker-" + name, Data: []byte(text)} }
	d := readHas(NewFiles("0.35.5", nil, nil, []File{
		fact("version", "20.10.24+dfsg1 29.0.1\n"),
		fact("images", "sha256:aa dokku/blog:latest\nsha256:bb <none>:<none>\n"),
		fact("networks", "abcdef123456 bridge\n"),
		fact("names", "111111111111 blog.web.1/dokku-postgres-orders,dokku.postgres.orders Up 2 hours\n222222222222 old Exited (0) 3 weeks ago\n333333333333 new Created\n"),
		{Path: "facts/docker-volumes", Error: "exit status 1"},
	}))
	if d.Client != "20.10.24+dfsg1" || Major(d.Client) != 20 || Major(d.Server) != 29 || Major("") != 0 || !d.ImageIDs["sha256:bb"] || d.Images["dokku/blog:latest"] != "sha256:aa" || len(d.Unknown) != 1 {
		t.Errorf("%+v", d)
	}
	for _, c := range []struct {
		need          Need
		gone, stopped bool
	}{
		{Need{Kind: NeedContainer, Name: "dokku.postgres.orders"}, false, false},
		{Need{Kind: NeedContainer, Name: "dokku-postgres-orders"}, true, false},
		{Need{Kind: NeedContainer, Name: "1111111111"}, false, false},
		{Need{Kind: NeedContainer, Name: "old"}, false, true},
		{Need{Kind: NeedContainer, Name: "new"}, false, true},
		{Need{Kind: NeedNetwork, Name: "bridge"}, false, false},
		{Need{Kind: NeedNetwork, Name: "abcdef1234"}, true, false}, // Dokku compares names
		{Need{Kind: NeedNetwork, Name: "abcdef1234", Phase: "deploy"}, false, false},
		{Need{Kind: NeedVolume, Name: "media"}, false, false}, // not known
		{Need{Kind: NeedDirectory, Name: "/srv"}, false, false},
	} {
		if gone, stopped := d.Lacks(c.need); gone != c.gone || stopped != c.stopped {
			t.Errorf("%+v: %v %v", c.need, gone, stopped)
		}
	}
	// docker that was not asked lacks nothing.
	if gone, _ := (DockerHas{}).Lacks(Need{Kind: NeedNetwork, Name: "x"}); gone || !slices.Equal((DockerHas{}).Unknown, nil) {
		t.Error("not asked")
	}
}
