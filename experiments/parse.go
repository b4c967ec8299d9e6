package experiments

import (
	"encoding/json"
	"time"

	"github.com/firedrill-io/firedrill/experiments/strict"
)

// numberOfWrite is the one ${name} that is not a variable: the ledger fills it
// in for each write, a load for each request.
const numberOfWrite = "n"

// Defaults of what a file may leave out.
const (
	defaultTimeout  = Duration(time.Second)
	defaultAttempts = 3
)

// Parse reads an experiment file. file is its name in messages, vars are the
// values given with --var, faults holds the JSON Schema of the parameters of
// each known kind of fault. If anything is wrong with the file the error is a
// *strict.Error that lists all of it with positions, and nothing is decoded.
func Parse(src []byte, file string, vars map[string]string, faults map[string]json.RawMessage) (*Experiment, error) {
	p, err := NewParser(faults)
	if err != nil {
		return nil, err
	}
	return p.Parse(src, file, vars)
}

// Parser reads many files with one compiled schema.
type Parser struct {
	schema *strict.Schema
	faults map[string]json.RawMessage
}

// NewParser compiles the schema for the given kinds of fault.
func NewParser(faults map[string]json.RawMessage) (*Parser, error) {
	raw, err := Schema(faults)
	if err != nil {
		return nil, err
	}
	schema, err := strict.Compile(raw, formats)
	if err != nil {
		return nil, err
	}
	return &Parser{schema: schema, faults: faults}, nil
}

// Parse is the function of the same name.
func (p *Parser) Parse(src []byte, file string, vars map[string]string) (*Experiment, error) {
	doc := strict.Read(src, file)
	if doc.Root.Kind != strict.Map && doc.Err() != nil {
		return nil, doc.Err()
	}
	values := resolveVariables(doc, vars)
	for _, entry := range doc.Root.Entries() {
		if entry.Key != "variables" {
			doc.Interpolate(entry.Value, values, numberOfWrite)
		}
	}
	doc.Validate(p.schema)
	newChecks(doc, p.faults).run()
	exp := &Experiment{Values: values}
	if err := doc.Decode(exp); err != nil {
		return nil, err
	}
	exp.setDefaults(doc.Root)
	return exp, nil
}

func (e *Experiment) setDefaults(root *strict.Node) {
	for _, p := range root.Get("layouts").Entries() {
		e.LayoutOrder = append(e.LayoutOrder, p.Key)
	}
	for i := range e.Hypothesis {
		if h := &e.Hypothesis[i]; h.Timeout == 0 {
			h.Timeout = defaultTimeout
		}
	}
	for i := range e.Ledger {
		l := &e.Ledger[i]
		if l.Timeout == 0 {
			l.Timeout = defaultTimeout
		}
		if l.Attempts == 0 {
			l.Attempts = defaultAttempts
		}
	}
	for i := range e.Load {
		e.Load[i].setDefaults()
	}
}
