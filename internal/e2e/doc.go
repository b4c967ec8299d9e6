// Package e2e tests the built programs as a user runs them: bin/injector and
// bin/hostagent, and nothing that is linked into the tests. Each test compares
// the machine before and after.
package e2e
