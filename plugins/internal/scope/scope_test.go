package scope_test

import (
	"errors"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/container"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Each row is refused by the name of the parameter; "" is taken.
func TestCheck(t *testing.T) {
	named := container.Named{Container: "4c01db0b339c"}
	for name, c := range map[string]struct {
		selection scope.Selection
		field     string
	}{
		"service":           {scope.Selection{Scope: scope.Scope{Service: "notes"}}, ""},
		"group":             {scope.Selection{Scope: scope.Scope{Group: "/svc/notes"}}, ""},
		"container":         {scope.Selection{Scope: scope.Scope{Named: named}}, ""},
		"a name":            {scope.Selection{Executable: "notes"}, ""},
		"a file":            {scope.Selection{Executable: "/usr/bin/notes"}, ""},
		"nothing":           {scope.Selection{}, "service"},
		"two":               {scope.Selection{Scope: scope.Scope{Service: "notes", Group: "/svc/notes"}}, "group"},
		"two, a container":  {scope.Selection{Scope: scope.Scope{Service: "notes", Named: named}}, "container"},
		"two, a program":    {scope.Selection{Scope: scope.Scope{Service: "notes"}, Executable: "notes"}, "executable"},
		"the whole host":    {scope.Selection{Scope: scope.Scope{Group: "/"}}, "group"},
		"a path that leads": {scope.Selection{Scope: scope.Scope{Group: "/svc/../.."}}, "group"},
		"a relative path":   {scope.Selection{Scope: scope.Scope{Group: "svc"}}, "group"},
		"a path as service": {scope.Selection{Scope: scope.Scope{Service: "svc/notes"}}, "service"},
		"a relative file":   {scope.Selection{Executable: "bin/notes"}, "executable"},
	} {
		err := c.selection.Check()
		var refused *fault.RefusedError
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.field != "" && (!errors.As(err, &refused) || refused.Field != c.field):
			t.Errorf("%s: %v, want a refusal of %s", name, err, c.field)
		}
	}
}
