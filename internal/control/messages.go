// Package control carries commands from the injector to host agents and
// evidence back, over NATS. The broker is only a carrier: every command is
// signed and checked against a key pinned on the host.
package control

import (
	"encoding/json"
	"time"

	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Verb is what a command asks of an agent.
type Verb string

// The verbs, in the order of an injection's life. Halt and Revert are accepted
// whatever their age, policy or freeze window: they can only make a host safer.
const (
	VerbPrepare Verb = "prepare" // PrepareRequest -> PrepareReply: plugin started, record journaled, nothing changed
	VerbArm     Verb = "arm"     // ArmRequest -> ArmReply: start translated to CLOCK_BOOTTIME
	VerbFire    Verb = "fire"    // FireRequest -> Ack: the armed injections go at their instant
	VerbObserve Verb = "observe" // InjectionsRequest -> ObserveReply
	VerbRenew   Verb = "renew"   // RenewRequest -> Ack
	VerbRevert  Verb = "revert"  // InjectionsRequest -> RevertReply
	VerbHalt    Verb = "halt"    // HaltRequest, or no body -> RevertReply: revert all of this agent's injections
	VerbStatus  Verb = "status"  // no body -> StatusReply
	VerbDigest  Verb = "digest"  // DigestRequest -> DigestReply: the host as it is now
)

// Command is what is signed. Body holds the request of its verb.
type Command struct {
	ID         string          `json:"id"`          // unique; remembered by the agent until NotAfter
	Run        string          `json:"run"`         // run id
	PlanDigest string          `json:"plan_digest"` // the plan this command belongs to
	Agents     []string        `json:"agents"`      // names of the agents it is meant for
	Issued     time.Time       `json:"issued"`
	NotAfter   time.Time       `json:"not_after"`
	Verb       Verb            `json:"verb"`
	Body       json.RawMessage `json:"body,omitempty"`
}

// Injection is one fault on one host, as ordered from an agent.
type Injection struct {
	ID     fault.InjectionID `json:"id"`
	Kind   fault.Kind        `json:"kind"`
	Host   string            `json:"host"` // the agent resolves it to a Target with its own configuration
	Stage  string            `json:"stage"`
	Params json.RawMessage   `json:"params"`
}

// PrepareRequest asks an agent to start plugins and journal change records.
type PrepareRequest struct {
	Injections []Injection `json:"injections"`
}

// PrepareReply has one result an injection, in order.
type PrepareReply struct {
	Results []Result `json:"results"`
}

// Result is the outcome of one step for one injection.
type Result struct {
	ID    fault.InjectionID `json:"id"`
	Error *fault.Error      `json:"error,omitempty"`
}

// ArmRequest sets start and hard end of prepared injections, in wall time. The
// agent translates both to CLOCK_BOOTTIME at once, so that a clock step moves
// nothing.
type ArmRequest struct {
	IDs   []fault.InjectionID `json:"ids"`
	At    time.Time           `json:"at"`
	End   time.Time           `json:"end"`   // hard end; the agent's policy may cap it by refusing
	Lease time.Duration       `json:"lease"` // renewed by VerbRenew; zero: the agent's default
	// Unattended is how long the injection may go without a renewal because its
	// stage cuts its own control path. Zero: never.
	Unattended time.Duration `json:"unattended,omitempty"`
}

// ArmReply says how the agent translated the start.
type ArmReply struct {
	Results []Result       `json:"results"`
	At      fault.BootTime `json:"at"`
	Now     time.Time      `json:"now"` // the agent's wall clock, for the offset
}

// FireRequest lets armed injections go at the instant they were armed for.
type FireRequest struct {
	IDs []fault.InjectionID `json:"ids"`
}

// InjectionsRequest names injections.
type InjectionsRequest struct {
	IDs []fault.InjectionID `json:"ids"`
}

// RenewRequest extends the lease of live injections.
type RenewRequest struct {
	IDs   []fault.InjectionID `json:"ids"`
	Lease time.Duration       `json:"lease"`
}

// Ack answers a command without result of its own.
type Ack struct {
	Results []Result `json:"results,omitempty"`
}

// ObserveReply has one observation an injection.
type ObserveReply struct {
	Observed []Observed `json:"observed"`
}

// Observed is an injection's state in the journal and in the kernel.
type Observed struct {
	ID          fault.InjectionID `json:"id"`
	Phase       string            `json:"phase"` // of the journal: intent, applied, reverted, gone, stuck, ended-by-powerloss
	Applied     *fault.Applied    `json:"applied,omitempty"`
	Observation fault.Observation `json:"observation"`
	Error       *fault.Error      `json:"error,omitempty"`
}

// HaltRequest names who halts when it is not the run's own injector, which then
// is told of it by the agent and halts the run.
type HaltRequest struct {
	By string `json:"by"`
}

// RevertReply has one result an injection, with how it ended.
type RevertReply struct {
	Ended []Ended `json:"ended"`
}

// Ended says how an injection ended.
type Ended struct {
	ID    fault.InjectionID `json:"id"`
	Phase string            `json:"phase"` // reverted, gone, stuck, ended-by-powerloss
	Error *fault.Error      `json:"error,omitempty"`
}

// StatusReply is what an agent is and carries.
type StatusReply struct {
	Agent      string                `json:"agent"`
	Hosts      []string              `json:"hosts"` // the hosts it acts on
	Version    string                `json:"version"`
	BootID     string                `json:"boot_id"`
	OutOfBand  bool                  `json:"out_of_band"`
	Kinds      []fault.Kind          `json:"kinds"`
	Missing    map[fault.Kind]string `json:"missing,omitempty"` // kinds it can't do here, and why
	Live       []fault.InjectionID   `json:"live"`
	Guardian   bool                  `json:"guardian"`  // alive
	TookOver   bool                  `json:"took_over"` // an earlier agent process of this run died with live injections
	Now        time.Time             `json:"now"`
	BootTimeNS int64                 `json:"boot_ns"`
}

// DigestRequest asks for the digest of the host.
type DigestRequest struct{}

// DigestReply is the digest of the host: one line an object, sorted.
type DigestReply struct {
	Lines []string `json:"lines"`
	Sum   string   `json:"sum"` // SHA-256 over the lines
}

// Spooled is evidence sent by an agent; Seq lets the injector drop repeats.
type Spooled struct {
	Agent string         `json:"agent"`
	Seq   uint64         `json:"seq"`
	Event evidence.Event `json:"event"`
}
