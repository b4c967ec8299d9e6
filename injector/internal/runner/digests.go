package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/digest"
	"github.com/firedrill-io/firedrill/internal/evidence"
)

// digestLimit is how long hosts may take to look again as they did: things that
// were reverted may still be on their way out. Longer than one call may take, so
// that a host that answered late on a busy machine is asked once more.
const digestLimit = 25 * time.Second

// digests asks every host's own agent what the host consists of.
func (r *layoutRun) digests(ctx context.Context) found {
	out := found{}
	var mu sync.Mutex
	control.Each(r.fleet.hosts, func(host string) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		var d hostDigest
		d.err = r.caller.Call(ctx, host, control.VerbDigest, control.DigestRequest{}, &d.reply)
		mu.Lock()
		defer mu.Unlock()
		out[host] = d
		return d.err
	})
	return out
}

// digestBefore notes what every host consists of before anything is changed. A
// run that does not know that could not prove that it left a host as it found
// it, so it is refused; a host that answered late is asked once more.
func (r *layoutRun) digestBefore(ctx context.Context) error {
	r.before = r.digests(ctx)
	if err := r.before.err(); err != nil {
		r.before = r.digests(ctx)
	}
	if err := r.before.err(); err != nil && ctx.Err() == nil {
		return refuse("%v: how it was found would not be known afterwards; is the machine too busy?", err)
	}
	return ctx.Err()
}

// found is what each host consists of.
type found map[string]hostDigest

// err is of the first host, by name, that could not be looked at.
func (f found) err() error {
	for _, host := range slices.Sorted(maps.Keys(f)) {
		if f[host].err != nil {
			return fmt.Errorf("look at %s: %w", host, f[host].err)
		}
	}
	return nil
}

// compareDigests waits until all hosts look as they did before the first stage,
// and files what does not: as residue in the lab, where nobody else changes
// anything; elsewhere as residue what carries our mark and as foreign the rest.
//
// A lab whose run was interrupted, failed or refused is taken down at once.
func (r *layoutRun) compareDigests(ctx context.Context) {
	ended := r.outcome == report.Completed || r.outcome == report.Halted
	if len(r.before) == 0 || !r.drive.hasChanged() || (r.o.Lab && !ended) {
		return
	}
	deadline := time.Now().Add(digestLimit)
	diff := r.diffDigests(ctx)
	for len(diff) > 0 && time.Now().Before(deadline) && sleep(ctx, 500*time.Millisecond) {
		diff = r.diffDigests(ctx)
	}
	for _, host := range slices.Sorted(maps.Keys(diff)) {
		for _, line := range diff[host] {
			text := host + ": " + line
			if r.o.Lab || strings.Contains(line, "firedrill") {
				r.residue = append(r.residue, text)
				r.rec.say(evidence.Residue, "residue on %s", text)
			} else {
				r.foreign = append(r.foreign, text)
				r.rec.say(evidence.Foreign, "changed by others on %s", text)
			}
		}
	}
	if len(diff) == 0 {
		r.rec.say(evidence.HostDigest, "%d hosts are as they were found", len(r.fleet.hosts))
	}
}

func (r *layoutRun) diffDigests(ctx context.Context) map[string][]string {
	out := map[string][]string{}
	for host, now := range r.digests(ctx) {
		was := r.before[host]
		switch {
		case was.err != nil:
			out[host] = []string{fmt.Sprintf("not known how it was before: %v", was.err)}
		case now.err != nil:
			out[host] = []string{fmt.Sprintf("not known how it is now: %v", now.err)}
		default:
			if d := digest.Diff(digest.Digest{Lines: was.reply.Lines}, digest.Digest{Lines: now.reply.Lines}); len(d) > 0 {
				out[host] = d
			}
		}
	}
	return out
}
