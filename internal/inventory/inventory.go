// Package inventory describes sites, power, racks, network and hosts: the same
// file type for real hosts and for the lab. The lab sections (services,
// runbook) are refused in an inventory of real hosts.
package inventory

// Inventory is one file.
type Inventory struct {
	Name      string              `yaml:"inventory" json:"inventory"`
	Variables map[string]Variable `yaml:"variables,omitempty" json:"variables,omitempty"`
	Sites     []Site              `yaml:"sites" json:"sites"`
	Power     []PowerSource       `yaml:"power" json:"power"`
	Hosts     []Host              `yaml:"hosts" json:"hosts"`
	Links     []Link              `yaml:"links,omitempty" json:"links,omitempty"`
	Services  []Service           `yaml:"services,omitempty" json:"services,omitempty"`
	Runbook   []Step              `yaml:"runbook,omitempty" json:"runbook,omitempty"`
}

// Variable is a value an experiment may set in a lab file, used as ${name} in
// service arguments and files.
type Variable struct {
	Default string `yaml:"default" json:"default"`
}

// Site is a data centre, with its racks. A lab has one site named internet for
// the clients; it is never a target.
type Site struct {
	Name  string `yaml:"name" json:"name"`
	Rooms []Room `yaml:"rooms,omitempty" json:"rooms,omitempty"`
	Racks []Rack `yaml:"racks,omitempty" json:"racks,omitempty"`
}

// Room is a fire compartment of a site.
type Room struct {
	Name string `yaml:"name" json:"name"`
}

// Rack holds hosts behind one top-of-rack switch.
type Rack struct {
	Name string `yaml:"name" json:"name"`
	Room string `yaml:"room,omitempty" json:"room,omitempty"`
	// Feeds power the rack's switch (ToR). None: the switch never goes dark.
	Feeds []string `yaml:"feeds,omitempty" json:"feeds,omitempty"`
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
	Name string    `yaml:"name" json:"name"`
	Kind PowerKind `yaml:"kind" json:"kind"`
	Site string    `yaml:"site" json:"site"`
	From []string  `yaml:"from,omitempty" json:"from,omitempty"`
}

// Host is one machine. It is dark when all its feeds are dead.
type Host struct {
	Name    string            `yaml:"name" json:"name"`
	Site    string            `yaml:"site" json:"site"`
	Rack    string            `yaml:"rack" json:"rack"`
	Feeds   []string          `yaml:"feeds" json:"feeds"` // names of power sources of any kind
	Roles   []string          `yaml:"roles,omitempty" json:"roles,omitempty"`
	Labels  map[string]string `yaml:"labels,omitempty" json:"labels,omitempty"`
	Address string            `yaml:"address,omitempty" json:"address,omitempty"` // lab: 10.77.<site>.<n> if empty; sites and hosts count from 1 in file order
}

// Link joins two sites; in the lab every two sites without a link are joined through the core.
type Link struct {
	Between []string `yaml:"between" json:"between"`
}

// Service is a program the lab runs on hosts.
type Service struct {
	Name string `yaml:"name" json:"name"`
	// Exec is a bare name, looked up in the services folder and nowhere else.
	Exec string   `yaml:"exec" json:"exec"`
	Args []string `yaml:"args,omitempty" json:"args,omitempty"`
	// Files are written before the service starts; a file that exists with other content is replaced.
	Files []File `yaml:"files,omitempty" json:"files,omitempty"`
	// Serves names the probes and ledgers that need this service: its hosts gate them.
	Serves []string `yaml:"serves,omitempty" json:"serves,omitempty"`
	Hosts  Selector `yaml:"hosts" json:"hosts"`
}

// File is written into a host. In Content, as in Args, ${host}, ${ip}, ${site},
// ${ip.HOST} and the file's variables are replaced.
type File struct {
	Path    string `yaml:"path" json:"path"`
	Content string `yaml:"content" json:"content"`
}

// Step is a runbook step: what a person does by hand at a host's console. The
// experiment names the step; what it runs stands here.
type Step struct {
	Name string   `yaml:"step" json:"step"`
	Host string   `yaml:"host" json:"host"`
	Exec string   `yaml:"exec" json:"exec"`
	Args []string `yaml:"args,omitempty" json:"args,omitempty"`
}

// Selector picks hosts. All given fields must match (intersection); Except
// takes away. Within one list any value matches. An empty selector is an error,
// All must be said.
type Selector struct {
	All     bool              `yaml:"all,omitempty" json:"all,omitempty"`
	Hosts   StringList        `yaml:"hosts,omitempty" json:"hosts,omitempty"`
	Site    StringList        `yaml:"site,omitempty" json:"site,omitempty"`
	Room    StringList        `yaml:"room,omitempty" json:"room,omitempty"`
	Rack    StringList        `yaml:"rack,omitempty" json:"rack,omitempty"`
	Power   StringList        `yaml:"power,omitempty" json:"power,omitempty"` // hosts with a feed on (or below) the source
	Role    StringList        `yaml:"role,omitempty" json:"role,omitempty"`
	Service StringList        `yaml:"service,omitempty" json:"service,omitempty"`
	Label   map[string]string `yaml:"label,omitempty" json:"label,omitempty"`
	// Share keeps a seeded part of the matches, e.g. "37.5%", rounded half up.
	Share  string    `yaml:"share,omitempty" json:"share,omitempty"`
	Except *Selector `yaml:"except,omitempty" json:"except,omitempty"`
}

// StringList is written in YAML as one string or a list of strings.
type StringList []string
