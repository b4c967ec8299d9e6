package conformance

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/firedrill-io/firedrill/internal/digest"
	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// lister is a process inside the host that lists it whenever it is asked. It
// stays: to start one for each listing takes longer than the listing.
type lister struct {
	process *lab.HostProcess
	in, out *os.File
	answers *json.Decoder
}

func startLister(l *lab.Lab, host string) (*lister, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	defer theirOut.Close()
	p, err := l.Start(host, lab.HostCommand{
		Path: proc.Self, Args: []string{roleLister}, Stdio: lab.Stdio{In: theirIn, Out: theirOut, Err: os.Stderr},
	})
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	return &lister{process: p, in: in, out: out, answers: json.NewDecoder(out)}, nil
}

func (l *lister) list() (d digest.Digest, err error) {
	if err := l.out.SetReadDeadline(time.Now().Add(callTime)); err != nil {
		return d, err
	}
	if _, err := l.in.WriteString("\n"); err != nil {
		return d, err
	}
	return d, l.answers.Decode(&d)
}

func (l *lister) close() {
	_ = errors.Join(l.in.Close(), l.out.Close(), l.process.Close()) // kills it; nothing of it is asked for any more
}

// runLister is the role inside the host: a listing for each line.
func runLister(in io.Reader, out io.Writer) error {
	asked, answers := bufio.NewScanner(in), json.NewEncoder(out)
	for asked.Scan() {
		d, err := listing()
		if err != nil {
			return err
		}
		if err := answers.Encode(d); err != nil {
			return fmt.Errorf("write listing: %w", err)
		}
	}
	return asked.Err()
}

func listing() (digest.Digest, error) {
	return digest.Host(digest.HostOptions{Folders: []string{"/tmp", "/data"}})
}
