package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/proc"
)

// released is what the keeper is told last when the terminal has been put right.
const released = "terminal released\n"

// rightAgain undoes what a live view may have left on: synchronised output,
// keyboard modes, bracketed paste, colours, the hidden cursor, the other screen.
const rightAgain = "\x1b[?2026l\x1b[?2027l\x1b[=0;1u\x1b[>4;0m\x1b[?2004l\x1b[0m\x1b[?1049l\x1b[?25h\r"

// keepTerminal starts a process that puts the terminal right if this one dies
// without doing so, and prints there what this one said when it died. The
// function it returns tells the keeper that all is right.
func keepTerminal() (release func(), err error) {
	was, err := unix.IoctlGetTermios(int(os.Stdin.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("read terminal settings: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open pipe: %w", err)
	}
	defer func() { _ = r.Close() }()
	// A session of its own: what ends this process from the terminal spares it.
	keeper, err := proc.Start(proc.Spec{Path: proc.Self, Args: []string{"keeper"}, Stdin: os.Stdin, Stdout: os.Stdout,
		Extra: []*os.File{r}, Attr: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	err = errors.Join(json.NewEncoder(w).Encode(was), debug.SetCrashOutput(w, debug.CrashOptions{}))
	return func() {
		_ = debug.SetCrashOutput(nil, debug.CrashOptions{})
		_, _ = io.WriteString(w, released)
		_ = w.Close()
		_, _ = keeper.Wait()
	}, err
}

// newKeeperCommand is the process that keepTerminal starts. It is hidden.
func newKeeperCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "keeper",
		Short:  "Put the terminal right when a live view dies (started by injector run)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return keep(os.NewFile(3, "injector"), os.Stdin, os.Stdout)
		},
	}
}

// keep waits until from ends, and puts the terminal right unless it was told
// that it is.
func keep(from io.Reader, in, out *os.File) error {
	reader := bufio.NewReader(from)
	head, err := reader.ReadString('\n')
	if err != nil {
		return fmt.Errorf("read terminal settings: %w", err)
	}
	var was unix.Termios
	if err := json.Unmarshal([]byte(head), &was); err != nil {
		return fmt.Errorf("read terminal settings: %w", err)
	}
	last, err := io.ReadAll(reader)
	if strings.HasSuffix(string(last), released) {
		return nil
	}
	text := fmt.Sprintf("%sinjector died during the run. Agents revert by themselves when their lease ends; a lab goes away by itself.\n", last)
	return errors.Join(err, write(out, rightAgain), unix.IoctlSetTermios(int(in.Fd()), unix.TCSETSW, &was), write(out, text))
}

func write(out io.Writer, text string) error {
	_, err := io.WriteString(out, text)
	return err
}
