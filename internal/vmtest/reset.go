package vmtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// mayReset, in a machine, says that its only test may have it reset.
const mayReset = "/job/may-reset"

// resetLine is how a test asks for a reset.
const resetLine = "firedrill-vm: reset\n"

// AskReset has the machine that this test runs in reset from outside, as by its
// reset button, and returns only if that fails. The machine boots again and runs
// the same test from its beginning, in a folder of its own; what it is to find
// again it writes below /job, and syncs.
func AskReset() error {
	if _, err := os.Stat(mayReset); err != nil {
		return fmt.Errorf("ask for a reset: %w; run it with VMRUN_RESETS=1", err)
	}
	fmt.Print(resetLine)
	time.Sleep(monitorLimit)
	return errors.New("ask for a reset: nobody resets this machine")
}

// maxResets bounds how often a test may begin anew.
const maxResets = 5

// errReset ends a command in a machine that was reset.
var errReset = errors.New("the machine was reset")

// RunAcross runs a command as Run does, resets the machine when the command asks
// for it (AskReset), and runs it again after each reset, whoever caused it.
func (m *Machine) RunAcross(ctx context.Context, port int, c Command, out io.Writer) (code int, err error) {
	mon, err := m.attend()
	if err != nil {
		return 0, err
	}
	defer mon.close()
	for range maxResets {
		once, cancel := context.WithCancelCause(ctx)
		go func() {
			select {
			case <-mon.resets:
				cancel(errReset)
			case <-once.Done():
			}
		}()
		code, err = Run(once, port, c, onLine{out, resetLine, func() { _ = mon.do("system_reset") }})
		again := errors.Is(context.Cause(once), errReset)
		cancel(nil)
		if !again {
			return code, err
		}
		mon.settle()
	}
	return 0, fmt.Errorf("%w %d times: %w", errReset, maxResets, err)
}

// onLine calls do when a line is written through it. A command writes a line at once.
type onLine struct {
	io.Writer
	line string
	do   func()
}

func (l onLine) Write(b []byte) (int, error) {
	if strings.Contains(string(b), l.line) {
		l.do()
	}
	return l.Writer.Write(b)
}

// Reset resets the machine at once: processors, memory and devices begin anew.
// What the machine has sent to its disks is there.
func (m *Machine) Reset() error {
	mon, err := m.attend()
	if err != nil {
		return err
	}
	defer mon.close()
	return mon.do("system_reset")
}

// monitor is a connection to the monitor of the emulator, which takes one at a time
// (QMP, docs/interop/qmp-spec of qemu).
type monitor struct {
	conn    net.Conn
	answers chan error
	resets  chan struct{} // one for each reset, whoever caused it
}

// monitorLimit is how long the monitor may take to answer.
const monitorLimit = 10 * time.Second

func (m *Machine) attend() (*monitor, error) {
	var conn net.Conn
	var err error
	for end := time.Now().Add(emulatorStarts); ; time.Sleep(50 * time.Millisecond) {
		if conn, err = net.Dial("unix", filepath.Join(m.folder, "qmp")); err == nil {
			break
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("attend machine: %w", err)
		}
	}
	mon := &monitor{conn: conn, answers: make(chan error), resets: make(chan struct{}, maxResets)}
	go mon.listen()
	if err := mon.do("qmp_capabilities"); err != nil {
		mon.close()
		return nil, err
	}
	return mon, nil
}

// listen sorts what the monitor says until it hangs up.
func (m *monitor) listen() {
	defer close(m.answers)
	for in := json.NewDecoder(m.conn); ; {
		var said struct {
			Event         string
			Return, Error json.RawMessage
		}
		switch err := in.Decode(&said); {
		case err != nil:
			return
		case said.Event == "RESET":
			select {
			case m.resets <- struct{}{}:
			default:
			}
		case said.Error != nil:
			m.answers <- fmt.Errorf("the emulator says %s", said.Error)
		case said.Return != nil:
			m.answers <- nil
		}
	}
}

// do gives one command without arguments.
func (m *monitor) do(command string) error {
	if err := json.NewEncoder(m.conn).Encode(map[string]string{"execute": command}); err != nil {
		return fmt.Errorf("have the emulator do %s: %w", command, err)
	}
	select {
	case err, ok := <-m.answers:
		if !ok {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("have the emulator do %s: %w", command, err)
		}
		return nil
	case <-time.After(monitorLimit):
		return fmt.Errorf("have the emulator do %s: no answer", command)
	}
}

// resetsWithin is in what time the resets are one: a kernel asks by several ways, one
// right after the other, and is heard more than once.
const resetsWithin = time.Second

// settle lets the rest of a reset pass.
func (m *monitor) settle() {
	for {
		select {
		case <-m.resets:
		case <-time.After(resetsWithin):
			return
		}
	}
}

// close hangs up; an answer that nobody waits for is let go.
func (m *monitor) close() {
	_ = m.conn.Close()
	for range m.answers {
	}
}
