package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/load"
	"github.com/firedrill-io/firedrill/plugins"
)

const fire = "../experiments/datacenter-fire"

func loadFire(t *testing.T) *load.Loaded {
	t.Helper()
	infos, err := plugins.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	l, err := load.Load(load.Options{Path: fire, Faults: infos})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// What software does by itself is measured in wall time, so each part of the
// fire must leave it enough: an election of the store takes 4 to 9 s, and own is
// limited to 20 s, which must end before power comes back.
func TestFireLeavesTimeToRecover(t *testing.T) {
	minutes := func(m int) experiments.Instant { return experiments.Instant(time.Duration(m) * time.Minute) }
	for _, l := range loadFire(t).Layouts {
		wall := func(from, to int) time.Duration { return l.Plan.WallAt(minutes(to)) - l.Plan.WallAt(minutes(from)) }
		if pace := 90 * time.Minute / wall(3, 93); pace > 200 {
			t.Errorf("%s: from the loss of the zones to the cut the clock runs %d times as fast, at most 200", l.Name, pace)
		}
		if got := wall(93, 605); got < 22*time.Second {
			t.Errorf("%s: %s from the cut to T+605m, at least 22s", l.Name, got)
		}
		if got := l.Plan.End - l.Plan.WallAt(minutes(5141)); got < 12*time.Second {
			t.Errorf("%s: %s after T+5141m, at least 12s", l.Name, got)
		}
	}
}

// The hosts that lose power, and when they have it again, follow the sources.
func TestFireTakesPangyoOnly(t *testing.T) {
	for _, l := range loadFire(t).Layouts {
		var cuts []string
		for _, i := range l.Plan.Injections {
			cuts = append(cuts, i.Host+" "+i.From.String()+" "+i.Until.String())
		}
		slices.Sort(cuts)
		want := []string{"p1 T+3m T+5141m", "p2 T+3m T+5141m", "p3 T+93m T+611m", "p4 T+93m T+611m"}
		if !slices.Equal(cuts, want) {
			t.Errorf("%s: cuts %v, want %v", l.Name, cuts, want)
		}
	}
}

// The services under test know nothing of the incident: its instants stand in
// experiment.yaml alone.
func TestServicesKnowNoIncident(t *testing.T) {
	instant := regexp.MustCompile(`T\+\d+m|2022-10-1[5-9]|\b(93|611|612|5141)\b`)
	err := filepath.WalkDir(filepath.Join(fire, "superapp"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if found := instant.FindString(string(src)); found != "" {
			t.Errorf("%s holds an instant of the incident: %s", path, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
