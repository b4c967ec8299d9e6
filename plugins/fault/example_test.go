package fault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// hops lowers the number of hops that a host's packets survive.
type hops struct{ file string }

type hopsParams struct {
	TTL int `json:"ttl" jsonschema:"minimum=1,maximum=255"`
}

type hopsChange struct {
	Before int `json:"before"`
	After  int `json:"after"`
}

func (hops) Describe() fault.Info {
	return fault.Info{
		Kind: "hops", Summary: "Lowers the hop limit of a host.", PluginVersion: "1.0.0",
		Touches: []string{"net.ipv4.ip_default_ttl"}, ConflictKeys: []string{"ip_default_ttl"}, Destroys: fault.DestroysNothing,
		Protection: []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
	}
}

func (h hops) Prepare(_ context.Context, _ fault.Target, p hopsParams) (hopsChange, error) {
	if p.TTL < 1 || p.TTL > 255 {
		return hopsChange{}, fault.Refuse("ttl", "is %d; give 1 to 255", p.TTL)
	}
	before, err := h.read()
	return hopsChange{Before: before, After: p.TTL}, err
}

func (h hops) Apply(_ context.Context, _ fault.Target, c hopsChange, _, _ fault.BootTime) error {
	switch now, err := h.read(); {
	case err != nil || now == c.After:
		return err
	case now != c.Before:
		return fault.ErrChanged
	}
	return h.write(c.After)
}

func (h hops) Observe(_ context.Context, _ fault.Target, c hopsChange) (fault.Observation, error) {
	now, err := h.read()
	if err != nil || now != c.After {
		return fault.Observation{State: fault.Absent, Dose: fault.NotInForce}, err
	}
	return fault.Observation{State: fault.Present, Dose: fault.InForce, Achieved: []fault.Measure{{Name: "ttl", Value: float64(now), Unit: "hops"}}}, nil
}

func (h hops) Revert(_ context.Context, _ fault.Target, c hopsChange) error {
	switch now, err := h.read(); {
	case err != nil || now == c.Before:
		return err
	case now != c.After:
		return fault.ErrStuck // somebody else's value: leave it
	}
	return h.write(c.Before)
}

func (h hops) read() (int, error) {
	b, err := os.ReadFile(h.file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

func (h hops) write(n int) error { return os.WriteFile(h.file, []byte(strconv.Itoa(n)), 0o644) }

// A whole plugin. Its main function is
//
//	func main() { fault.Main(fault.NewDriver(hops{"/proc/sys/net/ipv4/ip_default_ttl"})) }
func Example() {
	file, err := os.CreateTemp("", "hops") // in place of the kernel's
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.Remove(file.Name())
	fmt.Fprint(file, 64)
	_ = file.Close()

	ctx, here := context.Background(), fault.Target{}
	d := fault.NewDriver(hops{file.Name()})
	change, err := d.Prepare(ctx, here, json.RawMessage(`{"ttl": 3}`))
	fmt.Println(string(change), err)
	applied, _ := d.Apply(ctx, []fault.RawItem{{ID: "one", Target: here, Change: change}}, 0, 0)
	o, _ := d.Observe(ctx, here, change)
	fmt.Println(applied[0].Err == nil, o.State, o.Achieved)
	err = d.Revert(ctx, here, change)
	o, _ = d.Observe(ctx, here, change)
	fmt.Println(err, o.State)
	// Output:
	// {"before":64,"after":3} <nil>
	// true present [{ttl 3 hops}]
	// <nil> absent
}
