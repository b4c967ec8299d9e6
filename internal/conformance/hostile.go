package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// answerTime is how long a plugin may think about parameters.
const answerTime = 5 * time.Second

// hostile are parameters that no experiment file should bring a plugin to its
// knees with.
type hostile struct {
	what   string
	params []byte
	wrong  bool // whatever the fault: it must be refused
}

// hostileTexts look like something else to whom hands them on. The longest is more
// than one argument of a program may have (MAX_ARG_STRLEN, execve(2)), a path or an
// attribute of netlink. They are made when they are used: every process of a test
// begins with what stands ready.
func hostileTexts() []string {
	return []string{
		"", "\x00", "../../../../etc/passwd", "/", "$(reboot)", "`reboot`", "; reboot", "-rf", "%s%n", "\n", "☃",
		strings.Repeat("9", 400), strings.Repeat("a", 1<<17),
	}
}

// hostileNumbers are beyond what a fault reckons with.
var hostileNumbers = []string{"-1", "0", "4611686018427387904", "1e308", "-1e308", "0.0000001"}

// hostileTo derives them from the parameters that are right and from what the
// plugin says of each.
func hostileTo(right json.RawMessage, schema json.RawMessage) ([]hostile, error) {
	list := []hostile{
		{"no JSON", []byte("{"), true}, {"a list", []byte("[]"), true}, {"a text", []byte(`"x"`), true}, {"a number", []byte("7"), true},
		{"two values", []byte("{} {}"), true},
	}
	var of struct {
		Properties map[string]struct {
			Type any `json:"type"`
		} `json:"properties"`
	}
	given := map[string]json.RawMessage{}
	if err := errors.Join(json.Unmarshal(schema, &of), json.Unmarshal(right, &given)); err != nil {
		return nil, fmt.Errorf("read parameters of the plugin: %w", err)
	}
	with := func(name, value string) []byte {
		changed := map[string]json.RawMessage{}
		for k, v := range given {
			changed[k] = v
		}
		changed[name] = json.RawMessage(value)
		b, _ := json.Marshal(changed) // all values are JSON
		return b
	}
	list = append(list, hostile{"an unknown parameter", with("no-such-parameter", "1"), true})
	for name, p := range of.Properties {
		kind, _ := p.Type.(string)
		for _, wrong := range wrongTypes[kind] {
			list = append(list, hostile{name + " as " + wrong, with(name, wrong), true})
		}
		for _, value := range hostileValues(kind) {
			list = append(list, hostile{fmt.Sprintf("%s as %.40s", name, value), with(name, value), false})
		}
	}
	return list, nil
}

// wrongTypes are values of another type than the schema's.
var wrongTypes = map[string][]string{
	"string": {`{"a":1}`, "[]", "7"}, "integer": {`"many"`, "[]", "1.5"}, "number": {`"many"`, "[]"},
	"array": {"7", `{"a":1}`}, "boolean": {`"yes"`, "1"}, "object": {"7", "[]"},
}

func hostileValues(kind string) (values []string) {
	switch kind {
	case "string":
		for _, text := range hostileTexts() {
			b, _ := json.Marshal(text) // texts only
			values = append(values, string(b))
		}
	case "integer", "number":
		values = hostileNumbers
	case "array":
		for _, text := range hostileTexts() {
			b, _ := json.Marshal([]string{text})
			values = append(values, string(b))
		}
		many, _ := json.Marshal(strings.Split(strings.Repeat("10.77.1.9 ", 9999)+"10.77.1.9", " "))
		values = append(values, "[]", string(many))
	}
	return values
}

// hostileParameters must each be answered, and change nothing: Prepare reads
// only, whatever it is asked.
func hostileParameters(tr *trial) {
	list, err := hostileTo(tr.params, tr.info.Params)
	tr.must("derive hostile parameters", err)
	for _, h := range list {
		ctx, cancel := context.WithTimeout(context.Background(), answerTime)
		_, err := tr.agent.Prepare(ctx, tr.target(), h.params)
		late := ctx.Err()
		cancel()
		var e *fault.Error
		var refused *fault.RefusedError
		switch {
		case late != nil:
			tr.failf("%s: no answer within %v", h.what, answerTime)
		case err != nil && (!errors.As(err, &e) || strings.Contains(err.Error(), transportTrouble)):
			tr.failf("%s: the plugin did not answer: %v", h.what, err)
			panic(abandoned{}) // it is dead, and all the others would say the same
		case h.wrong && err == nil:
			tr.failf("%s: accepted", h.what)
		case h.wrong && !errors.As(err, &refused):
			tr.failf("%s: error %v, want a refusal that names the parameter", h.what, err)
		}
	}
	tr.prepare() // it still knows what is right
	tr.unchanged()
}

// transportTrouble stands in errors that the plugin did not return itself.
const transportTrouble = "call plugin"
