package hazard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// letsencryptSettings is about the plugin's settings that are still variables of
// the environment where it reads properties, from 0.20 on
// (docs/letsencrypt.md#settings). Its own hook moves them, but after a docker pull:
// where that fails, nothing is moved, and renewals fail for want of an e-mail address.
// And where the property is set, the hook overwrites it by a stale variable, which
// dokku 0.38.26 brings back from the dead. So they are moved here, without docker, and
// only to where nothing is.
var letsencryptSettings = Hazard{
	Name:    "letsencrypt-settings",
	About:   AboutLetsencrypt,
	Threads: "dokku/dokku-letsencrypt#332, dokku/dokku#5737, #8929",
	Guide:   guideLetsencrypt,
	Reads:   []app.Part{app.PartEnv, app.PartLetsencrypt},

	Detect: func(s Subject) []Finding {
		var before *app.Letsencrypt
		if s.Before != nil {
			before = &s.Before.Letsencrypt
		}
		return settingsOf(s.Context, s.Now.Name, s.Now.Letsencrypt, before)
	},
	DetectHost: func(s HostSubject) []Finding {
		var before *app.Letsencrypt
		if s.Before != nil {
			before = &s.Before.Letsencrypt
		}
		return settingsOf(s.Context, host.GlobalScope, s.Now.Global.Letsencrypt, before)
	},
}

const guideLetsencrypt = "https://github.com/dokku/dokku-letsencrypt#configuration"

func settingsOf(j Context, scope string, now app.Letsencrypt, before *app.Letsencrypt) []Finding {
	found := append(renamedArguments(j, scope), lostSettings(j, scope, now, before)...)
	var move, leftover []app.Setting
	for _, v := range j.Files.LetsencryptSettings(scope) {
		value, set := propertyOf(j, scope, v.Property)
		if v.Property == "lego-args" && !set {
			value, set = propertyOf(j, scope, "lego-docker-args") // about to be lego-args
		}
		shown := shownAs(v.Property)
		unset := say.Command("dokku config:unset --no-restart", scope, v.Variable)
		switch {
		case set && value == v.Value:
			leftover = append(leftover, v)
		case set && before != nil && before.Env[shown] == "":
			// It was not there before the upgrade: the upgrade has brought it back.
			leftover = append(leftover, v)
		case set:
			values := j.both(now.Env[shown], now.Properties[v.Property])
			if app.PlainSetting(v.Property) {
				values = fmt.Sprintf(" (%s and %s)", now.Env[shown], now.Properties[v.Property])
			}
			found = append(found, Finding{
				What:        fmt.Sprintf("%s is still in the environment, with another value than the letsencrypt property %s%s", v.Variable, v.Property, values),
				Consequence: "The plugin goes by the property, until the next plugin:install or plugin:update, which overwrites it by the variable. The command keeps the property.",
				Command:     unset,
			})
		case scope != host.GlobalScope && globalWon(j, v):
			found = append(found, Finding{
				What:        fmt.Sprintf("%s is set for the app and, to another value, for the host", v.Variable),
				Consequence: fmt.Sprintf("Up to letsencrypt 0.19 the host's value won, as a property the app's does. Take the app's away with the command, or give it with %s.", say.Command("dokku letsencrypt:set", scope, v.Property)),
				Command:     unset,
			})
		default:
			move = append(move, v)
		}
	}
	if len(move) > 0 {
		found = append(found, Finding{
			What:        "letsencrypt settings are in the environment, where the installed plugin does not look: " + settingNames(move),
			Consequence: "Without them no certificate is renewed, or not as it was.",
			Step:        moveSettings(j, scope, move, "letsencrypt settings moved from the environment to properties: "+settingNames(move)),
		})
	}
	if len(leftover) > 0 {
		found = append(found, Finding{
			What:        "letsencrypt settings are properties, and in the environment too: " + settingNames(leftover),
			Consequence: "The next plugin:install or plugin:update would overwrite the properties by what is left there.",
			Step:        moveSettings(j, scope, leftover, "letsencrypt settings that are properties taken out of the environment: "+settingNames(leftover)),
		})
	}
	return found
}

// settingNames are the properties of settings; values are not shown.
func settingNames(settings []app.Setting) string {
	var list []string
	for _, s := range settings {
		list = append(list, s.Property)
	}
	return strings.Join(list, ", ")
}

// shownAs is the key under which a state has a setting of the environment.
func shownAs(property string) string {
	if property == "lego-docker-args" {
		return "lego-args"
	}
	return property
}

func propertyOf(j Context, scope, property string) (string, bool) {
	value, ok := j.Files.Text("lib/config/letsencrypt/" + scope + "/" + property)
	value = strings.TrimRight(value, "\n")
	return value, ok && value != ""
}

