package control

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
)

// maxEnvelope bounds what an agent decodes; a prepare for a rack stays far below it.
const maxEnvelope = 1 << 20

// Envelope is a Command as it travels: the exact bytes that were signed, so
// that no second encoding of the same command can differ from the first.
type Envelope struct {
	Payload   []byte `json:"payload"`   // JSON of a Command
	Signature []byte `json:"signature"` // Ed25519 over Payload
}

// ErrSignature says that a command was not signed by the key pinned on the host.
var ErrSignature = errors.New("wrong signature")

// Sign encodes c and signs the encoded bytes.
func Sign(key ed25519.PrivateKey, c Command) ([]byte, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode command %s: %w", c.ID, err)
	}
	b, err := json.Marshal(Envelope{Payload: payload, Signature: ed25519.Sign(key, payload)})
	if err != nil {
		return nil, fmt.Errorf("encode envelope of command %s: %w", c.ID, err)
	}
	return b, nil
}

// Open checks the signature of an encoded Envelope before it looks at the
// payload, and returns the command. It returns ErrSignature when key did not
// sign exactly these bytes.
func Open(key ed25519.PublicKey, b []byte) (Command, error) {
	var c Command
	if len(b) > maxEnvelope {
		return c, fmt.Errorf("decode envelope: %d bytes, the limit is %d", len(b), maxEnvelope)
	}
	var e Envelope
	if err := json.Unmarshal(b, &e); err != nil {
		return c, fmt.Errorf("decode envelope: %w", err)
	}
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, e.Payload, e.Signature) {
		return c, ErrSignature
	}
	if err := json.Unmarshal(e.Payload, &c); err != nil {
		return Command{}, fmt.Errorf("decode command: %w", err)
	}
	return c, nil
}
