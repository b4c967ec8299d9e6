//go:build !firedrill_noexempt

package main

// exemptOff is set in a test build only: network faults then cut the agent off.
const exemptOff = false
