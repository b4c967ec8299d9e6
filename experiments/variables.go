package experiments

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/firedrill-io/firedrill/experiments/strict"
)

// resolveVariables returns what each declared variable is: the given value,
// read as the kind that its default has, else the default.
func resolveVariables(doc *strict.Document, given map[string]string) map[string]any {
	values := map[string]any{}
	declared := doc.Root.Get("variables")
	var names []string
	for _, p := range declared.Entries() {
		names = append(names, p.Key)
		if p.Key == numberOfWrite {
			doc.AddKey(p, "choose another name", "${%s} is the number of a ledger's write", numberOfWrite)
			continue
		}
		if !strict.IsName(p.Key) {
			doc.AddKey(p, "write letters, digits, _ and -, a letter first", "%q cannot be used as ${name}", p.Key)
			continue
		}
		value := p.Value.Get("default")
		if value == nil {
			continue // the schema says that it is missing
		}
		values[p.Key] = value.Any()
		if text, ok := given[p.Key]; ok {
			v, err := convert(text, value)
			if err != nil {
				doc.Add(value, "give another --var "+p.Key, "--var %s=%s: %v", p.Key, text, err)
				continue
			}
			values[p.Key] = v
		}
	}
	at := doc.Root
	if declared != nil {
		at = declared
	}
	for name := range given {
		if declared.Get(name) == nil {
			doc.Add(at, strict.Choices(name, "known variables", names), "--var %s names no variable of this file", name)
		}
	}
	return values
}

// convert reads text as the kind of value that like is; lists are split at commas.
func convert(text string, like *strict.Node) (any, error) {
	switch like.Kind {
	case strict.Number:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("not a number, as the default is")
		}
		return f, nil
	case strict.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("not true or false, as the default is")
		}
		return b, nil
	case strict.List:
		list := []any{}
		for _, item := range strings.Split(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		return list, nil
	}
	return text, nil
}

// LabVariables returns the values as texts, lists joined by commas: what a lab
// file's variables of the same names are set to.
func (e *Experiment) LabVariables() map[string]string {
	out := make(map[string]string, len(e.Values))
	for name, v := range e.Values {
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		texts := make([]string, len(list))
		for i, item := range list {
			texts[i] = strict.Scalar(item)
		}
		out[name] = strings.Join(texts, ",")
	}
	return out
}
