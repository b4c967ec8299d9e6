package guardian

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/firedrill-io/firedrill/internal/durable"
)

// State says which process is the agent of a root folder and what belongs to
// it, for those who have to fence it.
type State struct {
	Agent    ProcessID   `json:"agent"`
	BootID   string      `json:"boot_id"`
	Name     string      `json:"name"`
	Version  string      `json:"version"`
	Groups   []string    `json:"groups,omitempty"`  // of its plugins
	Plugins  []ProcessID `json:"plugins,omitempty"` // where there are no groups
	Guardian ProcessID   `json:"guardian"`
}

func statePath(root string) string { return filepath.Join(root, "agent.json") }

// ReadState reads the state in root. Without one, or with one of another boot,
// nobody is to be fenced and it is empty.
func ReadState(root, bootID string) (State, error) {
	b, err := os.ReadFile(statePath(root))
	if errors.Is(err, os.ErrNotExist) {
		return State{}, nil
	}
	var s State
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return State{}, fmt.Errorf("read agent state: %w", err)
	}
	if s.BootID != bootID {
		return State{}, nil
	}
	return s, nil
}

// WriteState stores s in root durably.
func WriteState(root string, s State) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode agent state: %w", err)
	}
	return durable.WriteFile(statePath(root), append(b, '\n'), 0o600)
}

// BootID is the kernel's name of this boot, /proc/sys/kernel/random/boot_id.
func BootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
