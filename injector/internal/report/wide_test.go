package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// widePace is 8 pieces of 5.3 days in 102 seconds.
var widePace = []report.Stretch{
	{FromIncidentS: 0, ToIncidentS: 180, FromWallS: 0, ToWallS: 2},
	{FromIncidentS: 180, ToIncidentS: 5580, FromWallS: 2, ToWallS: 30},
	{FromIncidentS: 5580, ToIncidentS: 36300, FromWallS: 30, ToWallS: 52},
	{FromIncidentS: 36300, ToIncidentS: 69060, FromWallS: 52, ToWallS: 65},
	{FromIncidentS: 69060, ToIncidentS: 108660, FromWallS: 65, ToWallS: 76},
	{FromIncidentS: 108660, ToIncidentS: 312060, FromWallS: 76, ToWallS: 87},
	{FromIncidentS: 312060, ToIncidentS: 344460, FromWallS: 87, ToWallS: 98},
	{FromIncidentS: 344460, ToIncidentS: 462000, FromWallS: 98, ToWallS: 102},
}

// wideService is a probe of the wide run: how long it really was dark, when it
// goes dark, and when people or power bring it back in as-it-was.
type wideService struct {
	name, label  string
	happenedS    float64
	dark, gate   float64 // wall seconds; gate 0: never goes dark
	gated        float64 // incident seconds
	step         string
	aloneSeconds float64 // where software does it by itself; 0: stays up
}

var wideServices = []wideService{
	{"text", "text messages", 36240, 2.03, 52.2, 36473, "step promote-standby", 7.3},
	{"login", "PC login", 68280, 2.04, 64.9, 68582, "step move-login-cache", 7.4},
	{"taxi", "taxi calls", 62280, 2.03, 63, 62581, "step move-taxi", 7.3},
	{"pay", "payments and transfers", 68580, 2.04, 65, 68882, "step move-pay", 7.4},
	{"media", "pictures, videos, files", 108180, 30.1, 76, 103016, "step open-objects", 0},
	{"mail", "mail", 311580, 2.08, 87, 308265, "step open-mailbox", 0},
	{"inbound", "mail from outside", 311580, 30.1, 84.5, 259573, "power back at p9", 0},
	{"channel", "channels", 343980, 2.07, 98, 344347, "step open-subscribers", 7.5},
	{"identity", "", 0, 2.08, 64.9, 68574, "step move-login-cache", 7.4},
	{"bank", "the bank's core", 5580, 2.08, 0, 0, "", 0},
	{"bank-login", "the bank's functions that need a login", 160920, 2.08, 64.9, 68574, "step move-login-cache", 7.3},
}

// wide is a run as large as they get: three layouts, eleven probes, three ledgers,
// a load with surges and a rival, and one thing of each kind that a reader must be
// told of. It is the same at every call.
func wide(t *testing.T) *report.Run {
	t.Helper()
	predicted := true
	run := &report.Run{
		Experiment: "datacenter-fire", Title: "A data centre burns, with everything in it", ID: "20261126-183843-9d6a49",
		Verdict: report.Deviated, Outcome: report.Completed, HostState: report.Residue, Seed: 20221015,
		PlanDigest: strings.Repeat("e311910b", 8), Versions: map[string]string{"go": "go1.26", "injector": "test"},
		Variables: map[string]any{"leader": "p4", "pays": []string{"p7", "a2"}}, AsPredicted: &predicted,
		Command:    "injector run experiments/datacenter-fire --lab --as-predicted",
		Started:    time.Date(2026, 11, 26, 18, 38, 43, 0, time.UTC),
		Ended:      time.Date(2026, 11, 26, 18, 44, 51, 0, time.UTC),
		ClockStart: time.Date(2022, 10, 15, 15, 19, 0, 0, time.FixedZone("", 9*3600)),
	}
	for i, name := range []string{"as-it-was", "tools-everywhere", "stretched"} {
		run.Layouts = append(run.Layouts, wideLayout(i, name))
	}
	return run
}

