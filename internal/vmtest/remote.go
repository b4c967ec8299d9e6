package vmtest

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/firedrill-io/firedrill/internal/proc"
)

// RemotePort is where a machine takes commands.
const RemotePort = 7101

// Command is what a machine is to run, as root.
type Command struct {
	Words []string // the program and its arguments
	// Files are put into a new folder, executable, and are gone after the end.
	// The program, if it is one of them, runs in the folder below it that Dir
	// names; without files in /.
	Files map[string][]byte
	Dir   string
}

// answer is a piece of what the command prints; the last one is Done.
type answer struct {
	Output []byte
	Done   bool
	Code   int
	Error  string
}

// Run runs a command in a machine whose RemotePort is reached here as port,
// copies what it prints to out and returns its exit code. When ctx ends, the
// command is killed. A machine that is still booting is waited for, one that
// nobody runs is an error.
func Run(ctx context.Context, port int, c Command, out io.Writer) (code int, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("run %s in machine: %w", strings.Join(c.Words, " "), errors.Join(context.Cause(ctx), err))
		}
	}()
	conn, err := dial(ctx, port)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := gob.NewEncoder(conn).Encode(c); err != nil {
		return 0, err
	}
	for in := gob.NewDecoder(conn); ; {
		var a answer
		if err := in.Decode(&a); err != nil {
			return 0, fmt.Errorf("the machine went away: %w", err)
		}
		if a.Error != "" {
			return 0, errors.New(a.Error)
		}
		if _, err := out.Write(a.Output); err != nil {
			return 0, err
		}
		if a.Done {
			return a.Code, nil
		}
	}
}

// hello is what a machine that is up sends first. The emulator accepts
// connections before that, and lets go of them.
const hello = "firedrill-vm\n"

// emulatorStarts is how long the emulator may take until it accepts any.
const emulatorStarts = 5 * time.Second

func dial(ctx context.Context, port int) (net.Conn, error) {
	for began := time.Now(); ; {
		c, err := greeted(ctx, port)
		if err == nil {
			return c, nil
		}
		if errors.Is(err, syscall.ECONNREFUSED) && time.Since(began) > emulatorStarts {
			return nil, fmt.Errorf("nobody runs it: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func greeted(ctx context.Context, port int) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Second)) // fails only on a closed one
	_, err = io.ReadFull(c, make([]byte, len(hello)))
	if err := errors.Join(err, c.SetReadDeadline(time.Time{})); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// Exec runs a command as Run does and returns what it printed. It fails if the
// exit code is not 0.
func Exec(port int, limit time.Duration, words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var out strings.Builder
	code, err := Run(ctx, port, Command{Words: words}, &out)
	if err == nil && code != 0 {
		err = fmt.Errorf("run %v in machine: exit code %d: %s", words, code, out.String())
	}
	return out.String(), err
}

// roleRemote is the argument with which the taker of commands is started.
const roleRemote = "firedrill-vm-remote"

// serveRemote runs one command for each connection. Nobody but the machine that
// emulates this one can dial it.
func serveRemote() error {
	if err := setAddress(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", RemotePort))
	if err != nil {
		return fmt.Errorf("listen for commands: %w", err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return fmt.Errorf("accept command: %w", err)
		}
		go serve(c)
	}
}

func serve(conn net.Conn) {
	defer conn.Close()
	var c Command
	in, out := gob.NewDecoder(conn), gob.NewEncoder(conn)
	if _, err := io.WriteString(conn, hello); err != nil || in.Decode(&c) != nil || len(c.Words) == 0 {
		return
	}
	last := answer{Done: true}
	var err error
	if last.Code, err = c.carryOut(conn, func(b []byte) { _ = out.Encode(answer{Output: b}) }); err != nil {
		last.Error = err.Error()
	}
	_ = out.Encode(last)
}

// carryOut runs the command until it ends, or until who asked for it hangs up.
func (c Command) carryOut(conn net.Conn, print func([]byte)) (code int, err error) {
	folder, err := c.unpack()
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err != nil {
		return 0, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	p, err := proc.Start(proc.Spec{
		Path: c.Words[0], Args: c.Words[1:], Env: environment(), Dir: filepath.Join("/", folder, c.Dir), Stdout: w, Stderr: w,
	})
	if err := errors.Join(err, w.Close()); err != nil {
		return 0, err
	}
	go func() {
		_, _ = conn.Read(make([]byte, 1)) // nothing more comes but the end
		_ = p.Signal(syscall.SIGKILL)
	}()
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		b := make([]byte, 64<<10)
		for n, err := r.Read(b); err == nil; n, err = r.Read(b) {
			print(b[:n])
		}
	}()
	code, err = p.Wait()
	// What it left running may hold its output open for ever.
	_ = r.SetReadDeadline(time.Now().Add(time.Second))
	<-printed
	return code, err
}

// OnJob is where a machine sees a file of its job.
func OnJob(name string) string { return filepath.Join("/job", name) }

// unpack writes the files of c into a new folder and names the program in it.
func (c *Command) unpack() (folder string, err error) {
	if len(c.Files) == 0 {
		return "", nil
	}
	if folder, err = os.MkdirTemp("/job", "run"); err != nil {
		return "", err
	}
	for name, data := range c.Files {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o755)); err != nil {
			return folder, err
		}
	}
	if !filepath.IsAbs(c.Words[0]) {
		c.Words[0] = filepath.Join(folder, c.Words[0])
	}
	return folder, os.MkdirAll(filepath.Join(folder, c.Dir), 0o755)
}
