package broker

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nats-io/nkeys"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/durable"
)

// runKeys are the private keys of one run.
type runKeys struct {
	command         ed25519.PrivateKey
	agent, injector nkeys.KeyPair
}

// makeKeys makes fresh keys and writes the hosts' part to dir.
func makeKeys(dir string) (runKeys, error) {
	var k runKeys
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return k, fmt.Errorf("create keys folder: %w", err)
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return k, fmt.Errorf("make command key: %w", err)
	}
	if err := writeBase64(filepath.Join(dir, control.CommandPub), public); err != nil {
		return k, err
	}
	k.command = private
	if k.injector, err = nkeys.CreateUser(); err != nil {
		return k, fmt.Errorf("make injector's nkey: %w", err)
	}
	k.agent, err = writeNkey(filepath.Join(dir, control.AgentNK))
	return k, err
}

// WriteKeys writes the injector's own keys to dir, for another injector that is
// to command the same hosts through this broker.
func (b *Broker) WriteKeys(dir string) error {
	seed, err := b.keys.injector.Seed()
	if err != nil {
		return fmt.Errorf("read injector's nkey: %w", err)
	}
	if err := durable.WriteFile(filepath.Join(dir, control.InjectorNK), append(seed, '\n'), 0o600); err != nil {
		return err
	}
	return writeBase64(filepath.Join(dir, control.CommandKey), b.keys.command.Seed())
}

// EnsureCommandKey makes the pair that signs and checks commands in dir unless
// it is there. Hosts are given command.pub, never command.key.
func EnsureCommandKey(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create keys folder: %w", err)
	}
	path := filepath.Join(dir, control.CommandKey)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make command key: %w", err)
	}
	if err := writeBase64(filepath.Join(dir, control.CommandPub), public); err != nil {
		return err
	}
	return writeBase64(path, private.Seed())
}

func writeBase64(path string, b []byte) error {
	return durable.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(b)+"\n"), 0o600)
}

func writeNkey(path string) (nkeys.KeyPair, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, fmt.Errorf("make nkey: %w", err)
	}
	seed, err := pair.Seed()
	if err != nil {
		return nil, fmt.Errorf("make nkey: %w", err)
	}
	return pair, durable.WriteFile(path, append(seed, '\n'), 0o600)
}
