// Package digesttest fails a test binary that leaves something on the machine.
//
//	func TestMain(m *testing.M) { lab.Main(); os.Exit(digesttest.Run(m)) }
//
// Labs and tests of other test binaries and other people may run at the same
// time; what is theirs does not count. Ours is what this process or one that
// descends from it owns, and everything whose owner is gone or unknown: a lab
// says in its state who owns it, and what tests make says it in its name (Name).
package digesttest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/digest"
	"github.com/firedrill-io/firedrill/internal/need"
)

// settleTime is how long the kernel may take to let go of what tests released.
var settleTime = 15 * time.Second

// settleStep is the pause between two looks.
const settleStep = 200 * time.Millisecond

// Run runs the tests and compares digest.Machine before and after. It returns
// the exit code: 1 if something is left, whatever the tests said. Without root
// nothing can be left, nor listed: then it only runs the tests.
func Run(m *testing.M) int {
	if !need.Met(need.Root) {
		return m.Run()
	}
	before, err := digest.Machine()
	if err != nil {
		fmt.Fprintln(os.Stderr, "list the machine before the tests:", err)
		return 1
	}
	others := watchOthers()
	code := m.Run()
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	diff, err := settled(ctx, before, others)
	others.stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "list the machine after the tests:", err)
		return 1
	}
	if len(diff) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: the machine is not as it was found:\n%s\n", strings.Join(diff, "\n"))
		return 1
	}
	return code
}

// settled looks until nothing of ours differs, and returns what differed every
// time: something of others that came and went while we looked stayed nowhere.
func settled(ctx context.Context, before digest.Digest, others *others) (diff []string, err error) {
	stays := func(string) bool { return true }
	for {
		others.look()
		after, err := digest.Machine()
		if err != nil {
			return nil, err
		}
		others.look()
		diff = slices.DeleteFunc(others.without(digest.Diff(before, after)), func(line string) bool { return !stays(line) })
		if len(diff) == 0 {
			return nil, nil
		}
		stays = among(diff)
		select {
		case <-ctx.Done():
			return diff, nil
		case <-time.After(settleStep):
		}
	}
}

// among says which lines are about one of the objects that diff is about,
// whatever they say of it.
func among(diff []string) func(line string) bool {
	objects := map[string]bool{}
	for _, line := range diff {
		objects[object(line)] = true
	}
	return func(line string) bool { return objects[object(line)] }
}

// object is the sign of a line of a difference, the kind, and the name.
func object(line string) string {
	words := strings.SplitN(line, " ", 4)
	return strings.Join(words[:min(3, len(words))], " ")
}

// markEnv is inherited by everything these tests start.
const markEnv = "FIREDRILL_DIGEST_OF"

func mark() string {
	value := strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	_ = os.Setenv(markEnv, value) // only an empty name or a NUL fails
	return value
}
