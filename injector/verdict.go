package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/injector/internal/runner"
)

func run(ctx context.Context, cmd *cobra.Command, o runner.Options) error {
	result, err := runner.Run(ctx, o)
	var invalid *runner.InvalidError
	switch {
	case errors.As(err, &invalid):
		return withCode(exitInvalid, err)
	case errors.Is(err, runner.ErrFolder):
		return withCode(exitUsage, err)
	case err != nil && result == nil:
		return withCode(exitInternal, err)
	}
	code := runCode(result, o.AsPredicted)
	switch {
	case err != nil && code == exitHeld:
		return withCode(exitInternal, err)
	case err != nil:
		fmt.Fprintln(cmd.ErrOrStderr(), "injector: "+err.Error())
		fallthrough
	case code != exitHeld:
		return &exitError{Code: code}
	}
	return nil
}

// runCode is the exit code of a run. The codes that speak of the run itself
// come first, in the order of their gravity. With asPredicted only a match of
// every layout with its prediction is success; a verdict that was predicted
// loses its own code.
func runCode(r *report.Run, asPredicted bool) int {
	switch {
	case r.HostState == report.Residue:
		return exitResidue
	case r.Outcome == report.FailedRun:
		return exitInternal
	case r.Outcome == report.Interrupted:
		return exitInterrupted
	case r.Outcome == report.Halted:
		return exitHalted
	case r.Outcome == report.RefusedRun:
		return exitRefused
	}
	if asPredicted {
		return predictedCode(r)
	}
	switch r.Verdict {
	case report.Inconclusive:
		return exitInconclusive
	case report.Deviated:
		return exitDeviated
	}
	return exitHeld
}

func predictedCode(r *report.Run) int {
	code := exitHeld
	for _, l := range r.Layouts {
		switch {
		case l.Predicted.Match:
		case l.Verdict == report.Inconclusive && l.Predicted.Verdict != report.Inconclusive:
			return exitInconclusive
		default:
			code = exitDeviated
		}
	}
	return code
}
