package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// describe fills in what a stage hits, destroys and cuts off.
func (b *builder) describe(stage int) {
	s := &b.Stages[stage]
	s.Unattended = time.Duration(b.exp.Stages[stage].Unattended)
	lost := map[fault.Destruction][]string{}
	for _, i := range b.Injections {
		if i.Stage != s.Name {
			continue
		}
		s.Injections = append(s.Injections, i.ID)
		b.hit[stage][i.Host] = true
		info := b.infos[i.Kind].In(i.Params)
		if info.Destroys != "" && info.Destroys != fault.DestroysNothing && !slices.Contains(lost[info.Destroys], i.Host) {
			lost[info.Destroys] = append(lost[info.Destroys], i.Host)
		}
		if cutsControl(info) && !slices.Contains(s.CutsControl, i.Host) {
			s.CutsControl = append(s.CutsControl, i.Host)
		}
	}
	for _, what := range []fault.Destruction{fault.DestroysUnsyncedData, fault.DestroysProcesses, fault.DestroysConnections} {
		if hosts := lost[what]; len(hosts) > 0 {
			s.Destroys = append(s.Destroys, fmt.Sprintf("%s on %s", what, strings.Join(hosts, ", ")))
		}
	}
	s.Blast = b.blast(b.hit[stage])
}

// cutsControl says whether a fault takes down the agent that carries it: it is
// driven from inside the host, and the host goes down. Network faults leave the
// control connection alone, whatever they are told.
func cutsControl(info fault.Info) bool {
	return !info.OutOfBand && !info.HostStays && info.Destroys == fault.DestroysUnsyncedData
}

// blast counts the hit hosts of all, and of each site, rack and direct power
// source that has one.
func (b *builder) blast(hit map[string]bool) []Blast {
	var order []string
	count := map[string]*Blast{}
	for _, h := range b.inv.Targets() {
		for _, domain := range domains(h) {
			if count[domain] == nil {
				count[domain] = &Blast{Domain: domain}
				order = append(order, domain)
			}
			count[domain].Of++
			if hit[h.Name] {
				count[domain].Hit++
			}
		}
	}
	slices.SortStableFunc(order, func(a, c string) int { return rank(a) - rank(c) })
	var out []Blast
	for _, domain := range order {
		if domain == "all" || count[domain].Hit > 0 {
			out = append(out, *count[domain])
		}
	}
	return out
}

func domains(h inventory.Host) []string {
	out := []string{"all", "site:" + h.Site, "rack:" + h.Rack}
	for _, feed := range h.Feeds {
		out = append(out, "power:"+feed)
	}
	return out
}

func rank(domain string) int {
	kind, _, _ := strings.Cut(domain, ":")
	return slices.Index([]string{"all", "site", "rack", "power"}, kind)
}

// refuseConflicts refuses two faults at one time on one knob of one host.
func (b *builder) refuseConflicts() {
	for n, i := range b.Injections {
		for _, o := range b.Injections[n+1:] {
			if i.Host != o.Host || i.Until <= o.From || o.Until <= i.From {
				continue
			}
			theirs := b.infos[o.Kind].In(o.Params).ConflictKeys
			for _, key := range b.infos[i.Kind].In(i.Params).ConflictKeys {
				if slices.Contains(theirs, key) {
					b.errorf("%s (%s to %s) and %s (%s to %s) both change %q of %s; move or drop one: %w",
						i.ID, i.From, i.Until, o.ID, o.From, o.Until, key, i.Host, ErrRefused)
				}
			}
		}
	}
}

// refuseLimits refuses a blast radius over the experiment's own limits.
func (b *builder) refuseLimits() {
	l := b.exp.Limits
	targets := b.inv.Targets()
	most := len(targets)
	if l.Hosts > 0 {
		most = min(most, l.Hosts)
	}
	if l.Share > 0 {
		most = min(most, inventory.Count(l.Share, len(targets)))
	}
	for _, s := range b.Stages {
		hosts := b.hitAt(s)
		if len(hosts) > most {
			b.errorf("stage %s: %d hosts are hit at %s (%s), limits allow %d: %w", s.Name, len(hosts), s.At, strings.Join(hosts, ", "), most, ErrRefused)
		}
	}
	for _, i := range b.Injections {
		h, _ := b.inv.Host(i.Host)
		if len(l.Sites) > 0 && !slices.Contains(l.Sites, h.Site) {
			b.errorf("%s: site %s is not among the limits' sites (%s): %w", i.ID, h.Site, strings.Join(l.Sites, ", "), ErrRefused)
		}
	}
}

// hitAt lists the hosts with a live injection just after a stage begins. The
// number only rises when a stage begins.
func (b *builder) hitAt(s Stage) (hosts []string) {
	for _, i := range b.Injections {
		if i.From <= s.At && s.At < i.Until && !slices.Contains(hosts, i.Host) {
			hosts = append(hosts, i.Host)
		}
	}
	return hosts
}

// refuseUnattended refuses a stage that cuts its own control path in silence.
func (b *builder) refuseUnattended() {
	for _, s := range b.Stages {
		if len(s.CutsControl) > 0 && s.Unattended == 0 {
			b.errorf("stage %s cuts off the agents that carry it (%s): say unattended: <how long they may go on alone>: %w",
				s.Name, strings.Join(s.CutsControl, ", "), ErrRefused)
		}
	}
}
