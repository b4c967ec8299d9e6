package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// An outage may be due to a stage that acts on hosts if it began so shortly before
// it, with a request that was on its way, or after it, in seconds of wall time.
const (
	onItsWay = 1.5 // the longest timeout of the fire's probes
	soon     = 3.0
)

// busyHost returns the page of one run in which a host of the lab used all the
// CPU it could get, and an error if an outage began that no stage accounts for.
func busyHost(paths []string, a about) (string, error) {
	all, err := drills(paths)
	if err != nil {
		return "", err
	}
	if len(all) != 1 || len(all[0].Layouts) != 1 {
		return "", fmt.Errorf("read runs: %d found; give one, of one layout", len(all))
	}
	d, l := all[0], all[0].Layouts[0]
	wrong := l.unaccounted()
	var s strings.Builder
	fmt.Fprintf(&s, "# A busy host\n\nWritten by `make busy-host`: the data-centre fire in the layout %s, while one host of the lab runs a loop on each CPU and more "+
		"(`superapp burn --threads=4` on c6, where no probe's service stands). What the clients did late is listed and left out; it is never an outage.\n\n", l.Name)
	fmt.Fprintf(&s, "* Commit: %s\n* Machine: %s\n* Reproduce: `make busy-host`\n* Verdict: %s; hosts: %s\n", commits(all), a.machine(), l.ending(), l.HostState)
	for _, r := range l.Reasons {
		s.WriteString("* Because: " + r + "\n")
	}
	fmt.Fprintf(&s, "* Clients late: %s\n* Outages that no stage accounts for: %d\n", l.lateSpans(), len(wrong))
	for _, w := range wrong {
		s.WriteString("  * **" + w + "**\n")
	}
	s.WriteString("\n| Stage that acts on hosts | At (wall time) |\n|---|---:|\n")
	for _, at := range l.acting() {
		fmt.Fprintf(&s, "| %s | %.1f s |\n", at.Name, at.WallS)
	}
	s.WriteString("\n| Service | Dark from | until | Waited for | Availability | p99 |\n|---|---:|---:|---|---:|---:|\n")
	for _, p := range l.Probes {
		s.WriteString(p.rows())
	}
	s.WriteString("\n" + times(all, l.Name))
	switch {
	case len(wrong) > 0:
		err = errors.New("outages that no stage accounts for:\n  " + strings.Join(wrong, "\n  "))
	case d.HostState != "clean":
		err = fmt.Errorf("the hosts are not as they were found: %s", d.HostState)
	}
	return s.String(), err
}

// acting are the stages that acted on hosts.
func (l *layout) acting() (out []stage) {
	for _, s := range l.Stages {
		if len(s.Hosts) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// unaccounted are the outages that did not begin with a stage.
func (l *layout) unaccounted() (out []string) {
	for _, p := range l.Probes {
		for _, o := range p.Outages {
			if !slices.ContainsFunc(l.acting(), func(s stage) bool { return o.FromWallS >= s.WallS-onItsWay && o.FromWallS <= s.WallS+soon }) {
				out = append(out, fmt.Sprintf("%s, dark from %.1f s of wall time", p.Name, o.FromWallS))
			}
		}
	}
	return out
}

// lateSpans says how long the clients were late in all, and when.
func (l *layout) lateSpans() string {
	if len(l.Late) == 0 {
		return "never"
	}
	var spans []string
	for _, s := range l.Late {
		spans = append(spans, fmt.Sprintf("%.2f to %.2f", s[0], s[1]))
	}
	return fmt.Sprintf("%.2f s in all; from %s s of wall time", l.late(), strings.Join(spans, ", "))
}

// rows are the probe's lines of the table, one an outage.
func (p probe) rows() (s string) {
	tail := fmt.Sprintf("%s | %s |\n", percent(p.Availability), spread{orNone(p.P99MS)}.cell(milliseconds))
	if len(p.Outages) == 0 {
		return fmt.Sprintf("| %s | – | – | – | %s", p.Name, tail)
	}
	for _, o := range p.Outages {
		until := "never came back"
		if o.ToWallS != nil {
			until = seconds(*o.ToWallS)
		}
		s += fmt.Sprintf("| %s | %s | %s | %s | %s", p.Name, seconds(o.FromWallS), until, o.Gate, tail)
	}
	return s
}
