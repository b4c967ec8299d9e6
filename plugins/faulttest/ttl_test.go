package faulttest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// ttlPath is the setting under test: the hop limit of what a host sends.
const ttlPath = "/proc/sys/net/ipv4/ip_default_ttl"

// Values of the setting. The host is found tuned, not with the kernel's default.
const (
	ttlFound   = 57
	ttlAsked   = 9
	ttlOthers  = 33
	ttlDefault = 64
)

type ttlParams struct {
	TTL int `json:"ttl" jsonschema:"minimum=1,maximum=255"`
}

type ttlChange struct {
	Before int `json:"before"`
	After  int `json:"after"`
}

// ttl is a well-behaved fault: it lowers the hop limit.
type ttl struct{ kind fault.Kind }

func (f ttl) Describe() fault.Info {
	return fault.Info{Kind: f.kind, Summary: "Lowers the hop limit.", PluginVersion: "1.0.0", Touches: []string{ttlPath}, Destroys: fault.DestroysNothing}
}

func (ttl) Prepare(_ context.Context, _ fault.Target, p ttlParams) (ttlChange, error) {
	if p.TTL < 1 || p.TTL > 255 {
		return ttlChange{}, fault.Refuse("ttl", "is %d; give 1 to 255", p.TTL)
	}
	before, err := readTTL()
	return ttlChange{Before: before, After: p.TTL}, err
}

func (ttl) Apply(ctx context.Context, _ fault.Target, c ttlChange, _, _ fault.BootTime) error {
	now, err := readTTL()
	if err != nil || now == c.After {
		return err
	}
	if now != c.Before {
		return fault.ErrChanged
	}
	fault.Mark(ctx, "lowered")
	return writeTTL(c.After)
}

func (ttl) Observe(_ context.Context, _ fault.Target, c ttlChange) (fault.Observation, error) {
	now, err := readTTL()
	if err != nil || now != c.After {
		return fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Achieved: hops(now)}, err
	}
	return fault.Observation{State: fault.Present, Dose: fault.InForce, Asked: hops(c.After), Achieved: hops(now)}, nil
}

func (ttl) Revert(_ context.Context, _ fault.Target, c ttlChange) error {
	switch now, err := readTTL(); {
	case err != nil || now == c.Before:
		return err
	case now != c.After:
		return fault.ErrStuck
	}
	return writeTTL(c.Before)
}

func hops(n int) []fault.Measure {
	return []fault.Measure{{Name: "ttl", Value: float64(n), Unit: "hops"}}
}

func readTTL() (int, error) {
	b, err := os.ReadFile(ttlPath)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

func writeTTL(n int) error { return os.WriteFile(ttlPath, []byte(strconv.Itoa(n)), 0o644) }

// sniffTTL is the independent meter: the hop limit of a packet the host sent.
func sniffTTL(h *Host) (measures []fault.Measure, err error) {
	err = h.Do(func() error {
		conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer conn.Close()
		p := ipv4.NewPacketConn(conn)
		if err := p.SetControlMessage(ipv4.FlagTTL, true); err != nil {
			return err
		}
		if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		if _, err := conn.WriteTo([]byte("x"), conn.LocalAddr()); err != nil {
			return err
		}
		_, control, _, err := p.ReadFrom(make([]byte, 1))
		if err != nil {
			return err
		}
		measures = hops(control.TTL)
		return nil
	})
	return measures, err
}

// ttlCase is the case for every plugin of these tests.
func ttlCase() Case {
	set := func(n int) func(*Host) error {
		return func(h *Host) error { return h.Do(func() error { return writeTTL(n) }) }
	}
	return Case{
		Params: ttlParams{TTL: ttlAsked},
		Setup:  set(ttlFound),
		Meter:  sniffTTL,
		Dose:   hops(ttlAsked),
		Disturb: &Disturbance{
			Change: set(ttlOthers),
			Kept: func(h *Host) error {
				return h.Do(func() error {
					if now, err := readTTL(); err != nil || now != ttlOthers {
						return errors.Join(fmt.Errorf("hop limit is %d, the owner set %d", now, ttlOthers), err)
					}
					return nil
				})
			},
			Undo:  set(ttlFound),
			Stuck: true,
		},
	}
}
