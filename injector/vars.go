package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// variables is the flag --var name=value. A value may hold commas: they make a
// list, so the flag itself must not split at them.
type variables map[string]string

func (v variables) String() string { return "" }

// Type names the value in the help text.
func (v variables) Type() string { return "name=value" }

// Set takes one name=value.
func (v variables) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return fmt.Errorf("write it as name=value")
	}
	v[name] = value
	return nil
}

// varFlag adds --var to f and returns where its values go.
func varFlag(f *pflag.FlagSet) map[string]string {
	v := variables{}
	f.Var(v, "var", "set a variable of the experiment; may be repeated; a,b is a list")
	return v
}
