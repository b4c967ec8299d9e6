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
)

// lister is a process inside the host that lists it whenever it is asked. It
// stays: to start one for each listing takes longer than the listing.
type lister struct {
	in, out *os.File
	kill    func()
	answers *json.Decoder
}

func startLister(start starter) (*lister, error) {
	in, out, kill, err := piped(start, roleLister)
	if err != nil {
		return nil, err
	}
	return &lister{in: in, out: out, kill: kill, answers: json.NewDecoder(out)}, nil
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
	_ = errors.Join(l.in.Close(), l.out.Close()) // nothing of it is asked for any more
	l.kill()
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
