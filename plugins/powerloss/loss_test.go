package powerloss

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/power"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// tally is what a writer was told it had written, and what is there afterwards.
type tally struct {
	acknowledged, kept, unsynced int
}

// lossOf takes the power from the place of a writer that has begun, switches it on
// again, and counts what is in the writer's folder, where it is then.
func lossOf(t *testing.T, writer *os.File, off, on func(), dir func() string) tally {
	t.Helper()
	acks, begun := make(chan int), make(chan bool, 1)
	go func() {
		last := 0
		for lines := bufio.NewScanner(writer); lines.Scan(); {
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				last = n
			}
			select {
			case begun <- true:
			default:
			}
		}
		acks <- last // the writer is gone
	}()
	select { // on a busy machine it may take a while to start
	case <-begun:
	case <-time.After(10 * time.Second):
	}
	time.Sleep(100 * time.Millisecond)
	off()
	on()
	return tally{
		acknowledged: <-acks,
		kept:         countRecords(t, filepath.Join(dir(), keptFile)),
		unsynced:     countRecords(t, filepath.Join(dir(), lostFile)),
	}
}

// countRecords counts whole records in order; anything else in the file fails the
// test but zeros at its end: the file system's journal may have had the length of a
// file whose last block was never written.
func countRecords(t *testing.T, path string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	b = bytes.TrimRight(b, "\x00")
	count := 0
	for ; len(b) >= 4; b = b[4:] {
		count++
		if want := []byte{byte(count), byte(count >> 8), byte(count >> 16), '\n'}; !bytes.Equal(b[:4], want) {
			t.Fatalf("record %d of %s is %q, want %q", count, path, b[:4], want)
		}
	}
	return count
}

// listing is a host as it reads, but for its clock, which is never twice the same.
func listing(t *testing.T, l *lab.Lab) []string {
	t.Helper()
	return slices.DeleteFunc(digestOf(t, l).Lines, func(line string) bool { return strings.HasPrefix(line, "clock ") })
}

// cuts is how often the power goes in TestCutLosesWhatWasNotSynced.
const cuts = 20

// A power cut takes all that was not synced and nothing that was. The twin ends
// the host by SIGKILL instead, and loses nothing at all: the check that
// unsynced data is gone fails there.
func TestCutLosesWhatWasNotSynced(t *testing.T) {
	l := raise(t, 1)
	found, lost, written := listing(t, l), 0, 0
	data := func() string { return inside(statusOf(t, l, "p1"), power.FileSystem{Mount: "/data"}) }
	for i := range cuts {
		_, writer := start(t, l, "p1", "write", "/data")
		var items []fault.Item[Change]
		n := lossOf(t, writer, func() {
			items = prepared(t, l, "p1")
			dark(t, items)
		}, func() { lit(t, items) }, data)
		checkLoss(t, n)
		if i == 0 {
			t.Logf("%+v", n)
		}
		lost, written = lost+n.acknowledged-n.unsynced, written+n.acknowledged
	}
	faulttest.Measured(t, faulttest.Measurement{
		Fault: Kind, What: fmt.Sprintf("lost of the unsynced records of %d cuts", cuts), Asked: 100, Achieved: 100 * float64(lost) / float64(written), Unit: "%",
		Found: found, Left: listing(t, l),
	})
	_, writer := start(t, l, "p1", "write", "/data")
	twin := lossOf(t, writer, func() { killed(t, statusOf(t, l, "p1")) }, func() {
		if _, err := l.Power().On(t.Context(), "p1"); err != nil {
			t.Fatal(err)
		}
	}, data)
	checkNoLoss(t, twin)
}

// checkLoss wants what was synced and nothing else.
func checkLoss(t *testing.T, n tally) {
	t.Helper()
	if n.acknowledged == 0 {
		t.Fatal("the writer wrote nothing")
	}
	if n.kept < n.acknowledged || n.unsynced != 0 {
		t.Errorf("%+v: want all acknowledged records kept and no unsynced one", n)
	}
}

// checkNoLoss is the check of twins that end programs by SIGKILL.
func checkNoLoss(t *testing.T, n tally) {
	t.Helper()
	if n.acknowledged == 0 || n.unsynced < n.acknowledged {
		t.Errorf("kill -9: %+v: want no record lost", n)
	}
}
