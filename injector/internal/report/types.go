// Package report turns a finished run into report.json, junit.xml and one
// self-contained report.html. It is pure: it gets the run and returns bytes.
package report

import "time"

// Verdict is whether what was expected held. The worst of a run's layouts wins,
// in the order of the exit codes.
type Verdict string

// The verdicts.
const (
	Held         Verdict = "held"
	Deviated     Verdict = "deviated"
	Inconclusive Verdict = "inconclusive"
)

// Outcome is how the run itself ended.
type Outcome string

// The outcomes.
const (
	Completed   Outcome = "completed"
	Halted      Outcome = "halted"
	Interrupted Outcome = "interrupted"
	RefusedRun  Outcome = "refused"
	FailedRun   Outcome = "failed"
)

// HostState is whether every host was left as it was found.
type HostState string

// The host states.
const (
	Clean   HostState = "clean"
	Residue HostState = "residue"
)

// Run is report.json: everything the page and the exit code are made from.
type Run struct {
	Experiment  string            `json:"experiment"`
	Title       string            `json:"title"`
	ID          string            `json:"id"`
	Verdict     Verdict           `json:"verdict,omitempty"` // empty when refused
	Outcome     Outcome           `json:"outcome"`
	HostState   HostState         `json:"host_state"`
	Reason      string            `json:"reason,omitempty"` // why refused, halted, failed or inconclusive
	Seed        int64             `json:"seed"`
	PlanDigest  string            `json:"plan_digest"`
	Versions    map[string]string `json:"versions"`
	Variables   map[string]any    `json:"variables,omitempty"`
	Command     string            `json:"command"` // reproduces this run
	Started     time.Time         `json:"started"`
	Ended       time.Time         `json:"ended"`
	ClockStart  time.Time         `json:"clock_start,omitzero"` // of the incident
	Layouts     []Layout          `json:"layouts"`
	AsPredicted *bool             `json:"as_predicted,omitempty"`
}

// Layout is the result of one layout.
type Layout struct {
	Name        string    `json:"name"`
	Verdict     Verdict   `json:"verdict,omitempty"`
	Outcome     Outcome   `json:"outcome"`
	HostState   HostState `json:"host_state"`
	Reasons     []string  `json:"reasons,omitempty"`
	Predicted   Predicted `json:"predicted"`
	Failed      []string  `json:"failed"` // <probe|ledger>.<field>
	PlanDigest  string    `json:"plan_digest"`
	Pace        []Stretch `json:"pace"`
	Expect      []Judged  `json:"expect"`
	Compare     []Compare `json:"compare"`
	Stages      []Stage   `json:"stages"`
	Runbook     []Step    `json:"runbook"`
	Faults      []Fault   `json:"faults"`
	Probes      []Probe   `json:"probes"`
	Ledgers     []Ledger  `json:"ledgers"`
	Loads       []Load    `json:"loads,omitempty"`
	Hosts       []Host    `json:"hosts"`
	Steady      []Steady  `json:"steady"`          // the hypothesis after the last revert
	Late        []Span    `json:"late,omitempty"`  // wall time in which the clients were late
	FirstStageS float64   `json:"first_stage_s"`   // wall, from T0: judged from here
	RevertedS   float64   `json:"last_reverted_s"` // wall, from T0: availability is judged up to here
	EndS        float64   `json:"end_s"`           // wall, from T0: the last sample
	ResidueDiff []string  `json:"residue,omitempty"`
	ForeignDiff []string  `json:"foreign,omitempty"`
	Findings    []string  `json:"findings,omitempty"`     // what services reported, e.g. why a controller could not promote
	Missing     []string  `json:"missing,omitempty"`      // hosts whose agent did not answer, as far as the file allows it
	NotInjected []string  `json:"not_injected,omitempty"` // optional faults that a host cannot do, and why
}

