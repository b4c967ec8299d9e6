package dns

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
)

// maxName is the longest name as text, without the dot at its end (RFC 1035, 2.3.4).
const maxName = 253

// nameForm is a name of one or more labels (RFC 1035, 2.3.1, and the underscore
// of services, RFC 8552).
var nameForm = regexp.MustCompile(`^[a-z0-9_-]{1,63}([.][a-z0-9_-]{1,63})*$`)

// readNames checks names and makes them alike: in small letters and without the
// dot at the end. The error names the field.
func readNames(list []string) (names []string, err error) {
	if list != nil && len(list) == 0 || len(list) > traffic.MaxNames {
		return nil, fault.Refuse("names", "%d names given; list 1 to %d, or leave it out for all", len(list), traffic.MaxNames)
	}
	for i, text := range list {
		name := strings.TrimSuffix(strings.ToLower(text), ".")
		field := fmt.Sprintf("names[%d]", i)
		if _, err := netip.ParseAddr(name); err == nil {
			return nil, fault.Refuse(field, "%q is an address; cut addresses off with partition", text)
		}
		if !nameForm.MatchString(strings.TrimPrefix(name, traffic.Under)) || len(name) > maxName {
			return nil, fault.Refuse(field, "%q is no name such as db.example.com or *.example.com (all below example.com); write other letters as xn--…", text)
		}
		names = append(names, name)
	}
	return names, nil
}

// refuseControl refuses names by which the agent finds its way back to the
// control plane; no names means all.
func refuseControl(names, control []string) error {
	for _, host := range control {
		if len(names) == 0 {
			return fault.Refuse("names", "all names are hit, and the control connection goes to %s; list the names to hit", host)
		}
		for i, name := range names {
			if covers(name, strings.TrimSuffix(strings.ToLower(host), ".")) {
				return fault.Refuse(fmt.Sprintf("names[%d]", i), "%s is needed to find %s, where the control connection goes; leave it out", name, host)
			}
		}
	}
	return nil
}

// covers says whether a query for host may be one that name is about. A host
// without a dot may be looked up below any domain (search, resolv.conf(5)).
func covers(name, host string) bool {
	zone, below := strings.CutPrefix(name, traffic.Under)
	switch {
	case below:
		return strings.HasSuffix(host, "."+zone) || !strings.Contains(host, ".")
	case strings.Contains(host, "."):
		return name == host
	}
	first, _, _ := strings.Cut(name, ".")
	return first == host
}
