// Package overlap tries faults together: any that the plan lets overlap, on one
// lab host, applied, observed, renewed and reverted in any order, by processes
// that come and go in between. At the end the host must be as it was found.
//
// Each kind in the catalogue takes part. A new one needs an entry in the table of
// kinds_test.go: parameters with which it acts on the host that the test makes, or
// the reason why it can't; without one the test fails.
package overlap
