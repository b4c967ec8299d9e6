package strict

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits of what is read. Files of people are far below them.
const (
	maxSize  = 1 << 20
	maxDepth = 64
)

// Read parses src. What is wrong stands in the Document: bad syntax, more than
// one document, duplicate keys, and what this format leaves out of YAML
// (anchors, aliases, tags, merge keys; variables do their work).
func Read(src []byte, file string) *Document {
	d := &Document{File: file, lines: strings.Split(strings.ReplaceAll(string(src), "\r\n", "\n"), "\n")}
	switch {
	case len(src) > maxSize:
		d.add(1, 1, "", fmt.Sprintf("file is larger than %d bytes", maxSize))
	case nesting(src) > maxDepth:
		d.add(1, 1, "", fmt.Sprintf("brackets are nested deeper than %d", maxDepth))
	default:
		d.parse(src)
	}
	if d.Root == nil {
		d.Root = &Node{Line: 1, Column: 1}
	}
	return d
}

// nesting is the depth of brackets, without regard to quotes: the parser
// recurses into them.
func nesting(src []byte) (deepest int) {
	depth := 0
	for _, c := range src {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		deepest = max(deepest, depth)
	}
	return deepest
}

func (d *Document) parse(src []byte) {
	// A parser that panics on bytes from outside must not take the program down.
	defer func() {
		if r := recover(); r != nil {
			d.Root = nil
			d.add(1, 1, "", fmt.Sprintf("not readable as YAML: %v", r))
		}
	}()
	f, err := parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.syntax(err)
		return
	}
	docs := f.Docs
	if len(docs) == 0 || docs[0].Body == nil || docs[0].Body.Type() == ast.CommentType {
		d.add(1, 1, "", "file is empty")
		return
	}
	if len(docs) > 1 {
		line, column := 1, 1
		if body := docs[1].Body; body != nil {
			line, column = position(body)
		}
		d.add(line, column, "keep one document a file", "second YAML document")
	}
	d.Root = d.node(docs[0].Body, 0)
}

func (d *Document) syntax(err error) {
	var y yaml.Error
	if !errors.As(err, &y) || y.GetToken() == nil || y.GetToken().Position == nil {
		d.add(1, 1, "", "not YAML: "+err.Error())
		return
	}
	p := y.GetToken().Position
	d.add(p.Line, p.Column, "", "not YAML: "+y.GetMessage())
}

func (d *Document) node(n ast.Node, depth int) *Node {
	line, column := position(n)
	out := &Node{Line: line, Column: column}
	if depth > maxDepth {
		d.Add(out, "", "nested deeper than %d", maxDepth)
		return out
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		d.mapping(out, n.Values, depth)
	case *ast.MappingValueNode:
		d.mapping(out, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		out.Kind = List
		for _, item := range n.Values {
			out.Items = append(out.Items, d.node(item, depth+1))
		}
	default:
		d.scalar(out, n)
	}
	return out
}

func (d *Document) scalar(out *Node, n ast.Node) {
	switch n := n.(type) {
	case *ast.StringNode:
		out.Kind, out.Value = Text, n.Value
	case *ast.LiteralNode:
		out.Kind, out.Value = Text, n.Value.Value
	case *ast.IntegerNode:
		out.Kind, out.Value = Number, n.Value
	case *ast.FloatNode:
		out.Kind, out.Value = Number, n.Value
		if math.IsInf(n.Value, 0) || math.IsNaN(n.Value) {
			out.Value = 0.0
			d.Add(out, "", "number is out of range")
		}
	case *ast.BoolNode:
		out.Kind, out.Value = Bool, n.Value
	case *ast.NullNode:
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		d.Add(out, "use a variable: ${name}", "anchors, aliases, tags and merge keys are not part of this format")
	default:
		d.Add(out, "", "%s is not part of this format", strings.ToLower(n.Type().String()))
	}
}

func (d *Document) mapping(out *Node, values []*ast.MappingValueNode, depth int) {
	out.Kind = Map
	seen := make(map[string]int, len(values))
	for _, v := range values {
		p := Pair{}
		p.Line, p.Column = position(v.Key)
		switch k := v.Key.(type) {
		case *ast.StringNode:
			p.Key = k.Value
		case *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode, *ast.NullNode:
			p.Key = k.GetToken().Value
		default:
			d.AddKey(p, "write a plain word", "key is not a text")
			continue
		}
		if first, ok := seen[p.Key]; ok {
			d.AddKey(p, "keep one of the two", "key %q stands already in line %d", p.Key, first)
			continue
		}
		seen[p.Key] = p.Line
		p.Value = d.node(v.Value, depth+1)
		if p.Value.Kind == Null {
			// An empty value has no place of its own: point at its key.
			p.Value.Line, p.Value.Column = p.Line, p.Column
		}
		out.Pairs = append(out.Pairs, p)
	}
}

// position is where n begins for a reader: a block mapping at its first key,
// not at the colon behind it.
func position(n ast.Node) (line, column int) {
	var t *token.Token
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return position(n.Values[0].Key)
		}
		t = n.Start
	case *ast.MappingValueNode:
		return position(n.Key)
	case *ast.LiteralNode:
		t = n.Start
	default:
		if n != nil {
			t = n.GetToken()
		}
	}
	if t == nil || t.Position == nil {
		return 1, 1
	}
	return max(t.Position.Line, 1), max(t.Position.Column, 1)
}
