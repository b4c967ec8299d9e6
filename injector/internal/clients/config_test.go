package clients_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/clients"
)

func TestNewConfigExpandsEveryURL(t *testing.T) {
	exp := experiment("http://${ip.a1}:80/messages?n=${n}")
	exp.Hypothesis = append(exp.Hypothesis, experiments.Hypothesis{Probe: "ssh", TCP: &experiments.TCP{Connect: experiments.Addresses{"${ip.a1}:22"}}, Every: 1})
	c, err := clients.NewConfig(exp, func(s string) (string, error) {
		if strings.Contains(s, "${n}") {
			return "", errors.New("nothing is named ${n}")
		}
		return strings.ReplaceAll(s, "${ip.a1}", "10.0.0.1"), nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = "http://10.0.0.1:80/messages?n=${n}"
	if got := []string{c.Probes[0].HTTP.URLs[0], c.Ledgers[0].HTTP.URLs[0], c.Reads["talk"].Active[0], c.Reads["talk"].Sites["pangyo"][0]}; got[0] != want || got[1] != want || got[2] != want || got[3] != want {
		t.Errorf("URLs: %q", got)
	}
	if c.Probes[1].TCP[0] != "10.0.0.1:22" || c.Probes[1].Timeout != clients.DefaultTimeout || c.Ledgers[0].Attempts != clients.DefaultAttempts {
		t.Errorf("defaults: %+v %+v", c.Probes[1], c.Ledgers[0])
	}
}

func TestNewConfigRefuses(t *testing.T) {
	unknown := errors.New("no host a9")
	if _, err := clients.NewConfig(experiment("x"), func(string) (string, error) { return "", unknown }, nil); !errors.Is(err, unknown) {
		t.Errorf("unknown host: %v", err)
	}
	for name, change := range map[string]func(*experiments.Experiment){
		"no interval":      func(e *experiments.Experiment) { e.Hypothesis[0].Every = 0 },
		"no URL":           func(e *experiments.Experiment) { e.Hypothesis[0].HTTP.Post = nil },
		"neither":          func(e *experiments.Experiment) { e.Hypothesis[0].HTTP = nil },
		"ledger, no URL":   func(e *experiments.Experiment) { e.Ledger[0].HTTP.Post = nil },
		"ledger, interval": func(e *experiments.Experiment) { e.Ledger[0].Every = 0 },
	} {
		exp := experiment("http://x")
		change(exp)
		if _, err := clients.NewConfig(exp, nil, atOnce); err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
}
