package service

import (
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/rounds"
)

// nameForm are the characters of units' names, and the length, systemd.unit(5).
var nameForm = regexp.MustCompile(`^[a-zA-Z0-9:_.\\-]+(@[a-zA-Z0-9:_.\\-]*)?$`)

// longestName is how long a unit's name may be, suffix included.
const longestName = 255

const suffix = ".service"

// otherTypes are the suffixes of units that are no services.
var otherTypes = []string{".socket", ".target", ".timer", ".path", ".mount", ".automount", ".swap", ".slice", ".scope", ".device"}

// unit is the name of the unit that is meant.
func (p Params) unit() (string, error) {
	name := strings.TrimSuffix(p.Service, suffix)
	for _, other := range otherTypes {
		if path.Ext(name) == other {
			return "", fault.Refuse("service", "%q is a %s; name a service: what starts it is stopped with it", p.Service, other[1:])
		}
	}
	switch {
	case !nameForm.MatchString(name) || len(name+suffix) > longestName:
		return "", fault.Refuse("service", "%.60q is no name of a service; write it like postgresql, or notes@3", p.Service)
	case strings.HasSuffix(name, "@"):
		return "", fault.Refuse("service", "%s is a template, which never runs itself; name an instance of it, such as %s1", name, name)
	}
	return name + suffix, nil
}

// check reads the other parameters.
func (p Params) check() (every time.Duration, err error) {
	switch p.Action {
	case "", stop, restart:
	default:
		return 0, fault.Refuse("action", "%q is not one of stop, restart", p.Action)
	}
	if p.Every != "" && p.Action != restart {
		return 0, fault.Refuse("every", "is given, and the service is to be stopped, which is done once; give action: restart, or leave it out")
	}
	return rounds.ParseEvery(p.Every, leastEvery)
}
