package filesystem_test

import (
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/digest/digesttest"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystem"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystemtest"
)

func TestMain(m *testing.M) { os.Exit(digesttest.Run(m)) }

// A busy service starts programs all the time: one that came between two looks at
// the same processes is no stranger, and one that nobody lists is.
func TestHolder(t *testing.T) {
	dir, _ := filesystemtest.Ext4(t, 16<<20)
	m, err := filesystem.FindMounted("path", dir, fault.Target{StateDir: "/"})
	faulttest.Must(t, err)
	started := map[int]bool{}
	start := func() (map[int]bool, error) { // another one right after they were listed
		listed := maps.Clone(started)
		p, err := proc.Start(proc.Spec{Path: "/bin/sleep", Args: []string{"1000"}, Dir: dir})
		faulttest.Must(t, err)
		t.Cleanup(func() {
			_ = p.Kill()
			_, _ = p.Wait() // it was killed
		})
		started[p.PID] = true
		return listed, nil
	}
	for range 3 {
		holder, err := m.Holder(start)
		faulttest.Must(t, err)
		if holder != "" {
			t.Errorf("%s is a stranger", holder)
		}
	}
	holder, err := m.Holder(func() (map[int]bool, error) { return nil, nil })
	faulttest.Must(t, err)
	if !strings.Contains(holder, "sleep") || !strings.Contains(holder, "has "+dir+" open") {
		t.Errorf("the stranger is %q", holder)
	}
}
