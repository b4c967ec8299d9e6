// Package fault is the contract between the host agent and a fault plugin, and
// the only package a plugin author imports.
//
// A plugin changes a host in four steps that survive any crash: Prepare reads
// the host and returns a change record, the agent stores that record durably,
// Apply makes the change, Revert undoes it from the record alone. Observe reads
// the kernel at any time and says what is really there.
package fault

import (
	"context"
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
)

// ContractVersion is the version of this contract that the package speaks. It
// is stored in every journal record.
const ContractVersion = 1

// Contracts are the versions of this contract that the package speaks, the
// newest first.
func Contracts() []int { return []int{ContractVersion} }

// Kind names a kind of fault: its folder under plugins, its key in the
// experiment file, its name on the wire.
type Kind string

// InjectionID names one live fault on one host.
type InjectionID string

// BootTime is an instant on CLOCK_BOOTTIME in nanoseconds since boot. A step of
// the wall clock does not move it and it keeps counting through suspend
// (clock_gettime(2)). Zero means at once, or no end.
type BootTime int64

// Plugin is one kind of fault. P is what an experiment file may set. C is the
// change record: all that Apply will change and what was there before. The
// agent journals C before Apply runs, so Revert may run in a later process,
// after a crash, after a reboot, or without Apply at all.
type Plugin[P, C any] interface {
	// Describe returns the same Info every time; it reads nothing.
	Describe() Info
	// Prepare reads the target and returns the change record. It alters
	// nothing. It refuses parameters with a RefusedError that carries the
	// field's path.
	Prepare(ctx context.Context, t Target, p P) (C, error)
	// Apply makes the change. It is called at the instant at (Serve does the
	// waiting) and is idempotent; called again with a later until it renews.
	// It re-reads what C says was there before and returns ErrChanged if it
	// differs.
	Apply(ctx context.Context, t Target, c C, at, until BootTime) error
	// Observe reads from the kernel, never from memory, what is present. ErrGone,
	// where the target's identity changed, is passed on as absent.
	Observe(ctx context.Context, t Target, c C) (Observation, error)
	// Revert undoes whatever part of the change is present. It is idempotent,
	// legal from every state, in a new process, after a reboot. It returns
	// ErrGone if the target's identity changed, and ErrStuck if somebody else
	// changed the same knob meanwhile; in both cases it touches nothing of theirs.
	Revert(ctx context.Context, t Target, c C) error
}

// Batcher is implemented by a plugin whose injections with the same start on
// one agent belong together, so that it can go phase by phase over all of them.
type Batcher[C any] interface {
	// ApplyBatch applies all items. The result has one error (or nil) an item.
	ApplyBatch(ctx context.Context, items []Item[C], at, until BootTime) []error
}

// Item is one injection of a batch.
type Item[C any] struct {
	ID     InjectionID
	Target Target
	Change C
}

// Info is all that is known of a kind of fault without running it.
type Info struct {
	Kind            Kind   `json:"kind"`
	Summary         string `json:"summary"`
	ContractVersion int    `json:"contract_version"`
	PluginVersion   string `json:"plugin_version"`
	// Touches lists the parts of a host that the fault changes.
	Touches []string `json:"touches"`
	// ConflictKeys lists the knobs of which a host has only one: two overlapping
	// injections on one host that share a key are refused by the plan.
	ConflictKeys []string `json:"conflict_keys,omitempty"`
	// ConflictsBy lists, by the name of a parameter, further keys of an injection
	// that gives it: for a kind that turns one of several knobs.
	ConflictsBy map[string][]string `json:"conflicts_by,omitempty"`
	Needs       Needs               `json:"needs"`
	Protection  []Protection        `json:"protection"`
	Destroys    Destruction         `json:"destroys"`
	// OutOfBand says that the fault is driven by the agent beside the host, not
	// by the one inside it.
	OutOfBand bool `json:"out_of_band,omitempty"`
	// HostStays says that the host and the agent inside it run on, though the
	// fault destroys unsynced data.
	HostStays bool `json:"host_stays,omitempty"`
	// Machine says that a whole machine is switched, not a host of the lab: the
	// policy of the host that acts must allow it (allow_machine_power).
	Machine bool `json:"machine,omitempty"`
	// Modes are the ways of a fault that has several, by the value of its
	// parameter "mode"; In applies them.
	Modes map[string]Mode `json:"modes,omitempty"`
	// Params is the JSON Schema of the parameters, derived from P.
	Params json.RawMessage `json:"params"`
}

// Mode is in what one way of a fault differs from the others. OutOfBand and
// HostStays stand in place of those of Info.
type Mode struct {
	OutOfBand bool `json:"out_of_band,omitempty"`
	HostStays bool `json:"host_stays,omitempty"`
	Machine   bool `json:"machine,omitempty"`
	// ConflictKeys come to those of Info.
	ConflictKeys []string `json:"conflict_keys,omitempty"`
}

// In is the Info that holds for an injection with these parameters: of the mode
// that they choose, and with the conflict keys of those that are given.
func (i Info) In(params json.RawMessage) Info {
	if m, ok := i.Modes[ModeOf(params)]; ok {
		i.OutOfBand, i.HostStays, i.Machine = m.OutOfBand, m.HostStays, m.Machine
		i.ConflictKeys = slices.Concat(i.ConflictKeys, m.ConflictKeys)
	}
	var given map[string]json.RawMessage
	if json.Unmarshal(params, &given) != nil {
		return i // no parameters
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		i.ConflictKeys = slices.Concat(i.ConflictKeys, i.ConflictsBy[name])
	}
	return i
}

