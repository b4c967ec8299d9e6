package control

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/internal/durable"
)

// Why a Verifier refuses a command, besides ErrSignature.
var (
	ErrAddressee = errors.New("not addressed to this agent")
	ErrExpired   = errors.New("past its not-after")
	ErrReplayed  = errors.New("replayed")
)

// maxAhead bounds how far in the future a not-after may lie, and with it how
// long ids have to be remembered.
const maxAhead = 24 * time.Hour

// runID is what a run id may look like: it becomes part of a subject and of a file name.
var runID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Verifier decides which commands an agent carries out. Halt and revert pass
// whatever their age and however often they come, as they can only make a host
// safer; their signature and addressee are checked all the same.
type Verifier struct {
	name string
	key  ed25519.PublicKey
	path string
	now  func() time.Time

	mu   sync.Mutex
	seen map[string]time.Time // command id -> its not-after
}

// NewVerifier returns the Verifier of the agent called name. It remembers the
// ids of changing commands in dir/seen.json, so that a restart forgets none.
func NewVerifier(name string, key ed25519.PublicKey, dir string) (*Verifier, error) {
	v := &Verifier{name: name, key: key, path: filepath.Join(dir, "seen.json"), now: time.Now, seen: map[string]time.Time{}}
	b, err := os.ReadFile(v.path)
	if errors.Is(err, os.ErrNotExist) {
		return v, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read remembered commands: %w", err)
	}
	if err := json.Unmarshal(b, &v.seen); err != nil {
		return nil, fmt.Errorf("decode remembered commands %s: %w", v.path, err)
	}
	return v, nil
}

// Verify opens an encoded envelope and returns its command, or why it is refused.
func (v *Verifier) Verify(b []byte) (Command, error) {
	c, err := Open(v.key, b)
	if err != nil {
		return Command{}, err
	}
	if !slices.Contains(c.Agents, v.name) {
		return Command{}, fmt.Errorf("command %s: %w %s", c.ID, ErrAddressee, v.name)
	}
	if !runID.MatchString(c.Run) || c.ID == "" {
		return Command{}, fmt.Errorf("command %q of run %q: bad id", c.ID, c.Run)
	}
	if safer(c.Verb) {
		return c, nil
	}
	now := v.now()
	if now.After(c.NotAfter) || c.NotAfter.After(now.Add(maxAhead)) {
		return Command{}, fmt.Errorf("command %s: %w %s (this host's clock says %s)", c.ID, ErrExpired,
			c.NotAfter.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	return c, v.remember(c, now)
}

func safer(verb Verb) bool { return verb == VerbHalt || verb == VerbRevert }

// changes says whether a command alters the host, so that its id must outlive a restart.
func changes(verb Verb) bool {
	return verb != VerbStatus && verb != VerbObserve && verb != VerbDigest
}

func (v *Verifier) remember(c Command, now time.Time) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.seen[c.ID]; ok {
		return fmt.Errorf("command %s: %w", c.ID, ErrReplayed)
	}
	for id, end := range v.seen {
		if now.After(end) {
			delete(v.seen, id)
		}
	}
	v.seen[c.ID] = c.NotAfter
	if !changes(c.Verb) {
		return nil
	}
	b, err := json.Marshal(v.seen)
	if err != nil {
		return fmt.Errorf("encode remembered commands: %w", err)
	}
	return durable.WriteFile(v.path, b, 0o600)
}
