package control

import (
	"errors"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Code classifies a RemoteError.
type Code string

// The codes of a RemoteError; CodeFault means that Fault says more.
const (
	CodeSignature Code = "signature"
	CodeAddressee Code = "addressee"
	CodeExpired   Code = "expired"
	CodeReplayed  Code = "replayed"
	CodeFault     Code = "fault"
)

// RemoteError is an agent's refusal of a command.
type RemoteError struct {
	Agent   string       `json:"agent"`
	Code    Code         `json:"code"`
	Message string       `json:"message"`
	Fault   *fault.Error `json:"fault,omitempty"`
}

func (e *RemoteError) Error() string { return "agent " + e.Agent + ": " + e.Message }

// Is makes errors.Is work with the reasons of a Verifier after they crossed the wire.
func (e *RemoteError) Is(target error) bool {
	for sentinel, code := range refusals {
		if target == sentinel {
			return e.Code == code
		}
	}
	return e.Fault != nil && e.Fault.Is(target)
}

var refusals = map[error]Code{
	ErrSignature: CodeSignature,
	ErrAddressee: CodeAddressee,
	ErrExpired:   CodeExpired,
	ErrReplayed:  CodeReplayed,
}

func asRemote(agent string, err error) *RemoteError {
	for sentinel, code := range refusals {
		if errors.Is(err, sentinel) {
			return &RemoteError{Agent: agent, Code: code, Message: err.Error()}
		}
	}
	return &RemoteError{Agent: agent, Code: CodeFault, Message: err.Error(), Fault: fault.AsError(err)}
}
