// Package example holds what the documentation shows, so that it compiles, and
// the tests that compare it with the pages.
package example
