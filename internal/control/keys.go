package control

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// The files of a keys folder. A host holds the first two, the injector all.
const (
	CommandPub = "command.pub" // Ed25519 public key, base64: who may command this host
	AgentNK    = "agent.nk"    // nkey seed of the agents' user at the broker; may be missing with a broker that asks for none
	CommandKey = "command.key" // Ed25519 seed, base64: the injector's
	InjectorNK = "injector.nk" // nkey seed of the injector's user
)

// ReadCommandPub reads the pinned public key from a keys folder.
func ReadCommandPub(dir string) (ed25519.PublicKey, error) {
	b, err := readBase64(filepath.Join(dir, CommandPub), ed25519.PublicKeySize)
	if err != nil {
		return nil, fmt.Errorf("read the key that may command this host: %w", err)
	}
	return ed25519.PublicKey(b), nil
}

// ReadCommandKey reads the injector's private key from a keys folder.
func ReadCommandKey(dir string) (ed25519.PrivateKey, error) {
	b, err := readBase64(filepath.Join(dir, CommandKey), ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("read the key that signs commands: %w", err)
	}
	return ed25519.NewKeyFromSeed(b), nil
}

func readBase64(path string, size int) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", path, err)
	}
	if len(b) != size {
		return nil, fmt.Errorf("decode %s: %d bytes, want %d", path, len(b), size)
	}
	return b, nil
}

// NkeyOption reads an nkey seed and returns the NATS option that proves it; nil
// without an error when the file does not exist.
func NkeyOption(path string) (nats.Option, error) {
	seed, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read nkey: %w", err)
	}
	pair, err := nkeys.FromSeed(bytes.TrimSpace(seed))
	if err != nil {
		return nil, fmt.Errorf("decode nkey %s: %w", path, err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("read nkey %s: %w", path, err)
	}
	return nats.Nkey(public, pair.Sign), nil
}
