package guardian

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
)

// The guardian of one agent process removes that one's groups as it leaves. The
// groups that the next process has just made, still empty, stay; without them
// that process would run without a fence. Remove (the twin) takes them too.
func TestGuardianLeavesTheNextProcesssGroups(t *testing.T) {
	need.Check(t, need.Root)
	own, err := ownGroup()
	if err != nil {
		t.Fatal(err)
	}
	parent := filepath.Join(own, "firedrill-test-groups")
	t.Cleanup(Groups{parent: parent}.Remove)
	last, next := groupsOf(parent, "1"), groupsOf(parent, "2")
	for _, g := range []Groups{last, next} {
		if err := g.create(); err != nil {
			t.Fatal(err)
		}
	}
	there := func(dir string) bool { _, err := os.Stat(dir); return err == nil }
	last.removeOwn()
	if there(last.Plugins) || there(last.Guardian) {
		t.Error("the groups of the process that ended are still there")
	}
	if !there(next.Plugins) || !there(next.Guardian) {
		t.Error("the groups of the next process are gone")
	}
	if next.Remove(); there(next.Plugins) || there(parent) {
		t.Error("empty groups are left")
	}
}
