package main

import (
	"fmt"
	"hash/fnv"
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
	"github.com/firedrill-io/firedrill/internal/inventory"
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

// The hosts that lose power, and when they have it again, follow the sources:
// 10 of 28 hosts as 32,000 of 90,000 servers, a third of them first and last.
func TestFireTakesPangyoOnly(t *testing.T) {
	for _, l := range loadFire(t).Layouts {
		var cuts []string
		for _, i := range l.Plan.Injections {
			if i.Kind == "powerloss" {
				cuts = append(cuts, i.Host+" "+i.From.String()+" "+i.Until.String())
			}
		}
		slices.Sort(cuts)
		want := []string{
			"p1 T+3m T+5141m", "p10 T+93m T+1451m", "p2 T+3m T+5141m", "p3 T+3m T+5141m", "p4 T+93m T+611m", "p5 T+93m T+611m",
			"p6 T+93m T+611m", "p7 T+93m T+4421m", "p8 T+93m T+1301m", "p9 T+93m T+4421m",
		}
		if !slices.Equal(cuts, want) {
			t.Errorf("%s: cuts %v, want %v", l.Name, cuts, want)
		}
	}
}

// tools-everywhere is as-it-was but for the places of the tools, so what it does
// better is what the tools do.
func TestOnlyTheToolsAreElsewhere(t *testing.T) {
	company := map[string]map[string]string{}
	for _, l := range loadFire(t).Layouts {
		company[l.Name] = map[string]string{}
		for _, s := range l.Inventory.Services {
			var hosts []string
			for _, h := range l.Inventory.ServiceHosts(s.Name) {
				hosts = append(hosts, h.Name)
			}
			company[l.Name][s.Name] = fmt.Sprint(s.Exec, s.Args, s.Files, hosts)
		}
	}
	var differ []string
	for name, is := range company["as-it-was"] {
		if company["tools-everywhere"][name] != is {
			differ = append(differ, name)
		}
	}
	slices.Sort(differ)
	if want := []string{"controller", "etcd"}; !slices.Equal(differ, want) || len(company["as-it-was"]) != len(company["tools-everywhere"]) {
		t.Errorf("services that differ: %v, want %v", differ, want)
	}
}

// The login that is probed is one of the 30 % whose cache stood in Pangyo alone.
func TestLoginIsCachedInPangyoAlone(t *testing.T) {
	for _, l := range loadFire(t).Layouts {
		at := slices.IndexFunc(l.Inventory.Services, func(s inventory.Service) bool { return s.Name == "login" })
		arg := slices.IndexFunc(l.Inventory.Services[at].Args, func(a string) bool { return strings.HasPrefix(a, "--cache=pangyo=") })
		if l.Name == "stretched" {
			continue // its one map has no shard in Pangyo alone: TestStretchedCacheLivesOn
		}
		if arg < 0 {
			t.Fatalf("%s: login has no map of the cache for pangyo", l.Name)
		}
		shards := strings.Split(strings.TrimPrefix(l.Inventory.Services[at].Args[arg], "--cache=pangyo="), ",")
		alone := 0
		for _, s := range shards {
			if inPangyo(s) {
				alone++
			}
		}
		hash := fnv.New32a()
		_, _ = hash.Write([]byte("minji"))
		if mine := shards[hash.Sum32()%uint32(len(shards))]; alone*10 != 3*len(shards) || !inPangyo(mine) {
			t.Errorf("%s: %d of %d shards stand in Pangyo alone, minji's at %s", l.Name, alone, len(shards), mine)
		}
	}
}

// In stretched no replica of the cache is alone in Pangyo.
func TestStretchedCacheLivesOn(t *testing.T) {
	for _, l := range loadFire(t).Layouts {
		for _, s := range l.Inventory.Services {
			for _, a := range s.Args {
				shards, ok := strings.CutPrefix(a, "--cache=kr=")
				for _, one := range strings.Split(shards, ",") {
					if ok && inPangyo(one) {
						t.Errorf("%s: shard %s stands in Pangyo alone", l.Name, one)
					}
				}
			}
		}
	}
}

// inPangyo says whether all replicas of a shard stand there.
func inPangyo(shard string) bool {
	for _, h := range strings.Split(shard, "+") {
		if !strings.HasPrefix(h, "p") {
			return false
		}
	}
	return true
}

// The services under test know nothing of the incident: its instants stand in
// experiment.yaml alone.
func TestServicesKnowNoIncident(t *testing.T) {
	instant := regexp.MustCompile(`T\+\d+m|2022-10-1[5-9]|\b(93|611|612|1046|1146|1151|1811|5141|5201|5741|7661)\b`)
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
