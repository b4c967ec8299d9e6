// Package evidence holds the one type in which everything that happened is
// recorded: on the host, in the clients and in the injector. Evidence goes one
// way: kernel, Observe, Event, run log, report.
package evidence

import (
	"encoding/json"
	"time"
)

// Source is who saw an event.
type Source string

// The sources of evidence.
const (
	FromInjector Source = "injector"
	FromAgent    Source = "agent"
	FromGuardian Source = "guardian"
	FromClients  Source = "clients"
	FromLab      Source = "lab"
)

// Type says what happened. The run log holds one Event a line.
type Type string

// The types of events.
const (
	RunStarted      Type = "run-started"
	RunEnded        Type = "run-ended"
	LayoutStarted   Type = "layout-started"
	LayoutEnded     Type = "layout-ended"
	LabUp           Type = "lab-up"
	LabDown         Type = "lab-down"
	AgentConnected  Type = "agent-connected"
	AgentLost       Type = "agent-lost"
	HypothesisHeld  Type = "hypothesis-held"
	HypothesisBroke Type = "hypothesis-broke"
	StageStarted    Type = "stage-started"
	StageRestored   Type = "stage-restored"
	RunbookStep     Type = "runbook-step"
	Prepared        Type = "prepared" // journaled, nothing changed yet
	Armed           Type = "armed"
	AppliedFault    Type = "applied"  // Data: fault.Applied
	Observed        Type = "observed" // Data: fault.Observation
	Renewed         Type = "renewed"
	Reverted        Type = "reverted"
	Gone            Type = "target-gone"
	Stuck           Type = "stuck"
	EndedByPower    Type = "ended-by-powerloss"
	LeaseExpired    Type = "lease-expired"
	TookOver        Type = "guardian-took-over"
	LeftOut         Type = "left-out" // a missing host, or an optional fault, that the run goes on without
	Refused         Type = "refused"
	Failed          Type = "failed"
	Halted          Type = "halted"
	HostPowered     Type = "host-powered" // a lab host is on again
	HostDigest      Type = "host-digest"
	Residue         Type = "residue"
	Foreign         Type = "foreign-change"
	OutageBegan     Type = "outage-began"
	OutageEnded     Type = "outage-ended"
	ClientsLate     Type = "clients-late"
	Surged          Type = "surged"       // more people than usual came
	PeopleMoved     Type = "people-moved" // to the rival, or back
	Note            Type = "note"
)

// Event is one thing that happened, seen by one source on one host.
type Event struct {
	Wall time.Time `json:"wall"` // CLOCK_REALTIME of the source
	// Run is the run the event belongs to; an agent takes it from the command
	// or the journal. Empty: the run that commanded the agent last.
	Run       string          `json:"run,omitempty"`
	Boot      int64           `json:"boot_ns"`            // CLOCK_BOOTTIME of the source, ns
	Incident  string          `json:"incident,omitempty"` // T+93m, when the injector logs it
	Source    Source          `json:"source"`
	Host      string          `json:"host,omitempty"` // the host it is about
	Agent     string          `json:"agent,omitempty"`
	Type      Type            `json:"type"`
	Layout    string          `json:"layout,omitempty"`
	Stage     string          `json:"stage,omitempty"`
	Injection string          `json:"injection,omitempty"`
	Fault     string          `json:"fault,omitempty"`   // the kind
	Message   string          `json:"message,omitempty"` // one line for people
	Data      json.RawMessage `json:"data,omitempty"`
}

// Takeover is the Data of a TookOver event.
type Takeover struct {
	Live int `json:"live"` // injections that were live; of none nothing was lost
}
