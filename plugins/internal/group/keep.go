package group

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/internal/systemd"
)

// Keep is configuration of ours by which systemd keeps a setting of a unit's
// group: whenever anybody reloads it (systemctl daemon-reload) it writes to all
// groups what it knows. The setting itself is written to the kernel, so that
// nothing has to be reloaded for a fault to begin, nor to end if nobody did so
// meanwhile.
type Keep struct {
	DropIn systemd.DropIn `json:"drop_in"`
}

// sections are where a type of unit has its limits, systemd.resource-control(5).
var sections = map[string]string{".service": "Service", ".slice": "Slice", ".scope": "Scope"}

// keepTime is how long the manager may take to reload.
const keepTime = 20 * time.Second

// Keep is what it takes for the directives ("TasksMax=7") to hold in g, whose
// file they stand for; nil if the group is not the one of a unit of systemd.
func (g Group) Keep(file string, directives ...string) *Keep {
	unit := path.Base(g.Path)
	section, ok := sections[path.Ext(unit)]
	if !ok || systemd.GroupOf(unit) != g.Path {
		return nil
	}
	text := fmt.Sprintf("# Firedrill, until the fault ends\n[%s]\n%s\n", section, strings.Join(directives, "\n"))
	return &Keep{systemd.DropIn{Unit: unit, Name: "zz-firedrill-" + file + ".conf", Text: text}}
}

// Apply has the setting kept; again is fine. A nil Keep does nothing.
func (k *Keep) Apply() error {
	if k == nil {
		return nil
	}
	return k.DropIn.Write()
}

// There says that what keeps the setting is there; it goes with the next boot.
func (k *Keep) There() bool {
	if k == nil {
		return false
	}
	_, err := os.Stat(k.DropIn.Path())
	return err == nil
}

// Revert undoes the setting by revert, and has it kept no more. Where the manager
// had read it, it writes its own to the group, and revert looks again.
func (k *Keep) Revert(revert func() error) error {
	err := revert()
	if k == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), keepTime)
	defer cancel()
	reloaded, kerr := k.DropIn.Remove(ctx)
	if kerr == nil && err == nil && reloaded {
		err = revert()
	}
	return errors.Join(err, kerr)
}
