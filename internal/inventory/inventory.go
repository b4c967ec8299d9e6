// Package inventory describes sites, power, racks, network and hosts: the same
// file type for real hosts and for the lab. The lab sections (services,
// runbook) are refused where an inventory of real hosts is asked for.
package inventory

import (
	"strings"

	"github.com/firedrill-io/firedrill/experiments"
)

// Inventory is one file.
type Inventory struct {
	Name      string              `json:"inventory" jsonschema:"pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,title=a name of small letters and digits and -,example=as-it-was"`
	Variables map[string]Variable `json:"variables,omitempty"`
	Sites     []Site              `json:"sites" jsonschema:"minItems=1"`
	Power     []PowerSource       `json:"power,omitempty"`
	Hosts     []Host              `json:"hosts" jsonschema:"minItems=1"`
	Links     []Link              `json:"links,omitempty"`
	Services  []Service           `json:"services,omitempty"`
	Runbook   []Step              `json:"runbook,omitempty"`
}

// Variable is a value an experiment may set in a lab file, used as ${name} in
// service arguments and files.
type Variable struct {
	Default string `json:"default"`
	// Value is what the variable is in this run; Parse sets it.
	Value string `json:"-"`
}

// Site is a data centre, with its racks. A lab has one site named internet for
// the clients; it is never a target.
type Site struct {
	Name  string `json:"name" jsonschema:"pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,title=a name of small letters and digits and -,example=p1"`
	Rooms []Room `json:"rooms,omitempty"`
	Racks []Rack `json:"racks,omitempty"`
}

// Room is a fire compartment of a site.
type Room struct {
	Name string `json:"name" jsonschema:"pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,title=a name of small letters and digits and -,example=p1"`
}

// Rack holds hosts behind one top-of-rack switch.
type Rack struct {
	Name string `json:"name" jsonschema:"pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,title=a name of small letters and digits and -,example=p1"`
	Room string `json:"room,omitempty"`
	// Feeds power the rack's switch (ToR). None: the switch never goes dark.
	Feeds []string `json:"feeds,omitempty"`
}

// PowerKind is the kind of a power source.
type PowerKind string

// The kinds of power sources, from the street to the rack.
const (
	Utility PowerKind = "utility"
	UPS     PowerKind = "ups"
	Feed    PowerKind = "feed"
)

// PowerSource is dead when it is off itself or when all it hangs from is dead.
type PowerSource struct {
	Name string    `json:"name" jsonschema:"pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,title=a name of small letters and digits and -,example=p1"`
	Kind PowerKind `json:"kind" jsonschema:"enum=utility,enum=ups,enum=feed"`
	Site string    `json:"site"`
	From []string  `json:"from,omitempty"`
}

// Host is one machine. It is dark when all its feeds are dead.
type Host struct {
	Name    string            `json:"name" jsonschema:"pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,title=a name of small letters and digits and -,example=p1"`
	Site    string            `json:"site"`
	Rack    string            `json:"rack"`
	Feeds   []string          `json:"feeds,omitempty"` // names of power sources of any kind
	Roles   []string          `json:"roles,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	Address string            `json:"address,omitempty"` // lab: 10.77.<site>.<n> if empty; sites and hosts count from 1 in file order
	// Address6 is the host's IPv6 address, if it has one. A fault whose peers are
	// named by host or domain acts on both.
	Address6 string `json:"address6,omitempty"` // lab: fd77::<site>:<n>, of the last two numbers of address
}

// Link is what joins two sites, or one site and everybody. In the lab all sites
// are joined through the core; a link with a rate is thin, in each direction.
type Link struct {
	// Between names the two sites whose traffic with each other the link carries.
	Between []string `json:"between,omitempty" jsonschema:"minItems=2,maxItems=2"`
	// Site names one site, whose traffic with all others the link carries: its line.
	Site string `json:"site,omitempty" jsonschema:"minLength=1"`
	// Rate is what the link carries in each direction. None: as much as the machine can.
	Rate Rate `json:"rate,omitempty"`
	// Reserve is the part of the rate that traffic to or from hosts of a role has
	// for sure, by role. What one does not use, the others may.
	Reserve map[string]experiments.Ratio `json:"reserve,omitempty"`
}

// Name names the link for a person.
func (l Link) Name() string {
	if l.Site != "" {
		return "line of " + l.Site
	}
	return "link between " + strings.Join(l.Between, " and ")
}

// Service is a program the lab runs on hosts.
type Service struct {
	Name string `json:"name" jsonschema:"pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,title=a name of small letters and digits and -,example=p1"`
	// Exec is a bare name, looked up in the services folder and nowhere else.
	Exec string   `json:"exec" jsonschema:"pattern=^[A-Za-z0-9][A-Za-z0-9._-]*$,title=a bare name without folders,example=superapp"`
	Args []string `json:"args,omitempty"`
	// Files are written before the service starts; a file that exists with other content is replaced.
	Files []File `json:"files,omitempty"`
	// Serves names the probes and ledgers that need this service: its hosts gate them.
	Serves []string `json:"serves,omitempty"`
	Hosts  Selector `json:"hosts"`
}

// File is written into a host. In Content, as in Args, ${host}, ${ip}, ${site},
// ${ip.HOST} and the file's variables are replaced.
type File struct {
	Path    string `json:"path" jsonschema:"pattern=^/,title=an absolute path,example=/data/app.conf"`
	Content string `json:"content"`
}

// Step is a runbook step: what a person does by hand at a host's console. The
// experiment names the step; what it runs stands here.
type Step struct {
	Name string   `json:"step" jsonschema:"pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,title=a name of small letters and digits and -,example=promote-standby"`
	Host string   `json:"host"`
	Exec string   `json:"exec" jsonschema:"pattern=^[A-Za-z0-9][A-Za-z0-9._-]*$,title=a bare name without folders,example=superapp"`
	Args []string `json:"args,omitempty"`
	// Serves names the probes and ledgers that waited for this step; none: all did.
	Serves []string `json:"serves,omitempty"`
}

// Selector picks hosts; the experiment file and the lab file write it alike.
type Selector = experiments.Selector

// StringList is written in YAML as one string or a list of strings.
type StringList = experiments.StringList
