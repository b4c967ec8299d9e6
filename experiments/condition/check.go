package condition

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// Names are what a condition may speak of.
type Names struct {
	Probes, Ledgers []string
}

// Problem is one thing that is wrong with a condition.
type Problem struct {
	Line, Column int // in the condition's text, both from 1
	Message      string
	Name, Of     string // an unknown name, and what it should name: probe, ledger or function
}

// Problems is all that is wrong with a condition.
type Problems []Problem

func (p Problems) Error() string {
	var out []string
	for _, one := range p {
		out = append(out, one.Message)
	}
	return strings.Join(out, "; ")
}

// syntax turns what the compiler says into Problems.
func syntax(issues *cel.Issues, text string) Problems {
	var out Problems
	for _, e := range issues.Errors() {
		p := Problem{Line: e.Location.Line(), Column: e.Location.Column() + 1, Message: strings.ReplaceAll(firstLine(e.Message), " (in container '')", "")}
		if _, after, ok := strings.Cut(p.Message, "undeclared reference to '"); ok {
			p.Name, _, _ = strings.Cut(after, "'")
			p.Of = "function"
		}
		p.Line, p.Column = max(p.Line, 1), max(p.Column, 1)
		out = append(out, p)
	}
	if len(out) == 0 {
		out = Problems{{Line: 1, Column: 1, Message: "cannot be read: " + text}}
	}
	return out
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// check finds what the types do not: a result that is neither true nor false,
// and names that the experiment does not have.
func (n Names) check(a *cel.Ast) Problems {
	var out Problems
	if t := a.OutputType(); t.Kind() != types.BoolKind {
		out = append(out, Problem{Line: 1, Column: 1, Message: fmt.Sprintf("a condition is true or false, this is a value of type %s: compare it with something", t)})
	}
	native := a.NativeRep()
	asked := false
	at := func(e ast.Expr, p Problem) {
		where := native.SourceInfo().GetStartLocation(e.ID())
		p.Line, p.Column = max(where.Line(), 1), max(where.Column()+1, 1)
		out = append(out, p)
	}
	ast.PostOrderVisit(native.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		f, ours := functions[e.AsCall().FunctionName()]
		if !ours {
			return
		}
		asked = true
		arg := e.AsCall().Args()[0]
		name, ok := literal(arg)
		if !ok {
			at(arg, Problem{Message: fmt.Sprintf("%s needs the name of a %s as text, such as %s(\"name\")", e.AsCall().FunctionName(), f.of, e.AsCall().FunctionName())})
		} else if !n.known(f.of, name) {
			at(arg, Problem{Message: fmt.Sprintf("no %s is named %q", f.of, name), Name: name, Of: f.of})
		}
	}))
	if len(out) == 0 && !asked {
		out = Problems{{Line: 1, Column: 1, Message: "a condition that looks at no probe and no ledger never changes"}}
	}
	return out
}

func literal(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := e.AsLiteral().Value().(string)
	return text, ok
}

func (n Names) known(of, name string) bool {
	names := n.Probes
	if of == "ledger" {
		names = n.Ledgers
	}
	for _, have := range names {
		if have == name {
			return true
		}
	}
	return false
}
