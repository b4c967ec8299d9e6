package vmtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// resetLine is how a test asks for a reset, on the kernel's console.
const resetLine = "firedrill-vm: reset"

const (
	resetPoll  = 50 * time.Millisecond
	resetLimit = 10 * time.Second
)

// AskReset has the machine that this test runs in reset from outside, as by its
// reset button, and returns only if that fails. The machine boots again and runs
// the same test from its beginning. What it wrote to its disks without a flush is
// lost, /job included.
func AskReset() error {
	console, err := os.OpenFile("/dev/ttyS0", os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("open console: %w", err)
	}
	defer console.Close()
	if _, err := fmt.Fprintf(console, "\n%s\n", resetLine); err != nil {
		return fmt.Errorf("ask for a reset: %w", err)
	}
	_ = unix.IoctlSetInt(int(console.Fd()), unix.TCSBRK, 1)
	time.Sleep(resetLimit)
	return errors.New("ask for a reset: nobody resets this machine")
}

func (m *Machine) resetIfAsked() error {
	b, err := os.ReadFile(m.path("console"))
	if errors.Is(err, fs.ErrNotExist) { // qemu is still starting
		return nil
	}
	if err != nil || strings.Count(string(b), resetLine) <= m.resets {
		return err
	}
	m.resets++
	return m.Reset()
}

// Reset resets the machine at once, system_reset of qemu's monitor: processors,
// memory and devices begin anew. What the machine flushed to its disks is there.
func (m *Machine) Reset() error {
	c, err := net.DialTimeout("unix", m.path("qmp"), resetLimit)
	if err != nil {
		return fmt.Errorf("reset machine: %w", err)
	}
	defer c.Close()
	out, in := json.NewEncoder(c), json.NewDecoder(c)
	err = errors.Join(c.SetDeadline(time.Now().Add(resetLimit)), in.Decode(new(json.RawMessage))) // the greeting
	for _, command := range []string{"qmp_capabilities", "system_reset"} {
		err = errors.Join(err, out.Encode(map[string]string{"execute": command}), returned(in))
	}
	if err != nil {
		return fmt.Errorf("reset machine: %w", err)
	}
	return nil
}

// returned reads until the answer to a command; events come in between.
func returned(in *json.Decoder) error {
	for {
		var answer struct{ Return, Error *json.RawMessage }
		if err := in.Decode(&answer); err != nil {
			return err
		}
		switch {
		case answer.Error != nil:
			return fmt.Errorf("qemu: %s", *answer.Error)
		case answer.Return != nil:
			return nil
		}
	}
}
