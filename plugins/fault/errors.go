package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Sentinels a plugin returns and the agent branches on. They cross the wire.
var (
	// ErrGone: the target has another identity than the record, or none. Nothing was touched.
	ErrGone = errors.New("target gone")
	// ErrChanged: the host changed between Prepare and Apply. Nothing was touched.
	ErrChanged = errors.New("changed since prepare")
	// ErrStuck: somebody else changed the same knob meanwhile; theirs was left.
	ErrStuck = errors.New("stuck: changed by another owner")
	// ErrUnsupported: the kernel or host lacks what the fault needs.
	ErrUnsupported = errors.New("unsupported")
)

// RefusedError says why Prepare refuses, with the parameter's path where one is to blame.
type RefusedError struct {
	Field  string // path of the parameter, e.g. "ports[1]"; empty: the target
	Reason string // what is wrong and what to do
}

func (e *RefusedError) Error() string {
	if e.Field == "" {
		return "refused: " + e.Reason
	}
	return fmt.Sprintf("refused: %s: %s", e.Field, e.Reason)
}

// Refuse returns a RefusedError for field.
func Refuse(field, format string, args ...any) error {
	return &RefusedError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// Code classifies an Error on the wire.
type Code string

// The codes of an Error.
const (
	CodeRefused     Code = "refused"
	CodeUnsupported Code = "unsupported"
	CodeGone        Code = "gone"
	CodeChanged     Code = "changed"
	CodeStuck       Code = "stuck"
	CodeInternal    Code = "internal"
)

// Error is an error as it crosses the wire and stands in the journal.
type Error struct {
	Code    Code   `json:"code"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }

// Is makes errors.Is work with the sentinels after the error crossed the wire.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrGone:
		return e.Code == CodeGone
	case ErrChanged:
		return e.Code == CodeChanged
	case ErrStuck:
		return e.Code == CodeStuck
	case ErrUnsupported:
		return e.Code == CodeUnsupported
	}
	return false
}

// As gives back the RefusedError that crossed the wire.
func (e *Error) As(target any) bool {
	r, ok := target.(**RefusedError)
	if !ok || e.Code != CodeRefused {
		return false
	}
	*r = &RefusedError{Field: e.Field, Reason: e.reason()}
	return true
}

// reason is the message without what RefusedError puts before it.
func (e *Error) reason() string {
	s := strings.TrimPrefix(e.Message, "refused: ")
	if e.Field != "" {
		s = strings.TrimPrefix(s, e.Field+": ")
	}
	return s
}

// Err is e as an error; nil stays nil.
func (e *Error) Err() error {
	if e == nil {
		return nil
	}
	return e
}

// AsError turns err into its wire form; nil stays nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var w *Error
	if errors.As(err, &w) {
		return &Error{Code: w.Code, Field: w.Field, Message: err.Error()}
	}
	var r *RefusedError
	if errors.As(err, &r) {
		return &Error{Code: CodeRefused, Field: r.Field, Message: err.Error()}
	}
	for sentinel, code := range map[error]Code{ErrGone: CodeGone, ErrChanged: CodeChanged, ErrStuck: CodeStuck, ErrUnsupported: CodeUnsupported} {
		if errors.Is(err, sentinel) {
			return &Error{Code: code, Message: err.Error()}
		}
	}
	return &Error{Code: CodeInternal, Message: err.Error()}
}
