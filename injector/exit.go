package main

import "errors"

// The exit codes of the injector. docs/experiment-file.md explains each.
const (
	exitHeld         = 0
	exitDeviated     = 1
	exitInconclusive = 2
	exitHalted       = 3
	exitResidue      = 4
	exitRefused      = 5
	exitUsage        = 64  // command line
	exitInvalid      = 65  // experiment, inventory or lab file invalid, or empty target
	exitInternal     = 70  // a fault of our own
	exitInterrupted  = 130 // Ctrl-C or SIGTERM, everything reverted
)

// exitError carries the exit code of a command to main. Err may be nil when
// everything has been said already.
type exitError struct {
	Code int
	Err  error
}

func (e *exitError) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

func (e *exitError) Unwrap() error { return e.Err }

// withCode gives err an exit code; nil stays nil, and an error that has one keeps it.
func withCode(code int, err error) error {
	var have *exitError
	if err == nil || errors.As(err, &have) {
		return err
	}
	return &exitError{Code: code, Err: err}
}
