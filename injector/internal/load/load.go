// Package load reads an experiment with the lab file or inventory of each of
// its layouts and plans them all, before anything is touched: a mistake in the
// last layout must not cost the run of the first.
package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/experiments/strict"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// FileName is the experiment's file in its folder.
const FileName = "experiment.yaml"

// Options say what to read.
type Options struct {
	Path      string   // experiment file, or the folder that holds FileName
	Layouts   []string // names; empty: all, in file order
	Inventory string   // path of an inventory of real hosts; instead of the layouts' lab files
	Variables map[string]string
	Faults    map[fault.Kind]fault.Info
	// Bare lets an experiment without layouts pass: only its own file is read.
	Bare bool
}

// Loaded is an experiment and its layouts, ready to run.
type Loaded struct {
	Experiment *experiments.Experiment
	Path       string
	Layouts    []Layout

	doc *strict.Document // the experiment's file, to point at what is wrong
}

// Layout is one layout's hosts and plan. An experiment that is loaded with an
// inventory has one layout without a name.
type Layout struct {
	Name      string
	Path      string
	Inventory *inventory.Inventory
	Plan      *plan.Plan
}

// InvalidError says that a file is wrong, or that a selector of it picks nothing.
type InvalidError struct{ Err error }

func (e *InvalidError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *InvalidError) Unwrap() error { return e.Err }

// Load reads and plans. The error is an *InvalidError unless a plan was refused
// (plan.ErrRefused). All layouts are tried and all that is wrong is told.
func Load(o Options) (*Loaded, error) {
	path := o.Path
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, FileName)
	}
	src, err := readFile(path, "experiment")
	if err != nil {
		return nil, err
	}
	exp, err := experiments.Parse(src, path, o.Variables, Schemas(o.Faults))
	if err != nil {
		return nil, &InvalidError{err}
	}
	l := &Loaded{Experiment: exp, Path: path, doc: strict.Read(src, path)}
	names, err := layoutNames(exp, o)
	if err != nil {
		return nil, &InvalidError{err}
	}
	var invalid, refused []error
	for _, name := range names {
		layout, err := l.layout(name, o)
		switch {
		case errors.Is(err, plan.ErrRefused):
			refused = append(refused, err)
		case err != nil:
			invalid = append(invalid, err)
		}
		l.Layouts = append(l.Layouts, layout)
	}
	if len(invalid) > 0 {
		return nil, &InvalidError{errors.Join(append(invalid, refused...)...)}
	}
	if err := l.knownSteps(); err != nil && o.Inventory == "" && len(o.Layouts) == 0 {
		return nil, &InvalidError{err}
	}
	return l, errors.Join(refused...)
}

// Schemas returns the parameter schemas of the faults by kind.
func Schemas(faults map[fault.Kind]fault.Info) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for kind, info := range faults {
		out[string(kind)] = info.Params
	}
	return out
}

func readFile(path, what string) ([]byte, error) {
	src, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &InvalidError{fmt.Errorf("read %s %s: no such file: name the file or a folder that holds one; injector init FOLDER writes an example", what, path)}
	}
	if err != nil {
		return nil, &InvalidError{fmt.Errorf("read %s: %w", what, err)}
	}
	return src, nil
}

func layoutNames(exp *experiments.Experiment, o Options) ([]string, error) {
	for _, name := range o.Layouts {
		if !slices.Contains(exp.LayoutOrder, name) {
			return nil, fmt.Errorf("choose layout: the experiment has no layout %q (%s)", name, strict.Choices(name, "layouts", exp.LayoutOrder))
		}
	}
	switch {
	case o.Inventory != "" && len(o.Layouts) > 1:
		return nil, fmt.Errorf("choose layout: one inventory is one layout, not %s", strings.Join(o.Layouts, " and "))
	case o.Inventory != "" && len(o.Layouts) == 0:
		return []string{""}, nil
	case len(exp.LayoutOrder) == 0 && o.Bare:
		return nil, nil
	case len(exp.LayoutOrder) == 0:
		return nil, errors.New("choose layout: the experiment has no layouts: give --inventory FILE, or add layouts")
	}
	return slices.DeleteFunc(slices.Clone(exp.LayoutOrder), func(name string) bool {
		return len(o.Layouts) > 0 && !slices.Contains(o.Layouts, name)
	}), nil
}

func (l *Loaded) layout(name string, o Options) (Layout, error) {
	path := o.Inventory
	if path == "" {
		path = filepath.Join(filepath.Dir(l.Path), l.Experiment.Layouts[name].Lab)
	}
	layout := Layout{Name: name, Path: path}
	src, err := os.ReadFile(path)
	if err != nil {
		return layout, l.unread(name, path, err)
	}
	layout.Inventory, err = inventory.Parse(src, path, l.Experiment.LabVariables())
	if err != nil {
		return layout, err
	}
	if o.Inventory == "" {
		layout.Inventory.AssignAddresses6()
	}
	if lab := layout.Inventory; o.Inventory != "" && len(lab.Services)+len(lab.Runbook) > 0 {
		return layout, fmt.Errorf("read inventory %s: services and runbook are parts of a lab file; an inventory of real hosts has none", path)
	}
	layout.Plan, err = plan.New(l.Experiment, layout.Inventory, name, o.Faults)
	if err != nil && !errors.Is(err, plan.ErrRefused) {
		return layout, l.unfit(path, err)
	}
	if err != nil {
		return layout, fmt.Errorf("plan %s: %w", path, err)
	}
	return layout, nil
}

// unfit says why the experiment does not fit a layout's file: what is wrong with
// a fault at its place in the experiment.
func (l *Loaded) unfit(path string, err error) error {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	doc := *l.doc
	var others []error
	for _, err := range all {
		if at := l.place(err); at != nil {
			doc.Add(at, "", "plan %s: %v", path, err)
			continue
		}
		others = append(others, fmt.Errorf("plan %s: %w", path, err))
	}
	return errors.Join(append([]error{doc.Err()}, others...)...)
}

// place is where the fault stands that err speaks of; nil if it speaks of none.
func (l *Loaded) place(err error) *strict.Node {
	var of *plan.FaultError
	stages := l.doc.Root.Get("stages").List()
	if !errors.As(err, &of) || of.Stage >= len(stages) {
		return nil
	}
	faults := stages[of.Stage].Get("faults").List()
	if of.Fault >= len(faults) {
		return nil
	}
	if on := faults[of.Fault].Get("on"); on != nil {
		return on
	}
	return faults[of.Fault]
}

// unread says that a layout's file cannot be read: at the place that names it, if
// that is in the experiment.
func (l *Loaded) unread(name, path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: no such file", path)
	}
	at := l.doc.Root.Get("layouts", name, "lab")
	if name == "" || at == nil {
		return fmt.Errorf("read inventory: %w", err)
	}
	doc := *l.doc
	doc.Add(at, "write the lab file's path as seen from the experiment's folder", "read lab file: %v", err)
	return doc.Err()
}

// knownSteps refuses a runbook step that no layout has: a misspelt one would be
// left out everywhere in silence.
func (l *Loaded) knownSteps() error {
	var errs []error
	for _, s := range l.Experiment.Runbook {
		var known []string
		found := false
		for _, layout := range l.Layouts {
			found = found || layout.Inventory.HasStep(s.Step)
			for _, step := range layout.Inventory.Runbook {
				known = append(known, step.Name)
			}
		}
		if !found {
			errs = append(errs, fmt.Errorf("runbook at %s: no layout has a step %q (%s)", s.At, s.Step, strict.Choices(s.Step, "steps", slices.Compact(known))))
		}
	}
	return errors.Join(errs...)
}