// ModeOf is the mode that parameters choose; "" if they choose none.
func ModeOf(params json.RawMessage) string {
	var chosen struct {
		Mode string `json:"mode"`
	}
	if json.Unmarshal(params, &chosen) != nil {
		return ""
	}
	return chosen.Mode
}

// By says whether an agent that stands beside hosts, or one inside a host, drives
// any way of the fault.
func (i Info) By(outOfBand bool) bool {
	for _, m := range i.Modes {
		if m.OutOfBand == outOfBand {
			return true
		}
	}
	return i.OutOfBand == outOfBand
}

// Conflicts are the knobs that both change: two injections that have one in common
// are refused by the plan if they overlap on one host.
func (i Info) Conflicts(o Info) (keys []string) {
	for _, key := range i.ConflictKeys {
		if slices.Contains(o.ConflictKeys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// AllConflicts are the conflict keys that an injection of the kind may have.
func (i Info) AllConflicts() []string {
	keys := slices.Clone(i.ConflictKeys)
	for _, name := range slices.Sorted(maps.Keys(i.ConflictsBy)) {
		keys = append(keys, i.ConflictsBy[name]...)
	}
	for _, m := range i.Modes {
		keys = append(keys, m.ConflictKeys...)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Needs is what a fault needs to run.
type Needs struct {
	Capabilities []string `json:"capabilities,omitempty"` // names of capabilities(7), e.g. CAP_NET_ADMIN
	Features     []string `json:"features,omitempty"`     // kernel features by the name preflight reports, e.g. bpf-tc
}

// Protection is a layer that ends a fault when the layers above it are gone.
type Protection string

// The protection layers, strongest first.
const (
	ProtectKernelLease Protection = "kernel-lease" // the kernel object carries its own end
	ProtectPluginTimer Protection = "plugin-timer" // the plugin process reverts at its hard end when its agent is gone
	ProtectGuardian    Protection = "guardian"     // the guardian kills, then reverts from the journal
	ProtectJournal     Protection = "journal"      // the next agent start, or revert --all
)

// Destruction is what a fault cannot give back.
type Destruction string

// What a fault may destroy inside its target.
const (
	DestroysNothing      Destruction = "none"
	DestroysConnections  Destruction = "connections"
	DestroysProcesses    Destruction = "processes"
	DestroysUnsyncedData Destruction = "unsynced data" // includes processes and connections
)

// Target says where a fault acts. Empty fields mean the host's own. A Target
// holds data only: no command ever travels in it.
type Target struct {
	Host    string   `json:"host,omitempty"`
	BootID  string   `json:"boot_id,omitempty"` // /proc/sys/kernel/random/boot_id when prepared
	NetNS   NetNS    `json:"netns,omitzero"`
	Cgroups []Cgroup `json:"cgroups,omitempty"`
	Mounts  []string `json:"mounts,omitempty"`
	// Power is the socket of the power controller that switches Host, or the file
	// that says where the management controllers of machines are. Only the acting
	// host's own configuration sets it.
	Power string `json:"power,omitempty"`
	// StateDir is the acting agent's --root: faults refuse to hit the file
	// system that carries it.
	StateDir string `json:"state_dir,omitempty"`
	// Exempt are the peers of the agent's control connection: network faults
	// let TCP to and from them pass, as they do for sshd.
	Exempt []netip.AddrPort `json:"exempt,omitempty"`
	// ExemptNames are the host names by which the agent finds those peers: faults
	// of name resolution refuse them.
	ExemptNames []string `json:"exempt_names,omitempty"`
}

// NetNS identifies a network namespace.
type NetNS struct {
	Path  string `json:"path,omitempty"`
	Inode uint64 `json:"inode,omitempty"` // of the nsfs file, namespaces(7)
}

// Cgroup identifies a control group.
type Cgroup struct {
	Path  string `json:"path"`
	Inode uint64 `json:"inode"`
}

// State is how much of a change is present on the host.
type State string

// The states of a change.
const (
	Absent  State = "absent"
	Partial State = "partial"
	Present State = "present"
)

// Dose is whether a fault takes effect.
type Dose string

// The three doses of a fault.
const (
	NotInForce Dose = "not in force" // the kernel does not hold what was asked
	InForce    Dose = "in force"     // kernel objects read back as asked
	Exercised  Dose = "exercised"    // an independent meter saw the fault act
)

// Measure is one figure with its unit.
type Measure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// Observation is evidence read back from the host.
type Observation struct {
	State    State     `json:"state"`
	Dose     Dose      `json:"dose"`
	Asked    []Measure `json:"asked,omitempty"`
	Achieved []Measure `json:"achieved,omitempty"`
	Detail   string    `json:"detail,omitempty"`
	// Called is what the report calls the fault, if its kind says more or less than
	// what was done.
	Called string `json:"called,omitempty"`
}

// Phase is an instant inside Apply that the plugin reported with Mark.
type Phase struct {
	Name string   `json:"name"`
	At   BootTime `json:"at"`
}

// Applied is what Serve measured around one Apply.
type Applied struct {
	ID    InjectionID `json:"id"`
	At    BootTime    `json:"at"`              // asked start
	Woke  BootTime    `json:"woke"`            // when the waiting thread ran: Woke - At is the wake error
	Done  BootTime    `json:"done"`            // when Apply returned
	Timer string      `json:"timer"`           // "fifo" or "timer": how the start was waited for
	Phase []Phase     `json:"phase,omitempty"` // in order
	Err   *Error      `json:"error,omitempty"` // of this item only
}
