package plan

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// fireStages is the shape of the fire: zones first, then the building, power
// back in steps, and a share that the seed decides.
const fireStages = `stages:
- {stage: ups-zones-lost, at: T+3m, source: "incident, 1a", faults: [{powerloss: {}, on: {power: [ups-a1, ups-a2]}, until: T+900m}]}
- stage: building-cut
  at: T+93m
  faults:
    - {powerloss: {}, on: {site: pangyo}, restore: [{at: T+611m, hosts: [tools]}, {at: T+700m, share: 37.5%}, {at: T+900m, share: 100%}]}
    - {partition: {to: ["site:pangyo"]}, on: {site: anyang, share: 50%}, until: T+400m}
runbook: [{at: T+612m, step: promote-standby, source: "what people did by hand one minute after the first power was back, in the words of the report"}]
limits: {hosts: 6}
`

// The same seed gives the same plan and the same digest; only a seed, or a file,
// makes another.
func TestSameSeedSamePlan(t *testing.T) {
	inv, again := lab(t), lab(t)
	exp := experiment(t, 1, fireStages)
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Int64().Draw(rt, "seed")
		exp.Seed = seed
		one, err := New(exp, inv, "layout", infos)
		if err != nil {
			rt.Fatal(err)
		}
		two, err := New(exp, again, "layout", infos)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(one, two); diff != "" || one.Digest() != two.Digest() || len(one.Digest()) != 64 {
			rt.Errorf("%s and %s differ:\n%s", one.Digest(), two.Digest(), diff)
		}
		exp.Seed++
		other, err := New(exp, inv, "layout", infos)
		if err != nil {
			rt.Fatal(err)
		}
		if one.Digest() == other.Digest() {
			rt.Errorf("seeds %d and %d have one digest", seed, seed+1)
		}
	})
}

// Whatever the restores are: no host is dark twice at a time, a span ends within
// the clock, and more power never means more hosts in the dark.
func TestFoldProperties(t *testing.T) {
	inv := lab(t)
	rapid.Check(t, func(rt *rapid.T) {
		var restores []string
		at, share := 100, 0
		for range rapid.IntRange(0, 4).Draw(rt, "restores") {
			at += rapid.IntRange(1, 200).Draw(rt, "at")
			share += rapid.IntRange(0, 25).Draw(rt, "share")
			restores = append(restores, fmt.Sprintf("{at: T+%dm, share: %d%%}", at, share))
		}
		p, err := New(experiment(t, rapid.Int64().Draw(rt, "seed"), fmt.Sprintf(`stages:
- {stage: zone, at: T+50m, faults: [{powerloss: {}, on: {power: ups-a1}, until: T+%dm}]}
- {stage: site, at: T+93m, faults: [{powerloss: {}, on: {site: [pangyo, anyang]}, restore: [%s]}]}
`, rapid.IntRange(51, 1000).Draw(rt, "until"), strings.Join(restores, ", "))), inv, "", infos)
		if err != nil {
			rt.Fatal(err)
		}
		for n, i := range p.Injections {
			if i.From >= i.Until || i.Until > p.last() || i.Start > i.End {
				rt.Errorf("span %+v", i)
			}
			for _, o := range p.Injections[n+1:] {
				if i.Host == o.Host && i.Kind == powerloss && o.Kind == powerloss && i.Until > o.From {
					rt.Errorf("%s overlaps %s", i.ID, o.ID)
				}
			}
		}
	})
}

func TestRenderGolden(t *testing.T) {
	p, err := New(experiment(t, 20221015, fireStages), lab(t), "as-it-was", infos)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := Render(&got, p); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/fire.golden", got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/fire.golden")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, line := range strings.Split(got.String(), "\n") {
		if utf8.RuneCountInString(line) > width {
			t.Errorf("line is wider than %d: %s", width, line)
		}
	}
}