func wideLayout(i int, name string) report.Layout {
	l := report.Layout{
		Name: name, Verdict: report.Held, Outcome: report.Completed, HostState: report.Clean, PlanDigest: strings.Repeat("28d35a2c", 8),
		Predicted: report.Predicted{Verdict: report.Held, Match: true, Reason: "Nothing waits for people."},
		Pace:      widePace, Stages: wideStages(), Faults: wideFaults(), Hosts: wideHosts(), Loads: []report.Load{wideLoad(i)},
		FirstStageS: 2, RevertedS: 86.8, EndS: 106.3,
		Findings: []string{"p5: controllers run only in pangyo; promotion needs 2 sites that see the failure"},
	}
	for _, s := range wideServices {
		p := wideProbe(i, s)
		l.Probes = append(l.Probes, p)
		l.Steady = append(l.Steady, report.Steady{Probe: s.name, OK: true})
		c := report.Compare{Probe: s.name, Name: s.label, HappenedS: s.happenedS, Source: "until people had moved it (N26)"}
		if len(p.Outages) > 0 {
			c.GatedIncidentS, c.OwnWallS = p.Outages[0].GatedIncidentS, p.Outages[0].OwnWallS
			judged := report.Judged{Name: s.name + ".gated", Limit: "at most 20 min", Got: report.Long(time.Duration(c.GatedIncidentS) * time.Second), OK: c.GatedIncidentS < 1200}
			l.Expect = append(l.Expect, judged)
			if !judged.OK {
				l.Failed = append(l.Failed, judged.Name)
			}
		}
		if s.happenedS > 0 {
			l.Compare = append(l.Compare, c)
		}
	}
	for n, name := range []string{"talk", "transfers", "letters"} {
		g := report.Ledger{Name: name, Sent: 2399, Acknowledged: 1277 + 400*i - 200*n, Unknown: 273, Sites: map[string]int{"anyang": 1277, "pangyo": 1277}}
		for second := range 102 {
			p := report.LedgerPoint{WallS: float64(second), Sent: 20, Acknowledged: 20}
			if second > 2+28*i && second < 52 {
				p.Acknowledged = 0
			}
			g.Curve = append(g.Curve, p)
		}
		if i == 1 && n == 0 {
			g.Missing, g.Elsewhere, g.Lost = 31, 19, 12
		}
		l.Ledgers = append(l.Ledgers, g)
	}
	if len(l.Failed) > 0 {
		l.Verdict, l.Predicted.Verdict, l.Predicted.Failed = report.Deviated, report.Deviated, l.Failed
	}
	if i == 0 {
		l.Runbook, l.Late = wideRunbook(), []report.Span{{50.2, 51.3}}
	}
	if i == 2 {
		l.Missing, l.NotInjected = []string{"g6"}, []string{"survivors-starved/memory on c2: this kernel has no memory controller"}
		l.HostState, l.ResidueDiff, l.ForeignDiff = report.Residue, []string{"c2 qdisc on eth0: was fq, is pfifo_fast"}, []string{"b1 route added by somebody else"}
		l.Expect = append(l.Expect, report.Judged{Name: "text.own", Limit: "at most 20 s", Got: "7.3 s", Doubt: "the clients were late when it came back"})
	}
	return l
}

// wideProbe: layout 0 waits for people, 1 for nothing but its one-copy services,
// which stay dark to the end, 2 is back by itself.
func wideProbe(i int, s wideService) report.Probe {
	p := report.Probe{Name: s.name, Availability: 1, P99MS: 41, Samples: 1225, Outages: []report.Outage{}}
	own := 0.55
	switch {
	case s.gate == 0:
	case i == 0 || i == 1 && s.name == "media":
		to := s.gate + own
		p.Outages = append(p.Outages, report.Outage{From: "T+3m7s", FromWallS: s.dark, ToWallS: &to, OwnWallS: &own, GatedIncidentS: s.gated, Gate: "runbook", GateDetail: s.step})
	case i == 1 && s.name == "mail":
		p.Outages = append(p.Outages, report.Outage{From: "T+93m4s", FromWallS: 30, Gate: "none"})
	case s.aloneSeconds > 0:
		own, to := s.aloneSeconds, 30.06+s.aloneSeconds
		p.Outages = append(p.Outages, report.Outage{From: "T+93m4s", FromWallS: 30.06, ToWallS: &to, OwnWallS: &own, Gate: "none"})
	}
	for at := -10.0; at < 106; at += 0.5 {
		pt := report.Point{WallS: at, Availability: 1, P99MS: 20}
		if at == 41 || at == 41.5 {
			pt.Availability = 0.9 // starved, yet no outage
		}
		for _, o := range p.Outages {
			if at >= o.FromWallS && (o.ToWallS == nil || at < *o.ToWallS) {
				pt = report.Point{WallS: at}
			}
		}
		p.Curve = append(p.Curve, pt)
	}
	return p
}

func wideStages() []report.Stage {
	return []report.Stage{
		{Name: "ups-zones-lost", IncidentS: 180, WallS: 2, Source: "15:22 (G9)", Hosts: []string{"p1", "p2", "p3"}},
		{Name: "grey-zone", IncidentS: 240, WallS: 2.3, Source: "N4", Note: "People phone; nobody evacuates for 85 minutes."},
		{Name: "warning", IncidentS: 4860, WallS: 26.3, Source: "16:40 (N6)", Note: "A phone call says that the building will be cut."},
		{Name: "building-cut", IncidentS: 5580, WallS: 30, Source: "16:52 (N13)", Hosts: []string{"p4", "p5", "p6", "p7", "p8", "p9", "p10"}},
		{Name: "tools-lost", IncidentS: 5640, WallS: 30.04, Source: "G2", Note: "With the building went what could have moved its services."},
		{Name: "survivors-starved", IncidentS: 20400, WallS: 40.6, Source: "K10", Hosts: []string{"a1", "a2", "c1", "c2"}},
		{Name: "dark-third-back", IncidentS: 308520, WallS: 86.8, Source: "G1", Note: "The zones that the fire reached first come back last."},
		{Name: "long-tail", IncidentS: 459660, WallS: 101.9, Note: "Everything is back."},
	}
}

