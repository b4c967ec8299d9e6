package main

import "errors"

// The exit codes of the host agent, the same as the injector's.
const (
	exitOK       = 0
	exitResidue  = 4  // something could not be reverted
	exitRefused  = 5  // nothing was done
	exitUsage    = 64 // command line
	exitInternal = 70
)

// exitError carries the exit code of a command to main.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func exitCode(err error) int {
	var coded *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &coded):
		return coded.code
	}
	return exitInternal
}
