package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/firedrill-io/firedrill/internal/digest"
	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// callTime bounds what the suite waits for one answer.
const callTime = 30 * time.Second

// hostFolder is where the stand-in keeps lock and sockets inside a host.
const hostFolder = "/run/faulttest"

func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), callTime)
}

// place is a lab with the host under test and, beside it, its neighbours; or the
// machine alone.
type place struct {
	lab    *lab.Lab // nil: the machine itself is the host
	host   *Host
	beside bool   // the agent is on the machine, not in the host
	folder string // of the stand-in, when it is beside
	start  launchRequest
	lister *lister // nil: none yet
}

// neighbourhood is the host under test (a), one in its rack and one on another site.
func neighbourhood() inventory.Inventory {
	host := func(name, site, rack, address string) inventory.Host {
		return inventory.Host{Name: name, Site: site, Rack: rack, Feeds: []string{"feed-" + site}, Address: address}
	}
	return inventory.Inventory{
		Name: "faulttest",
		Sites: []inventory.Site{
			{Name: "east", Racks: []inventory.Rack{{Name: "r1"}}},
			{Name: "west", Racks: []inventory.Rack{{Name: "r2"}}},
		},
		Power: []inventory.PowerSource{
			{Name: "feed-east", Kind: inventory.Feed, Site: "east"},
			{Name: "feed-west", Kind: inventory.Feed, Site: "west"},
		},
		Hosts: []inventory.Host{
			host("a", "east", "r1", "10.77.1.1"), host("b", "east", "r1", "10.77.1.2"), host("c", "west", "r2", "10.77.2.1"),
		},
	}
}

// raise raises the lab, unless the machine itself is the host; the caller must
// close the place.
func raise(ctx context.Context, s Subject, onMachine bool) (*place, error) {
	var l *lab.Lab
	var err error
	if !onMachine {
		if l, err = lab.Up(ctx, lab.Config{Inventory: neighbourhood()}); err != nil {
			return nil, err
		}
	}
	p := &place{lab: l, host: &Host{Name: "a", Lab: l}, beside: s.Info.OutOfBand || onMachine}
	p.start = launchRequest{Kind: s.Info.Kind, Path: s.Path, Args: s.Args, Confined: s.Confined, Capabilities: s.Info.Needs.Capabilities}
	if p.beside {
		p.folder, err = os.MkdirTemp("", "faulttest")
	}
	if err == nil {
		err = p.host.refresh()
	}
	if err == nil && s.Carry && !p.beside {
		err = p.carry()
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// carry copies the executable into the host.
func (p *place) carry() error {
	b, err := os.ReadFile(p.start.Path)
	if err != nil {
		return fmt.Errorf("carry the plugin into the host: %w", err)
	}
	p.start.Path = filepath.Join("/data", "plugin-"+filepath.Base(p.start.Path))
	if err := os.WriteFile(p.host.Path(p.start.Path), b, 0o755); err != nil {
		return fmt.Errorf("carry the plugin into the host: %w", err)
	}
	return nil
}

func (p *place) close() error {
	if p.folder != "" {
		_ = os.RemoveAll(p.folder)
	}
	if p.lab == nil {
		return nil
	}
	if p.lister != nil {
		p.lister.close()
	}
	return p.lab.Down()
}

// target is what an agent would make of the host.
func (p *place) target(c Case) fault.Target {
	t := fault.Target{Host: p.host.Name, StateDir: "/state"}
	if p.beside {
		t.StateDir = p.folder
	}
	if p.beside && p.lab != nil {
		t.Power = p.lab.PowerSocket()
	}
	if c.Target != nil {
		t = c.Target(p.host, t)
	}
	return t
}

// standIn starts the stand-in of the agent where the agent would be.
func (p *place) standIn() (*agent, error) {
	if p.beside {
		return p.standInAt(p.folder)
	}
	return p.standInAt(hostFolder)
}

// standInAt gives the stand-in a folder for its lock and sockets.
func (p *place) standInAt(folder string) (*agent, error) {
	start := p.startInside
	if p.beside {
		start = p.startBeside
	}
	in, out, kill, err := piped(start, roleStandIn, folder)
	if err != nil {
		return nil, err
	}
	return newAgent(in, out, kill), nil
}

// starter starts this program in the role that args name; kill ends it.
type starter func(in, out *os.File, args ...string) (kill func(), err error)

// piped starts a role and returns what it reads from and where it answers.
func piped(start starter, args ...string) (in, out *os.File, kill func(), err error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, err
	}
	defer theirIn.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, errors.Join(err, in.Close())
	}
	defer theirOut.Close()
	kill, err = start(theirIn, theirOut, args...)
	if err != nil {
		return nil, nil, nil, errors.Join(err, in.Close(), out.Close())
	}
	return in, out, kill, nil
}

func (p *place) startInside(in, out *os.File, args ...string) (kill func(), err error) {
	hp, err := p.lab.Start(p.host.Name, lab.HostCommand{
		Path: proc.Self, Args: args, Stdio: lab.Stdio{In: in, Out: out, Err: os.Stderr},
	})
	if err != nil {
		return nil, err
	}
	return func() { _ = hp.Close() }, nil // kills it
}

// startBeside starts it on the machine: as an out-of-band agent, in the network
// namespace of the fabric, or as the machine's own.
func (p *place) startBeside(in, out *os.File, args ...string) (kill func(), err error) {
	var pr *proc.Process
	start := func() error {
		pr, err = proc.Start(proc.Spec{Path: proc.Self, Args: args, Stdin: in, Stdout: out, Stderr: os.Stderr})
		return err
	}
	if p.lab == nil {
		err = start()
	} else {
		err = p.inFabric(start)
	}
	if err != nil {
		return nil, err
	}
	return func() {
		_ = pr.Kill() // it may have ended
		_, _ = pr.Wait()
	}, nil
}

func (p *place) inFabric(fn func() error) error {
	ns, err := netns.Open(p.lab.FabricNS())
	if err != nil {
		return err
	}
	defer ns.Close()
	return ns.Do(fn)
}

// digest lists the host from inside.
func (p *place) digest() (d digest.Digest, err error) {
	if p.lab == nil {
		return listing()
	}
	for range 2 { // a host that was switched off and on has lost its lister
		if p.lister == nil {
			if p.lister, err = startLister(p.startInside); err != nil {
				return d, fmt.Errorf("list host %s: %w", p.host.Name, err)
			}
		}
		if d, err = p.lister.list(); err == nil {
			return d, nil
		}
		p.lister.close()
		p.lister = nil
	}
	return d, fmt.Errorf("list host %s: %w", p.host.Name, err)
}

// settles is how long the host may take to be as it was. One that was switched
// on needs longer than the kernel's clearing up after a call.
func (p *place) settles(c Case) time.Duration {
	if c.Patience != 0 {
		return c.Patience
	}
	if p.beside && p.lab != nil {
		return 10 * time.Second
	}
	return 2 * time.Second
}

// changed compares the host with before until it is the same, for at most limit.
func (p *place) changed(before digest.Digest, limit time.Duration) ([]string, error) {
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		now, err := p.digest()
		diff := digest.Diff(before, now)
		if err == nil && len(diff) == 0 {
			return nil, nil
		}
		if time.Now().After(end) {
			return diff, err
		}
	}
}
