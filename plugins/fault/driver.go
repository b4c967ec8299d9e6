package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Driver is a Plugin with its types erased to the bytes that are journaled and
// sent over the wire. Agent, guardian and conformance suite see only Drivers.
type Driver interface {
	Describe(ctx context.Context) (Info, error)
	Prepare(ctx context.Context, t Target, params json.RawMessage) (change json.RawMessage, err error)
	// Apply waits for at, then applies all items; one Applied an item, in order.
	Apply(ctx context.Context, items []RawItem, at, until BootTime) ([]Applied, error)
	Observe(ctx context.Context, t Target, change json.RawMessage) (Observation, error)
	Revert(ctx context.Context, t Target, change json.RawMessage) error
}

// RawItem is one injection handed to Driver.Apply.
type RawItem struct {
	ID     InjectionID     `json:"id"`
	Target Target          `json:"target"`
	Change json.RawMessage `json:"change"`
}

// decodeStrict is for parameters: a misspelt one must never be ignored.
func decodeStrict[T any](b []byte) (v T, err error) {
	if len(bytes.TrimSpace(b)) == 0 {
		b = []byte("{}")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, paramsError(err)
	}
	if dec.More() {
		return v, Refuse("", "decode parameters: more than one value; give one object")
	}
	return v, nil
}

// paramsError finds the field that encoding/json complains about.
func paramsError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return Refuse(asWritten(wrong.Field), "is a %s; give a %s", wrong.Value, wrong.Type)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return Refuse(strings.Trim(name, `"`), "unknown parameter")
	}
	return Refuse("", "decode parameters: %v", err)
}

// asWritten drops the names of embedded structs, which encoding/json puts into the
// path and nobody wrote: they begin with a capital, names of parameters do not.
func asWritten(path string) string {
	parts := strings.Split(path, ".")
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p != "" && unicode.IsUpper(rune(p[0])) }), ".")
}

// decodeLenient is for change records: an older or newer binary must be able to revert them.
func decodeLenient[T any](b []byte) (v T, err error) {
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("decode change record: %w", err)
	}
	return v, nil
}