// globalWon tells whether the host's value of a setting was the one that counted
// up to plugin 0.19, and another than the app's: those two the plugin read so,
// the others from the app first.
func globalWon(j Context, v app.Setting) bool {
	if !slices.Contains([]string{"graceperiod", "lego-args", "lego-docker-args"}, v.Property) {
		return false
	}
	value, set := propertyOf(j, host.GlobalScope, v.Property)
	for _, g := range j.Files.LetsencryptSettings(host.GlobalScope) {
		if g.Variable == v.Variable && !set {
			value, set = g.Value, true
		}
	}
	return set && value != v.Value
}

// moveSettings is the step that writes settings as properties where there are
// none, reads each back, and only then takes the variables away.
func moveSettings(j Context, scope string, settings []app.Setting, text string) *plan.Step {
	args := []string{"config:unset", "--no-restart", scope}
	for _, s := range settings {
		args = append(args, s.Variable)
	}
	paths := j.Paths
	return &plan.Step{
		Mark: plan.Change, Text: text,
		Do: func(ctx context.Context, h host.Host) error {
			for _, s := range settings {
				if err := fill(h, paths.Property("letsencrypt", scope, s.Property), s.Value); err != nil {
					return fmt.Errorf("the property %s: %w", s.Property, err)
				}
			}
			return config(args[0], args[1:]...)(ctx, h)
		},
		Verify: func(ctx context.Context, h host.Host) error {
			for _, s := range settings {
				if left, err := host.Config(ctx, h, scope, s.Variable); err != nil {
					return err
				} else if left != "" {
					return fmt.Errorf("%s is still in the environment", s.Variable)
				}
			}
			return nil
		},
	}
}

// fill writes a property's file where it is missing or empty, and reads it back.
// One that holds something stays (law 2).
func fill(h host.Host, path, value string) error {
	now, err := h.ReadFile(path)
	if err == nil && strings.TrimSpace(string(now)) != "" {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := h.Write(path, 0o600, []byte(value)); err != nil {
		return err
	}
	if now, err = h.ReadFile(path); err == nil && string(now) != value {
		err = errors.New("it does not hold what was written to it")
	}
	return err
}

// lostSettings is about properties that the baseline has and nobody has any more:
// apps:rename drops them with the old name, and from 0.38 on destroying an app
// called letsencrypt drops those of every app (docs/letsencrypt.md#renames,
// docs/dokku-versions.md#a-name-that-is-a-plugins).
func lostSettings(j Context, scope string, now app.Letsencrypt, before *app.Letsencrypt) []Finding {
	if before == nil || !j.Files.LetsencryptPlugin().Is("0.20.0") || j.Old() == nil {
		return nil
	}
	var lost []string
	values := map[string]string{}
	for _, property := range slices.Sorted(maps.Keys(before.Properties)) {
		value, _ := j.Old().Text("lib/config/letsencrypt/" + scope + "/" + property)
		name := property
		if property == "lego-docker-args" && j.Files.LetsencryptPlugin().Is("0.24.0") {
			name = "lego-args"
		}
		if _, there := now.Properties[name]; !there && now.Properties[property] == "" && value != "" {
			lost = append(lost, name)
			values[name] = value
		}
	}
	if len(lost) == 0 {
		return nil
	}
	paths, text := j.Paths, "letsencrypt settings "+strings.Join(lost, ", ")
	return []Finding{{
		What:        fmt.Sprintf("the %s, recorded in %s, are gone", text, j.Baseline),
		Consequence: "Without them no certificate is renewed, or not as it was.",
		Step: &plan.Step{
			Mark: plan.Add, Text: text,
			Do: func(_ context.Context, h host.Host) error {
				for _, name := range lost {
					if err := fill(h, paths.Property("letsencrypt", scope, name), values[name]); err != nil {
						return fmt.Errorf("the property %s: %w", name, err)
					}
				}
				return nil
			},
		},
	}}
}

// renamedArguments is about lego-docker-args, which is lego-args from plugin 0.24
// on. Its hook renames it, after the docker pull too, and over a lego-args that is
// set.
func renamedArguments(j Context, scope string) []Finding {
	value, set := propertyOf(j, scope, "lego-docker-args")
	if !set || !j.Files.LetsencryptPlugin().Is("0.24.0") {
		return nil
	}
	old := j.Paths.Property("letsencrypt", scope, "lego-docker-args")
	if now, set := propertyOf(j, scope, "lego-args"); set && now != value {
		return []Finding{{
			What:        "the letsencrypt properties lego-args and lego-docker-args are both set, and differ",
			Consequence: "The plugin goes by lego-args, until the next plugin:install or plugin:update, which overwrites it by the older one. The command keeps lego-args.",
			Command:     say.Command("rm", old),
		}}
	}
	path := j.Paths.Property("letsencrypt", scope, "lego-args")
	return []Finding{{
		What:        "the letsencrypt property lego-docker-args is called lego-args by the installed plugin",
		Consequence: "The arguments in it are not used for the next certificate.",
		Step: &plan.Step{
			Mark: plan.Change, Text: "letsencrypt property lego-docker-args renamed to lego-args",
			Do: func(_ context.Context, h host.Host) error {
				if err := fill(h, path, value); err != nil {
					return err
				}
				return h.Remove(old)
			},
		},
	}}
}
