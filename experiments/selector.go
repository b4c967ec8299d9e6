package experiments

// Selector picks hosts. All given fields must match (intersection); Except
// takes away. Within one list any value matches. An empty selector is an error,
// All must be said.
type Selector struct {
	All     bool              `json:"all,omitempty"`
	Hosts   StringList        `json:"hosts,omitempty"`
	Site    StringList        `json:"site,omitempty"`
	Room    StringList        `json:"room,omitempty"`
	Rack    StringList        `json:"rack,omitempty"`
	Power   StringList        `json:"power,omitempty"` // hosts with a feed on (or below) the source
	Role    StringList        `json:"role,omitempty"`
	Service StringList        `json:"service,omitempty"`
	Label   map[string]string `json:"label,omitempty"`
	// Share keeps a seeded part of the matches, rounded half up.
	Share  Ratio     `json:"share,omitempty"`
	Except *Selector `json:"except,omitempty"`
}

// StringList is written in YAML as one string or a list of strings.
type StringList []string