// Stretch is one piece of the clock: incident seconds against wall seconds from T0.
type Stretch struct {
	FromIncidentS float64 `json:"from_incident_s"`
	ToIncidentS   float64 `json:"to_incident_s"`
	FromWallS     float64 `json:"from_wall_s"`
	ToWallS       float64 `json:"to_wall_s"`
}

// Predicted is what the file predicted.
type Predicted struct {
	Verdict Verdict  `json:"verdict,omitempty"`
	Failed  []string `json:"failed"`
	Reason  string   `json:"reason,omitempty"`
	Match   bool     `json:"match"`
}

// Judged is one expectation and what was measured.
type Judged struct {
	Name   string `json:"name"` // <probe|ledger>.<field>
	Limit  string `json:"limit"`
	Got    string `json:"got"`
	OK     bool   `json:"ok"`
	Doubt  string `json:"doubt,omitempty"`  // why it can be judged neither way; OK is false then
	Reason string `json:"reason,omitempty"` // the file's
}

// Steady is the hypothesis of one probe after the last revert.
type Steady struct {
	Probe  string `json:"probe"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"` // why not
}

// Span is a stretch of wall time in seconds from T0.
type Span [2]float64

// Compare is a figure of the incident beside ours. Replayed and measured are
// kept apart: gated is incident time, own is wall time.
type Compare struct {
	Probe          string   `json:"probe"`
	Name           string   `json:"name"`
	HappenedS      float64  `json:"happened_s"`
	GatedIncidentS float64  `json:"gated_incident_s"`
	OwnWallS       *float64 `json:"own_wall_s"` // null: never came back
	Source         string   `json:"source"`
}

// Stage is when a stage was due and when it was done.
type Stage struct {
	Name      string   `json:"name"`
	IncidentS float64  `json:"incident_s"`
	WallS     float64  `json:"wall_s"` // from T0
	Source    string   `json:"source,omitempty"`
	Note      string   `json:"note,omitempty"`
	Hosts     []string `json:"hosts"`
}

// Step is a replayed runbook step.
type Step struct {
	Name      string  `json:"name"`
	IncidentS float64 `json:"incident_s"`
	WallS     float64 `json:"wall_s"`
	Source    string  `json:"source,omitempty"`
	OK        bool    `json:"ok"`
	Output    string  `json:"output,omitempty"`
}

// Fault is one injection: what was asked, what the meter saw, how it ended.
type Fault struct {
	ID           string  `json:"id"`
	Kind         string  `json:"kind"`
	Host         string  `json:"host"`
	Stage        string  `json:"stage"`
	Asked        string  `json:"asked"`
	Achieved     string  `json:"achieved"`
	Detail       string  `json:"detail,omitempty"` // what the plugin says besides, e.g. what its way of doing it cannot do
	State        string  `json:"state"`            // exercised, in force, not in force
	Ended        string  `json:"ended"`            // reverted, gone, stuck, ended-by-powerloss
	FromWallS    float64 `json:"from_wall_s"`
	ToWallS      float64 `json:"to_wall_s"`
	WakeErrorMS  float64 `json:"wake_error_ms"`
	EffectSkewMS float64 `json:"effect_skew_ms"` // against the first host of the same stage
	Timer        string  `json:"timer"`
	Error        string  `json:"error,omitempty"`
}

// Probe is one probe over the whole layout.
type Probe struct {
	Name         string   `json:"name"`
	Availability float64  `json:"availability"` // 0..1, between first stage and last revert, late windows left out
	P99MS        float64  `json:"p99_ms"`
	Samples      int      `json:"samples"`
	LateS        float64  `json:"late_s"` // wall time in which the clients were late: inconclusive
	Outages      []Outage `json:"outages"`
	Curve        []Point  `json:"curve"` // one point a bucket
}