func wideRunbook() []report.Step {
	return []report.Step{
		{Name: "promote-standby", IncidentS: 36720, WallS: 52.2, OK: true, Source: "16 Oct 01:31 (N7)"},
		{Name: "move-taxi", IncidentS: 62760, WallS: 63, OK: true, Source: "16 Oct 08:45 (N26)"},
		{Name: "move-login-cache", IncidentS: 68760, WallS: 64.9, OK: true, Source: "16 Oct 10:25 (N26)"},
		{Name: "move-pay", IncidentS: 69060, WallS: 65, OK: true, Source: "by 16 Oct 10:30 (N28)"},
		{Name: "open-objects", IncidentS: 108660, WallS: 76, OK: true, Source: "by 16 Oct 21:30 (N31)"},
		{Name: "open-mailbox", IncidentS: 312060, WallS: 87, OK: true, Source: "19 Oct 06:00 (N34)"},
		{Name: "open-subscribers", IncidentS: 344460, WallS: 98, Source: "19 Oct 15:00 (N35)", Output: "door not reached"},
	}
}

func wideFaults() []report.Fault {
	var out []report.Fault
	add := func(kind, stage, state string, from, to float64, hosts ...string) {
		for _, h := range hosts {
			out = append(out, report.Fault{ID: stage + "/" + kind + "/" + h, Kind: kind, Host: h, Stage: stage, Asked: "dark", Achieved: "dark after 1.0 ms", State: state, Ended: "reverted", FromWallS: from, ToWallS: to, Timer: "timer"})
		}
	}
	add("powerloss", "ups-zones-lost", "exercised", 2, 86.8, "p1", "p2", "p3")
	add("powerloss", "building-cut", "exercised", 30, 52.1, "p4", "p5", "p6")
	add("powerloss", "building-cut", "exercised", 30, 67.5, "p8", "p10")
	add("powerloss", "building-cut", "exercised", 30, 84.5, "p7", "p9")
	add("cpu", "survivors-starved", "in force", 40.6, 51.8, "a1", "c1")
	add("memory", "survivors-starved", "not in force", 40.6, 51.8, "a2")
	return out
}

func wideHosts() []report.Host {
	var out []report.Host
	dark := map[string][][2]float64{}
	for _, f := range wideFaults() {
		if f.Kind == "powerloss" {
			dark[f.Host] = [][2]float64{{f.FromWallS, f.ToWallS}}
		}
	}
	for _, s := range []struct {
		site, short string
		n           int
	}{{"pangyo", "p", 10}, {"anyang", "a", 6}, {"gasan", "g", 6}, {"chuncheon", "c", 6}, {"bank", "b", 2}} {
		for i := range s.n {
			name := fmt.Sprintf("%s%d", s.short, i+1)
			out = append(out, report.Host{Name: name, Site: s.site, Rack: fmt.Sprintf("%s-%d", s.site, i/3+1), Dark: dark[name]})
		}
	}
	return append(out, report.Host{Name: "clients", Site: "internet", Rack: "street"})
}

func wideLoad(i int) report.Load {
	load := report.Load{Name: "people", Users: 400, Rival: 900, RivalOK: 890, PeakS: 53, PeakRate: 610, MostMoved: 320 - 150*i, P99MS: 80,
		Surges: []report.Surge{{FromWallS: 52, ToWallS: 56, Times: 3, Source: "everybody comes back at once"}, {FromWallS: 98, ToWallS: 100, Times: 10}}}
	for at := 0; at < 106; at++ {
		pt := report.LoadPoint{WallS: float64(at), Requests: 200 + at%7, Answered: 200 + at%7}
		if at > 2 && at < 53 && i == 0 {
			pt.Requests, pt.Answered, pt.Moved = 420, 3, min(320, 7*at)
		}
		load.Requests, load.Answered, load.Curve = load.Requests+pt.Requests, load.Answered+pt.Answered, append(load.Curve, pt)
	}
	return load
}

// Three layouts by eleven probes stay small enough to pass round by mail.
func TestWidePageIsSmall(t *testing.T) {
	if n := len(page(t, wide(t))); n > 1_500_000 {
		t.Errorf("the page has %d bytes, want less than 1.5 MB", n)
	} else {
		t.Logf("%d bytes", n)
	}
}
