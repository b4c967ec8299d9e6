package runner

import (
	"context"
	"crypto/ed25519"
	"io"

	"github.com/nats-io/nats.go"

	"github.com/firedrill-io/firedrill/injector/internal/plan"
)

// ground is what a layout runs on: a lab raised for it, or real hosts.
type ground interface {
	// Link returns the injector's connection to the agents and the key that
	// signs their commands. Down closes the connection.
	Link() (*nats.Conn, ed25519.PrivateKey)
	// Begin starts agents and services, where that is ours to do.
	Begin(ctx context.Context) error
	// Clients starts the clients process and returns the socket to it.
	Clients() (io.ReadWriteCloser, error)
	// Settle makes the hosts write what they have not written to disk yet.
	Settle(ctx context.Context) error
	// Step carries out one runbook step and returns what it printed.
	Step(ctx context.Context, s plan.Step) (string, error)
	// Down undoes what raising it made, and lists what is left of it.
	Down(ctx context.Context) (residue []string, err error)
}
