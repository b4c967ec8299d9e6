package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/firedrill-io/firedrill/internal/control"
)

// handle decodes a command's body and calls the verb's method.
func handle[Request, Reply any](ctx context.Context, c control.Command, verb func(context.Context, control.Command, Request) (Reply, error)) (any, error) {
	var r Request
	dec := json.NewDecoder(bytes.NewReader(c.Body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return nil, fmt.Errorf("decode body of %s: %w; injector and agent may be of different versions", c.Verb, err)
	}
	return verb(ctx, c, r)
}
