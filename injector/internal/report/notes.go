package report

import "slices"

// note is something a reader must know before believing the figures.
type note struct {
	Layouts []string
	What    string
	Items   []string
}

// notes are what was missing, not injected, in doubt or left behind; the same
// note of several layouts is one.
func notes(run *Run) []note {
	var out []note
	add := func(layout, what string, items []string) {
		if len(items) == 0 {
			return
		}
		for i, n := range out {
			if n.What == what && slices.Equal(n.Items, items) {
				out[i].Layouts = append(out[i].Layouts, layout)
				return
			}
		}
		out = append(out, note{[]string{layout}, what, items})
	}
	if run.Reason != "" {
		out = append(out, note{nil, "the run", []string{run.Reason}})
	}
	for _, l := range run.Layouts {
		add(l.Name, "why there is no plain verdict", l.Reasons)
		add(l.Name, "not left as found", l.ResidueDiff)
		add(l.Name, "hosts whose agent did not answer", l.Missing)
		add(l.Name, "faults that were not injected", l.NotInjected)
		add(l.Name, "faults that did not take effect as asked", weak(l.Faults))
		add(l.Name, "can be judged neither way", doubts(l.Expect))
		add(l.Name, "changes on the hosts that are not ours", l.ForeignDiff)
	}
	return out
}

func doubts(expect []Judged) []string {
	var out []string
	for _, j := range expect {
		if j.Doubt != "" {
			out = append(out, j.Name+": "+j.Doubt)
		}
	}
	return out
}

// weak are the faults that the meter did not see in force, or that ended badly.
func weak(faults []Fault) []string {
	var out []string
	for _, f := range faults {
		name := f.Kind + " on " + f.Host + " (" + f.Stage + ")"
		switch {
		case f.State == "not in force":
			out = append(out, name+": not in force")
		case f.Ended == "stuck":
			out = append(out, name+": stuck, somebody else changed the same thing")
		}
	}
	return out
}
