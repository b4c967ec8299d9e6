// Package e2e tests the built programs as a user runs them, bin/injector and
// bin/hostagent, and as an adversary who holds the broker may speak to them:
// commands are signed here, but nothing that carries one out is linked into the
// tests. Each test compares the machine before and after.
package e2e
