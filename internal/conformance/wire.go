package conformance

import (
	"encoding/json"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// op is what the stand-in of an agent is asked to do.
type op string

const (
	opLaunch   op = "launch"
	opKill     op = "kill"   // the plugin, at request.At
	opSignal   op = "signal" // the plugin gets request.Signal
	opDescribe op = "describe"
	opPrepare  op = "prepare"
	opApply    op = "apply"
	opCancel   op = "cancel" // the request whose number is request.Cancel
	opObserve  op = "observe"
	opRevert   op = "revert"
)

// launchRequest says which plugin is started, and with what.
type launchRequest struct {
	Kind         fault.Kind `json:"kind"`
	Path         string     `json:"path"`
	Args         []string   `json:"args,omitempty"`
	Confined     bool       `json:"confined,omitempty"`
	Capabilities []string   `json:"capabilities,omitempty"`
}

// request is one line to the stand-in. Requests are answered as they end, not
// in order.
type request struct {
	Seq    uint64          `json:"seq"`
	Op     op              `json:"op"`
	Launch *launchRequest  `json:"launch,omitempty"`
	Signal int             `json:"signal,omitempty"`
	Cancel uint64          `json:"cancel,omitempty"`
	Target fault.Target    `json:"target,omitzero"`
	Params []byte          `json:"params,omitempty"` // may be no JSON
	Change json.RawMessage `json:"change,omitempty"`
	Items  []fault.RawItem `json:"items,omitempty"`
	At     fault.BootTime  `json:"at,omitempty"`
	Until  fault.BootTime  `json:"until,omitempty"`
}

// reply is one line of the stand-in's answer.
type reply struct {
	Seq         uint64            `json:"seq"`
	PID         int               `json:"pid,omitempty"`
	Start       uint64            `json:"start,omitempty"`
	Info        fault.Info        `json:"info,omitzero"`
	Change      json.RawMessage   `json:"change,omitempty"`
	Applied     []fault.Applied   `json:"applied,omitempty"`
	Observation fault.Observation `json:"observation,omitzero"`
	Error       *fault.Error      `json:"error,omitempty"`
}
