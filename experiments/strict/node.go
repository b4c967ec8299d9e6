package strict

// Kind is the kind of a node.
type Kind int

// The kinds of nodes.
const (
	Null Kind = iota
	Text
	Number
	Bool
	List
	Map
)

// Node is one value of a file and where it stands. All methods work on nil,
// which is like an absent value, so that checks need no guards.
type Node struct {
	Kind   Kind
	Line   int
	Column int
	Value  any    // string, int64, uint64, float64 or bool
	Pairs  []Pair // of a Map, in file order
	Items  []*Node
	// Variable names the variable that the value came from.
	Variable string
}

// Pair is one entry of a Map.
type Pair struct {
	Key    string
	Line   int
	Column int
	Value  *Node
}

// Get returns the value at a path of keys, or nil.
func (n *Node) Get(path ...string) *Node {
	for _, key := range path {
		p, ok := n.Pair(key)
		if !ok {
			return nil
		}
		n = p.Value
	}
	return n
}

// Pair returns the entry of one key.
func (n *Node) Pair(key string) (Pair, bool) {
	if n == nil || n.Kind != Map {
		return Pair{}, false
	}
	for _, p := range n.Pairs {
		if p.Key == key {
			return p, true
		}
	}
	return Pair{}, false
}

// Entries returns the pairs of a Map, else nothing.
func (n *Node) Entries() []Pair {
	if n == nil {
		return nil
	}
	return n.Pairs
}

// List returns the items of a List, else nothing.
func (n *Node) List() []*Node {
	if n == nil {
		return nil
	}
	return n.Items
}

// OneOrMany returns the items of a List, or n alone if it is a Text.
func (n *Node) OneOrMany() []*Node {
	if n != nil && n.Kind == Text {
		return []*Node{n}
	}
	return n.List()
}

// Text returns the text of a Text and whether it is one.
func (n *Node) Text() (string, bool) {
	if n == nil || n.Kind != Text {
		return "", false
	}
	s, ok := n.Value.(string)
	return s, ok
}

// Any is the value as encoding/json would give it, with int64 for whole numbers.
func (n *Node) Any() any {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case Map:
		m := make(map[string]any, len(n.Pairs))
		for _, p := range n.Pairs {
			m[p.Key] = p.Value.Any()
		}
		return m
	case List:
		l := make([]any, len(n.Items))
		for i, item := range n.Items {
			l[i] = item.Any()
		}
		return l
	}
	return n.Value
}

// FromAny builds a node without a position of its own from plain values.
func FromAny(v any, at *Node, variable string) *Node {
	n := &Node{Line: at.Line, Column: at.Column, Value: v, Variable: variable}
	switch v := v.(type) {
	case string:
		n.Kind = Text
	case bool:
		n.Kind = Bool
	case int, int64, uint64, float64:
		n.Kind = Number
	case []any:
		n.Kind, n.Value = List, nil
		for _, item := range v {
			n.Items = append(n.Items, FromAny(item, at, variable))
		}
	}
	return n
}
