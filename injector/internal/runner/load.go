package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/plugins"
	"github.com/firedrill-io/firedrill/plugins/fault"
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

// load reads and plans everything before anything is raised, so that a mistake
// in the last layout does not cost the run of the first.
func load(o Options) (*loaded, error) {
	infos, err := plugins.Catalogue()
	if err != nil {
		return nil, fmt.Errorf("read fault catalogue: %w", err)
	}
	path := o.Path
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, "experiment.yaml")
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, &InvalidError{fmt.Errorf("read experiment: %w", err)}
	}
	exp, err := experiments.Parse(src, path, o.Variables, schemas(infos))
	if err != nil {
		return nil, &InvalidError{err}
	}
	l := &loaded{exp: exp}
	names, err := layoutNames(exp, o)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		one, err := loadLayout(exp, name, inventoryPath(exp, name, path, o), infos)
		if err != nil {
			return nil, err
		}
		l.layouts = append(l.layouts, one)
	}
	return l, nil
}

func schemas(infos map[fault.Kind]fault.Info) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for kind, info := range infos {
		out[string(kind)] = info.Params
	}
	return out
}

// layoutNames are the layouts to run; an experiment without layouts has one
// without a name.
func layoutNames(exp *experiments.Experiment, o Options) ([]string, error) {
	for _, name := range o.Layouts {
		if _, ok := exp.Layouts[name]; !ok {
			return nil, &InvalidError{fmt.Errorf("choose layout: the file has no layout %q, only %s", name, strings.Join(exp.LayoutOrder, ", "))}
		}
	}
	switch {
	case len(o.Layouts) > 0:
		return slices.DeleteFunc(slices.Clone(exp.LayoutOrder), func(n string) bool { return !slices.Contains(o.Layouts, n) }), nil
	case o.Inventory != "":
		return []string{""}, nil
	case len(exp.LayoutOrder) == 0:
		return nil, &InvalidError{errors.New("choose layout: the file has no layouts; give --inventory FILE")}
	}
	return exp.LayoutOrder, nil
}

func inventoryPath(exp *experiments.Experiment, name, experiment string, o Options) string {
	if o.Inventory != "" {
		return o.Inventory
	}
	return filepath.Join(filepath.Dir(experiment), exp.Layouts[name].Lab)
}

func loadLayout(exp *experiments.Experiment, name, path string, infos map[fault.Kind]fault.Info) (*layout, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, &InvalidError{fmt.Errorf("read inventory of layout %s: %w", name, err)}
	}
	inv, err := inventory.Parse(src, path, nil)
	if err != nil {
		return nil, &InvalidError{err}
	}
	// The experiment's variables reach the lab file under the same name.
	vars := map[string]string{}
	for v := range inv.Variables {
		if of, ok := exp.Variables[v]; ok {
			vars[v] = fmt.Sprint(of.Default)
		}
	}
	if inv, err = inventory.Parse(src, path, vars); err != nil {
		return nil, &InvalidError{err}
	}
	p, err := plan.New(exp, inv, name, infos)
	if errors.Is(err, inventory.ErrEmpty) {
		return nil, &InvalidError{fmt.Errorf("plan layout %s: %w", name, err)}
	}
	if err != nil {
		return nil, refuse("plan layout %s: %v", name, err)
	}
	return &layout{name: name, exp: exp, inv: inv, plan: p, predict: exp.Layouts[name].Predict, variables: vars}, nil
}
