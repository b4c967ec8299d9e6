// Package runner carries out one run: it raises the lab of each layout, waits
// until the hypothesis holds, drives the plan's injections and runbook steps at
// their times, and hands what was seen to judge and report.
//
// It fails towards safety: whatever goes wrong, and whoever interrupts, every
// injection is reverted and the lab taken down before it returns, and the
// report says how far that went.
package runner
