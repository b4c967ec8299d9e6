// Package journal keeps on disk what was changed on a host and how to undo it.
//
// The order is record, sync, change: an injection's Intent is durable before
// its plugin may change anything. The file is append-only; it is allocated
// ahead, so that an end can be recorded on a full disk. A torn last line is
// ignored; any other bad line, and any failed sync, ends new injections but
// never reverting: what can be read is still reverted.
package journal

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/internal/durable"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

const (
	firstReserve = 64 << 10  // bytes allocated when opened
	endRoom      = 2 << 10   // bytes kept free for each live injection: applied and its end
	maxMessage   = 400       // bytes of an error message that are kept
	compactAt    = 256 << 10 // bytes of file from which on it is rewritten once nothing is live
	keepEnded    = 64        // ended injections that survive a rewrite
)

// ErrUnusable says that no new injection may be recorded; reverting goes on.
var ErrUnusable = errors.New("journal takes no new injections")

// Journal is the journal of one agent. Whoever opens it holds the Lock. All
// methods may be called from several goroutines.
type Journal struct {
	path string

	mu     sync.Mutex
	log    *durable.Log
	view   view
	failed error // a bad line, or the first write or sync that failed
}

// Open opens or creates the journal at path. The caller holds the Lock.
func Open(path string) (*Journal, error) {
	j := &Journal{path: path}
	if err := j.open(); err != nil {
		return nil, err
	}
	return j, nil
}

func (j *Journal) open() error {
	log, b, err := durable.OpenLog(j.path)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	c := parse(b)
	j.log, j.view = log, newView(c.records)
	if c.bad != nil {
		j.failed = fmt.Errorf("%w: %s: %w; move the file away once nothing of it is live", ErrUnusable, j.path, c.bad)
	}
	if c.torn >= 0 {
		// Blanked in place: cutting the file would give allocated blocks back.
		j.fail(log.Overwrite(c.torn, blank(log.Size()-c.torn)))
	}
	j.fail(log.Reserve(firstReserve + int64(len(j.view.live()))*endRoom))
	return nil
}

func blank(n int64) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = '#'
	}
	b[n-1] = '\n'
	return b
}

// Err is why no new injection may be recorded; nil if one may.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed
}

// Intent records, before any change, what Revert will need. When it returns
// nil the record is durable and there is room for the injection's end.
func (j *Journal) Intent(r Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return j.failed
	}
	r.Phase, r.Contract = Intent, fault.ContractVersion
	if known := j.view.byID[r.ID]; r.ID == "" || known != nil && !known.again(r) {
		return fmt.Errorf("record intent: injection %q is empty or in the journal already", r.ID)
	}
	line, err := encode(stamped(r))
	if err != nil {
		return err
	}
	if err := j.log.Reserve(int64(len(line)) + int64(len(j.view.live())+1)*endRoom); err != nil {
		return fmt.Errorf("%w: %w", ErrUnusable, err) // not for ever: the disk may have room again
	}
	return j.append(r, line)
}

// Applied records that the change is made, and the hard end and lease it was armed with.
func (j *Journal) Applied(id fault.InjectionID, a fault.Applied, end fault.BootTime, lease time.Duration) error {
	a.Phase = a.Phase[:min(len(a.Phase), 8)]
	if a.Err != nil {
		a.Err = shorten(a.Err)
	}
	return j.add(Record{ID: id, Phase: Applied, Applied: &a, End: end, Lease: lease})
}

// Ended records how an injection ended. An error means only that it could not
// be recorded: the host is as phase says.
func (j *Journal) Ended(id fault.InjectionID, phase Phase, by By, cause *fault.Error) error {
	return j.add(Record{ID: id, Phase: phase, By: by, Error: shorten(cause)})
}

func (j *Journal) add(r Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.view.byID[r.ID] == nil {
		return fmt.Errorf("record %s: injection %q is not in the journal", r.Phase, r.ID)
	}
	line, err := encode(stamped(r))
	if err != nil {
		return err
	}
	err = j.append(r, line)
	if !r.Phase.Live() && len(j.view.live()) == 0 && j.log.Size() > compactAt {
		j.fail(j.compact())
	}
	return err
}

func (j *Journal) append(r Record, line []byte) error {
	if err := j.log.Append(line); err != nil {
		j.fail(err)
		if r.Phase == Intent {
			return err // no record, no change
		}
		j.view.add(r)
		return err
	}
	j.view.add(r)
	return nil
}

// compact rewrites the file with the last ended injections only.
func (j *Journal) compact() error {
	if j.failed != nil {
		return nil // a damaged file is evidence: it is left
	}
	var b []byte
	ended := j.view.ended()
	for _, r := range ended[max(0, len(ended)-keepEnded):] {
		r.Change = nil // ended: there is nothing to revert
		line, err := encode(r)
		if err != nil {
			return err
		}
		b = append(b, line...)
	}
	if err := durable.WriteFile(j.path, b, 0o600); err != nil {
		return err
	}
	_ = j.log.Close()
	return j.open()
}

func (j *Journal) fail(err error) {
	if err != nil && j.failed == nil {
		j.failed = fmt.Errorf("%w: %w", ErrUnusable, err)
	}
}

// Live lists the injections that may still have to be reverted, oldest first.
func (j *Journal) Live() []Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.view.live()
}

// Past lists the ended injections that are still known, oldest first.
func (j *Journal) Past() []Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.view.ended()
}

// Close closes the file.
func (j *Journal) Close() error { return j.log.Close() }

// Read reads the journal at path without the lock, for showing it. A missing
// file is an empty journal. bad is set if a line is damaged.
func Read(path string) (live, ended []Record, bad, err error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, nil, fmt.Errorf("read journal: %w", err)
	}
	c := parse(b)
	v := newView(c.records)
	return v.live(), v.ended(), c.bad, nil
}

// Find returns what is known of one injection.
func (j *Journal) Find(id fault.InjectionID) (Record, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if r := j.view.byID[id]; r != nil {
		return *r, true
	}
	return Record{}, false
}