// Outage is one stretch without success.
type Outage struct {
	FromIncidentS  float64  `json:"from_incident_s"`
	FromWallS      float64  `json:"from_wall_s"`
	ToWallS        *float64 `json:"to_wall_s"` // null: still down at the end
	From           string   `json:"from"`      // T+3m5s
	GatedIncidentS float64  `json:"gated_incident_s"`
	Gate           string   `json:"gate"` // none, power, runbook
	GateDetail     string   `json:"gate_detail,omitempty"`
	OwnWallS       *float64 `json:"own_wall_s"` // null: still down at the end
	// The clients were late just before it began, or just before it ended: it may
	// have begun, or ended, by so much wall time earlier.
	UnsureBeforeS float64 `json:"unsure_before_s,omitempty"`
	UnsureAfterS  float64 `json:"unsure_after_s,omitempty"`
}

// Point is one bucket of a probe's curve.
type Point struct {
	WallS        float64 `json:"t"`
	Availability float64 `json:"a"`
	P99MS        float64 `json:"p"`
}

// Ledger is what became of the numbered writes.
type Ledger struct {
	Name         string         `json:"name"`
	Sent         int            `json:"sent"`
	Acknowledged int            `json:"acknowledged"`
	Missing      int            `json:"missing"`    // acknowledged, not in the active store
	Elsewhere    int            `json:"elsewhere"`  // of these on another site's disk
	Lost         int            `json:"lost"`       // nowhere
	Duplicated   int            `json:"duplicated"` // numbers the active store returns more than once
	OutOfOrder   int            `json:"out_of_order"`
	Unknown      int            `json:"unknown"` // timed out: may or may not be stored
	UnknownKept  int            `json:"unknown_stored"`
	Unaccounted  int            `json:"unaccounted"` // missing, and a disk that may hold it could not be read
	Refused      int            `json:"refused"`     // never sent, or turned down
	RefusedKept  int            `json:"refused_stored"`
	Unexpected   int            `json:"unexpected"`           // stored, but never sent
	Unreadable   []string       `json:"unreadable,omitempty"` // sites that could not be read back
	Sites        map[string]int `json:"sites,omitempty"`      // distinct numbers on each site's disk
	Curve        []LedgerPoint  `json:"curve,omitempty"`
}

// LedgerPoint is one second of a ledger.
type LedgerPoint struct {
	WallS        float64 `json:"t"`
	Sent         int     `json:"s"` // writes begun in this second
	Acknowledged int     `json:"a"` // of these
}

// Load is traffic that is offered and not judged: how many users asked, how many
// were answered, and how many had gone to a rival meanwhile.
type Load struct {
	Name      string      `json:"name"`
	Users     int         `json:"users"`
	Requests  int         `json:"requests"` // at home, retries included
	Answered  int         `json:"answered"` // of these, as expected
	Rival     int         `json:"rival_requests,omitempty"`
	RivalOK   int         `json:"rival_answered,omitempty"`
	PeakS     float64     `json:"peak_wall_s"` // when the most requests came in one second
	PeakRate  int         `json:"peak_rate"`   // requests in that second
	MostMoved int         `json:"most_moved"`  // users at the rival at once
	P99MS     float64     `json:"p99_ms"`      // of the answered ones
	Curve     []LoadPoint `json:"curve"`
	Surges    []Surge     `json:"surges,omitempty"`
}

// Surge is a stretch of wall time in which more users than usual came.
type Surge struct {
	FromWallS float64 `json:"from_wall_s"`
	ToWallS   float64 `json:"to_wall_s"`
	Times     float64 `json:"times"`
	Source    string  `json:"source,omitempty"`
}

// LoadPoint is one second of a load.
type LoadPoint struct {
	WallS    float64 `json:"t"`
	Requests int     `json:"r"`
	Answered int     `json:"a"`
	Moved    int     `json:"m,omitempty"` // users at the rival at the end of the second
}

// Host is one host for the map of racks.
type Host struct {
	Name  string       `json:"name"`
	Site  string       `json:"site"`
	Rack  string       `json:"rack"`
	Roles []string     `json:"roles,omitempty"`
	Dark  [][2]float64 `json:"dark,omitempty"` // wall seconds from T0
}
