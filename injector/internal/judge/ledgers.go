package judge

import (
	"fmt"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// expectLedger judges the limits on one ledger's writes.
func (l *layout) expectLedger(e experiments.Expectation) []report.Judged {
	a, known := l.audit(e.Ledger)
	if !known {
		return []report.Judged{{Name: e.Ledger, Doubt: "the ledger was not audited"}}
	}
	var lines []report.Judged
	// atMost judges a count that could be higher by hidden, which could not be read.
	atMost := func(field string, limit *experiments.CountLimit, got, hidden int) {
		if limit == nil {
			return
		}
		j := report.Judged{Name: e.Ledger + "." + field, Limit: fmt.Sprintf("at most %d", limit.Max), Got: fmt.Sprint(got), OK: got <= limit.Max}
		if j.OK && got+hidden > limit.Max {
			j.OK, j.Doubt = false, "not read back: "+strings.Join(a.Unreadable, "; ")
		}
		lines = append(lines, j)
	}
	unread := 0
	if a.ActiveUnread {
		unread = a.Acknowledged
	}
	atMost("lost", e.Lost, a.Lost, a.Unaccounted)
	atMost("missing", e.Missing, readable(a.Missing, unread), unread)
	atMost("duplicated", e.Duplicated, a.Duplicated, unread)
	atMost("unaccounted", e.Unaccounted, a.Unaccounted, 0)
	return lines
}

// readable is got, or nothing when it rests on a store that was not read.
func readable(got, unread int) int {
	if unread > 0 {
		return 0
	}
	return got
}

func (l *layout) audit(name string) (ledger.Audit, bool) {
	for _, a := range l.in.Audits {
		if a.Name == name {
			return a, true
		}
	}
	return ledger.Audit{}, false
}

func reportLedger(a ledger.Audit) report.Ledger {
	return report.Ledger{
		Name: a.Name, Sent: a.Sent, Acknowledged: a.Acknowledged,
		Missing: a.Missing, Elsewhere: a.Elsewhere, Lost: a.Lost, Unaccounted: a.Unaccounted,
		Duplicated: a.Duplicated, OutOfOrder: a.OutOfOrder,
		Unknown: a.Unknown, UnknownKept: a.UnknownKept,
		Refused: a.Refused, RefusedKept: a.RefusedKept, Unexpected: a.Unexpected,
		Unreadable: a.Unreadable, Sites: a.Sites,
	}
}

// ledgerCurve counts a ledger's writes by the second they were begun in, from T0
// to the last one; a second without any is there with none.
func (l *layout) ledgerCurve(name string) []report.LedgerPoint {
	var out []report.LedgerPoint
	for _, w := range l.in.Writes[name] {
		at := l.wall(w.Start)
		if at < 0 {
			continue // before the incident
		}
		for second := int(at / time.Second); len(out) <= second; {
			out = append(out, report.LedgerPoint{WallS: float64(len(out))})
		}
		p := &out[int(at/time.Second)]
		p.Sent++
		if w.State == ledger.Acknowledged {
			p.Acknowledged++
		}
	}
	return out
}
