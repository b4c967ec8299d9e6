// Package condition is the language of stop conditions: CEL over the probes and
// ledgers of an experiment. A condition is compiled, with its names and types
// checked, when the file is read, and asked again and again during the run.
//
// The functions, and what they look at:
//
//	availability("probe")     0 to 1, over the probe's tolerance window
//	p99("probe")              seconds, of the answers in that window
//	outage("probe")           seconds the probe has been dark by now; 0: it serves
//	acknowledged("ledger")    writes that the service said it stored, so far
//	unacknowledged("ledger")  writes without such an answer, so far
//
// What the clients were too late to measure is unknown, and so is what depends
// on it: an unknown condition does not hold.
package condition

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Figures is what a condition looks at. A false second result says that the
// figure is not known now.
type Figures interface {
	Availability(probe string) (float64, bool)  // 0 to 1
	P99(probe string) (float64, bool)           // seconds
	Outage(probe string) (float64, bool)        // seconds
	Acknowledged(ledger string) (int64, bool)   // writes
	Unacknowledged(ledger string) (int64, bool) // writes
}

// State is what a condition says at one moment.
type State int

// The states of a condition.
const (
	Unknown State = iota // what it needs was not measured
	False
	True
)

// maxCost bounds the work of one evaluation, in CEL's own unit: conditions of a
// file are small, and one that loops must not keep the run from being watched.
const maxCost = 100_000

// Condition is a compiled condition.
type Condition struct {
	text    string
	program cel.Program
}

// New compiles text for an experiment with these probes and ledgers. figures may
// be nil if the condition is only to be checked. The error is a Problems.
func New(text string, names Names, figures Figures) (*Condition, error) {
	env, err := environment(figures)
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, syntax(issues, text)
	}
	if problems := names.check(ast); len(problems) > 0 {
		return nil, problems
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost))
	if err != nil {
		return nil, fmt.Errorf("compile condition: %w", err)
	}
	return &Condition{text: text, program: program}, nil
}

func (c *Condition) String() string { return c.text }

// Eval asks the condition now.
func (c *Condition) Eval() (State, error) {
	out, _, err := c.program.Eval(cel.NoVars())
	switch {
	case err != nil:
		return Unknown, fmt.Errorf("evaluate %s: %w", c.text, err)
	case types.IsUnknown(out):
		return Unknown, nil
	case out == types.True:
		return True, nil
	case out == types.False:
		return False, nil
	}
	return Unknown, errors.New("evaluate " + c.text + ": neither true nor false")
}

// function is one function of the language.
type function struct {
	of     string // what its argument names: probe or ledger
	result *cel.Type
	call   func(Figures, string) (ref.Val, bool)
}

var functions = map[string]function{
	"availability":   {"probe", cel.DoubleType, double(Figures.Availability)},
	"p99":            {"probe", cel.DoubleType, double(Figures.P99)},
	"outage":         {"probe", cel.DoubleType, double(Figures.Outage)},
	"acknowledged":   {"ledger", cel.IntType, count(Figures.Acknowledged)},
	"unacknowledged": {"ledger", cel.IntType, count(Figures.Unacknowledged)},
}

// Functions are the names of all functions, sorted.
func Functions() []string { return slices.Sorted(maps.Keys(functions)) }

func double(ask func(Figures, string) (float64, bool)) func(Figures, string) (ref.Val, bool) {
	return func(f Figures, name string) (ref.Val, bool) {
		v, ok := ask(f, name)
		return types.Double(v), ok
	}
}

func count(ask func(Figures, string) (int64, bool)) func(Figures, string) (ref.Val, bool) {
	return func(f Figures, name string) (ref.Val, bool) {
		v, ok := ask(f, name)
		return types.Int(v), ok
	}
}

// environment declares the functions, bound to figures.
func environment(figures Figures) (*cel.Env, error) {
	options := []cel.EnvOption{cel.CrossTypeNumericComparisons(true)} // so that x < 1 may be written for x < 1.0
	for name, f := range functions {
		binding := cel.UnaryBinding(func(arg ref.Val) ref.Val {
			text, ok := arg.Value().(string)
			if !ok || figures == nil {
				return types.NewUnknown(0, nil)
			}
			v, known := f.call(figures, text)
			if !known {
				return types.NewUnknown(0, nil)
			}
			return v
		})
		options = append(options, cel.Function(name, cel.Overload(name+"_text", []*cel.Type{cel.StringType}, f.result, binding)))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("prepare conditions: %w", err)
	}
	return env, nil
}
