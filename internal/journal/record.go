package journal

import (
	"encoding/json"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Phase is how far an injection has come.
type Phase string

// The phases of an injection. Only Intent and Applied are live.
const (
	Intent           Phase = "intent"   // recorded; the host may or may not have been changed
	Applied          Phase = "applied"  // the plugin said that the change is made
	Reverted         Phase = "reverted" // undone, and seen to be absent
	Gone             Phase = "gone"     // the target has another identity or none: nothing to undo
	Stuck            Phase = "stuck"    // somebody else changed the same knob: theirs was left
	EndedByPowerloss Phase = "ended-by-powerloss"
)

// Live says whether an injection in this phase may still have to be reverted.
func (p Phase) Live() bool { return p == Intent || p == Applied }

func (p Phase) known() bool {
	switch p {
	case Intent, Applied, Reverted, Gone, Stuck, EndedByPowerloss:
		return true
	}
	return false
}

// By says who recorded the end of an injection.
type By string

// Who may end an injection.
const (
	ByAgent    By = "agent"
	ByGuardian By = "guardian"
	ByStart    By = "start"  // the next start of the agent
	ByRevert   By = "revert" // hostagent revert --all
)

// Record is one line of the journal. An Intent carries everything that Revert
// needs; later records of the same injection carry what is new.
type Record struct {
	Wall     time.Time         `json:"wall"`
	Phase    Phase             `json:"phase"`
	ID       fault.InjectionID `json:"id"`
	By       By                `json:"by,omitempty"`
	Contract int               `json:"contract,omitempty"` // fault.ContractVersion at Prepare
	Plugin   string            `json:"plugin,omitempty"`   // version of the plugin that prepared
	Kind     fault.Kind        `json:"kind,omitempty"`
	Program  *Program          `json:"program,omitempty"` // nil: the plugin is built in
	Run      string            `json:"run,omitempty"`
	Stage    string            `json:"stage,omitempty"`
	BootID   string            `json:"boot_id,omitempty"` // of the acting agent's host
	Target   *fault.Target     `json:"target,omitempty"`
	Change   json.RawMessage   `json:"change,omitempty"`
	End      fault.BootTime    `json:"end,omitempty"` // hard end
	Lease    time.Duration     `json:"lease,omitempty"`
	Applied  *fault.Applied    `json:"applied,omitempty"`
	Error    *fault.Error      `json:"error,omitempty"`
}

// Program pins the executable of a plugin that is not built in: the one that
// prepared an injection is the one that reverts it.
type Program struct {
	Path         string   `json:"path"`   // absolute
	SHA256       string   `json:"sha256"` // hexadecimal
	Capabilities []string `json:"capabilities,omitempty"`
}

// again says whether n begins a new life of an injection that has ended. The same
// experiment gives its injections the same ids in every run; in one run an end is
// final.
func (r *Record) again(n Record) bool { return n.Phase == Intent && !r.Phase.Live() && n.Run != r.Run }

// merge adds the news of a later record.
func (r *Record) merge(n Record) {
	r.Wall, r.Phase = n.Wall, n.Phase
	if n.By != "" {
		r.By = n.By
	}
	if n.End != 0 {
		r.End, r.Lease = n.End, n.Lease
	}
	if n.Applied != nil {
		r.Applied = n.Applied
	}
	if n.Error != nil {
		r.Error = n.Error
	}
}
