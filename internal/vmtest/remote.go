package vmtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/firedrill-io/firedrill/internal/proc"
)

// roleRemote is the argument with which the taker of commands is started.
const roleRemote = "firedrill-vm-remote"

// RemotePort is where a machine with systemd takes commands.
const RemotePort = 7101

type answer struct {
	Code  int
	Text  string // standard output and error
	Error string
}

// serveRemote runs one command for each connection: a JSON list of words in, an
// answer out. Nobody but the machine that emulates this one can dial it.
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
		go func() {
			defer c.Close()
			var words []string
			if json.NewDecoder(c).Decode(&words) == nil && len(words) > 0 {
				_ = json.NewEncoder(c).Encode(carryOut(words))
			}
		}()
	}
}

func carryOut(words []string) answer {
	f, err := os.CreateTemp("", "command")
	if err != nil {
		return answer{Error: err.Error()}
	}
	defer os.Remove(f.Name())
	defer f.Close()
	p, err := proc.Start(proc.Spec{Path: words[0], Args: words[1:], Env: environment(), Stdout: f, Stderr: f})
	if err != nil {
		return answer{Error: err.Error()}
	}
	code, err := p.Wait()
	text, err2 := os.ReadFile(f.Name())
	if err := errors.Join(err, err2); err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Code: code, Text: string(bytes.ToValidUTF8(text, nil))}
}

// Exec runs a command in a machine whose RemotePort is reached here as port,
// and returns what it printed. It fails if the exit code is not 0.
func Exec(port int, limit time.Duration, words ...string) (string, error) {
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), limit)
	if err != nil {
		return "", fmt.Errorf("dial machine: %w", err)
	}
	defer c.Close()
	var a answer
	if err := errors.Join(c.SetDeadline(time.Now().Add(limit)), json.NewEncoder(c).Encode(words), json.NewDecoder(c).Decode(&a)); err != nil {
		return "", fmt.Errorf("run %v in machine: %w", words, err)
	}
	if a.Error != "" || a.Code != 0 {
		return a.Text, fmt.Errorf("run %v in machine: exit code %d %s: %s", words, a.Code, a.Error, a.Text)
	}
	return a.Text, nil
}
