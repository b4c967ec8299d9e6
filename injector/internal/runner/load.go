package runner

import (
	"errors"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/faults"
	loading "github.com/firedrill-io/firedrill/injector/internal/load"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/inventory"
)

// loaded is an experiment with all layouts that are to run, planned.
type loaded struct {
	exp     *experiments.Experiment
	layouts []*layout
}

// layout is one layout before it runs.
type layout struct {
	name      string
	exp       *experiments.Experiment
	inv       *inventory.Inventory
	plan      *plan.Plan
	predict   experiments.Prediction
	variables map[string]string // of the inventory
}

// folder is the layout's name in paths; only real hosts have no layout.
func (l *layout) folder() string {
	if l.name == "" {
		return "hosts"
	}
	return l.name
}

// load reads and plans everything before anything is raised.
func load(o Options) (*loaded, error) {
	infos, _, err := faults.Known(o.Plugins)
	if err != nil {
		return nil, &InvalidError{err}
	}
	got, err := loading.Load(loading.Options{
		Path: o.Path, Layouts: o.Layouts, Inventory: o.Inventory, Variables: o.Variables, Faults: infos,
	})
	var invalid *loading.InvalidError
	switch {
	case errors.As(err, &invalid):
		return nil, &InvalidError{invalid.Err}
	case err != nil:
		return nil, refuse("%v", err)
	}
	l := &loaded{exp: got.Experiment}
	for _, one := range got.Layouts {
		l.layouts = append(l.layouts, &layout{
			name: one.Name, exp: got.Experiment, inv: one.Inventory, plan: one.Plan,
			predict: got.Experiment.Layouts[one.Name].Predict, variables: got.Experiment.LabVariables(),
		})
	}
	return l, nil
}
