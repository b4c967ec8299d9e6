package report_test

import (
	"fmt"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// threePace is the clock of threeLayouts: 5.3 days in 102 seconds.
var threePace = []report.Stretch{
	{ToIncidentS: 180, ToWallS: 2},
	{FromIncidentS: 180, ToIncidentS: 5580, FromWallS: 2, ToWallS: 30},
	{FromIncidentS: 5580, ToIncidentS: 36300, FromWallS: 30, ToWallS: 52},
	{FromIncidentS: 36300, ToIncidentS: 462000, FromWallS: 52, ToWallS: 102},
}

// threeService is a service of threeLayouts: how it fared in each layout, in the
// form {incident seconds waited, wall seconds then}; none: it held.
type threeService struct {
	name, gate string
	happened   report.Compare
	backWallS  float64
	layouts    [3][]float64
}

var threeServices = []threeService{
	{"text", "runbook", report.Compare{Name: "text messages", HappenedS: 36240, Source: "15 Oct 15:27 to 16 Oct 01:31 (N7 N24 N25)"}, 52.7, [3][]float64{{36473, 0.622}, {0, 4.289}, {0, 4.707}}},
	{"login", "runbook", report.Compare{Name: "PC login", HappenedS: 68280, Source: "to 16 Oct 10:25 (N26)"}, 65.4, [3][]float64{{68582, 0.574}, {0, 4.243}, {0, 4.615}}},
	{"taxi", "runbook", report.Compare{Name: "taxi calls", HappenedS: 62280, Source: "to 16 Oct 08:45 (N26)"}, 63.5, [3][]float64{{62581, 0.577}, {0, 4.239}, {0, 4.614}}},
	{"pay", "runbook", report.Compare{Name: "payments and transfers", HappenedS: 68580, Source: "to 16 Oct 10:30 (N28)"}, 65.6, [3][]float64{{68882, 0.68}, {0, 4.412}, {0, 4.61}}},
	{"media", "runbook", report.Compare{Name: "pictures, videos, files", HappenedS: 108180, Source: "by 16 Oct 21:30 (N31)"}, 76, [3][]float64{{103016, 0.076}, {102840, 0.19}, nil}},
	{"mail", "runbook", report.Compare{Name: "Daum Mail", HappenedS: 311580, Source: "to 19 Oct 06:00 (N18 N34)"}, 87, [3][]float64{{308265, 0.523}, {308245, 0.423}, nil}},
	{"inbound", "power", report.Compare{Name: "mail from outside", HappenedS: 311580, Source: "bounced until 19 Oct 06:00 (N18 N34)"}, 84.5, [3][]float64{{259574, 0.165}, {259427, 0.222}, nil}},
	{"channel", "runbook", report.Compare{Name: "channels' advertising messages", HappenedS: 343980, Source: "to 19 Oct 15:00 (N35)"}, 98, [3][]float64{{344280, 0.082}, {344276, 0.195}, {0, 4.768}}},
	{"identity", "runbook", report.Compare{}, 65.4, [3][]float64{{68574, 0.525}, {0, 4.05}, {0, 4.87}}},
	{"bank", "", report.Compare{Name: "the bank's core", HappenedS: 5580, Source: "15 Oct 15:27 to 17:00 (N20 N21); why is not told"}, 0, [3][]float64{}},
	{"bank-kakao", "runbook", report.Compare{Name: "the bank's functions that need Kakao", HappenedS: 160920, Source: "to 17 Oct 12:09 (N21)"}, 65.4, [3][]float64{{68574, 0.531}, {0, 4.2}, {0, 4.77}}},
}

// threeLayouts is a run as the fire's are: three layouts, 11 services, 3 ledgers,
// people with a rival, 31 hosts. The figures are those of a real run; there are
// no curves in it.
func threeLayouts() *report.Run {
	predicted := true
	run := &report.Run{
		Experiment: "datacenter-fire", Title: "A fire", ID: "20261126-183843-9d6a49", Verdict: report.Deviated, Outcome: report.Completed,
		HostState: report.Clean, Seed: 20221015, Command: "injector run experiments/datacenter-fire --lab", AsPredicted: &predicted,
		Started: time.Date(2026, 11, 26, 18, 38, 43, 0, time.UTC), Ended: time.Date(2026, 11, 26, 18, 44, 51, 0, time.UTC),
		ClockStart: time.Date(2022, 10, 15, 15, 19, 0, 0, time.FixedZone("", 9*3600)),
	}
	for i, name := range []string{"as-it-was", "tools-everywhere", "stretched"} {
		l := report.Layout{
			Name: name, Verdict: report.Deviated, Outcome: report.Completed, HostState: report.Clean, Pace: threePace,
			Predicted:   report.Predicted{Verdict: report.Deviated, Match: true},
			FirstStageS: 2, RevertedS: 86.8, EndS: 106.3,
			Stages: []report.Stage{{Name: "ups-zones-lost", IncidentS: 180, WallS: 2}, {Name: "grey-zone", IncidentS: 240, WallS: 2.3}, {Name: "building-cut", IncidentS: 5580, WallS: 30}, {Name: "survivors-starved", IncidentS: 20400, WallS: 40.6}},
			Faults: threeFaults(), Hosts: threeHosts(), Loads: threeLoads(i), Ledgers: threeLedgers(i),
		}
		if name == "stretched" {
			l.Verdict, l.Predicted.Verdict = report.Held, report.Held
		}
		for _, s := range threeServices {
			l.Probes = append(l.Probes, s.probe(i))
			if s.happened.Name != "" {
				c := s.happened
				c.Probe = s.name
				l.Compare = append(l.Compare, c)
			}
			if d := s.layouts[i]; len(d) > 0 && d[0] > 1200 {
				l.Failed = append(l.Failed, s.name+".gated")
			}
		}
		l.Predicted.Failed = l.Failed
		run.Layouts = append(run.Layouts, l)
	}
	return run
}

func (s threeService) probe(layout int) report.Probe {
	p := report.Probe{Name: s.name, Samples: 500, Availability: 1}
	d := s.layouts[layout]
	if len(d) == 0 {
		return p
	}
	o := report.Outage{FromIncidentS: 186, FromWallS: 2.03, From: "T+3m6s", GatedIncidentS: d[0], OwnWallS: &d[1], Gate: "none"}
	back := o.FromWallS + d[1]
	p.Availability = 0.95
	if d[0] > 0 {
		back, o.Gate, o.GateDetail = s.backWallS+d[1], s.gate, "power back at p9"
		p.Availability = 0.3
	}
	o.ToWallS = &back
	p.Outages = []report.Outage{o}
	return p
}

func threeFaults() []report.Fault {
	var out []report.Fault
	add := func(kind, stage, state string, from float64, hosts ...string) {
		for _, h := range hosts {
			out = append(out, report.Fault{ID: kind + h, Kind: kind, Host: h, Stage: stage, State: state, FromWallS: from})
		}
	}
	add("powerloss", "ups-zones-lost", "exercised", 2, "p1", "p2", "p3")
	add("powerloss", "building-cut", "exercised", 30, "p4", "p5", "p6", "p7", "p8", "p9", "p10")
	add("cpu", "survivors-starved", "exercised", 40.6, "a1", "g1", "c1")
	add("memory", "survivors-starved", "in force", 40.6, "a2", "g2", "c2")
	add("cpu", "survivors-starved", "not in force", 40.6, "c3") // counts for nothing
	return out
}

func threeHosts() []report.Host {
	out := []report.Host{{Name: "b1", Site: "sangam"}, {Name: "b2", Site: "bundang"}, {Name: "clients", Site: "internet"}}
	for _, s := range []struct {
		site string
		n    int
	}{{"pangyo", 10}, {"anyang", 6}, {"gasan", 6}, {"chuncheon", 6}} {
		for i := range s.n {
			out = append(out, report.Host{Name: fmt.Sprintf("%s%d", s.site[:1], i+1), Site: s.site})
		}
	}
	return out
}

func threeLedgers(layout int) []report.Ledger {
	n := [][]int{{1256, 1178, 252, 357, 337, 272}, {2211, 181, 552, 46, 328, 270}, {2133, 176, 540, 38, 578, 0}}[layout]
	return []report.Ledger{
		{Name: "talk", Sent: n[0] + n[1], Acknowledged: n[0], Unknown: n[1]},
		{Name: "transfers", Sent: n[2] + n[3], Acknowledged: n[2], Unknown: n[3]},
		{Name: "letters", Sent: n[4] + n[5], Acknowledged: n[4], Refused: n[5]},
	}
}

func threeLoads(layout int) []report.Load {
	return []report.Load{[]report.Load{
		{Name: "people", Users: 30, Requests: 2018, Answered: 1424, Rival: 740, RivalOK: 740, PeakRate: 285, MostMoved: 30, P99MS: 178},
		{Name: "people", Users: 30, Requests: 2185, Answered: 2157, PeakRate: 283, P99MS: 124},
		{Name: "people", Users: 30, Requests: 2167, Answered: 2107, Rival: 43, RivalOK: 43, PeakRate: 292, MostMoved: 22, P99MS: 175},
	}[layout]}
}
