// Package example holds what the documentation shows, so that it compiles, and
// the tests that compare it with the pages.
package example

//go:generate go test -run TestFaultPages . -update
