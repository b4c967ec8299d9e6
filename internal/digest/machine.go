package digest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
)

// Option narrows what Machine lists.
type Option func(*options)

type options struct {
	only    []string
	folders []string
}

// labFolder holds the state folders of labs, with their disk images.
const labFolder = "/run/firedrill/labs"

// Only keeps the lines that carry one of the marks, such as a lab's id: every
// object of a lab carries its id.
func Only(marks ...string) Option {
	return func(o *options) { o.only = append(o.only, marks...) }
}

// Folders adds folders whose entries are listed, two levels deep.
func Folders(paths ...string) Option {
	return func(o *options) { o.folders = append(o.folders, paths...) }
}

func (o *options) keep(line string) bool {
	return len(o.only) == 0 || containsAny(line, o.only)
}

func containsAny(s string, parts []string) bool {
	for _, part := range parts {
		if part != "" && strings.Contains(s, part) {
			return true
		}
	}
	return false
}

// Machine lists the machine from the caller's namespaces; run it where labs are
// raised from, as root. What a lab leaves behind shows up as added lines.
func Machine(opts ...Option) (Digest, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	nl, err := netlink.NewHandle()
	if err != nil {
		return Digest{}, fmt.Errorf("open netlink: %w", err)
	}
	defer nl.Close()
	l, roots := &listing{}, Roots{}.orReal()
	mounts, err := readMounts(roots.Proc)
	if err != nil {
		return Digest{}, err
	}
	err = errors.Join(
		l.namespaces(roots.Proc, mounts),
		l.links(nl),
		l.qdiscs(nl),
		l.loops(roots.Sys, nil),
		l.labCgroups(mounts),
		l.labProcesses(roots.Proc),
	)
	l.mounts(roots.Sys, mounts)
	l.files(append(o.folders, labFolder), 2)
	return l.digest(o.keep), err
}

// settleStep is how often Settled looks; a listing takes some 10 ms.
const settleStep = 100 * time.Millisecond

// Settled lists the machine until it equals before or ctx ends, and returns
// what still differs: teardown in the kernel (network namespaces, loop devices)
// goes on after the call that asked for it returned.
func Settled(ctx context.Context, before Digest, opts ...Option) ([]string, error) {
	for {
		after, err := Machine(opts...)
		if err != nil {
			return nil, err
		}
		diff := Diff(before, after)
		if len(diff) == 0 {
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return diff, nil
		case <-time.After(settleStep):
		}
	}
}
