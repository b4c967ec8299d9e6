package clients

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"syscall"
)

// backlog is how many lines wait while the runner is slow: minutes of samples.
const backlog = 1 << 16

// stream writes lines without making the senders wait for the socket, and
// flushes when it has nothing more to write.
type stream struct {
	lines chan line
	done  chan error
}

func newStream(w io.Writer) *stream {
	s := &stream{lines: make(chan line, backlog), done: make(chan error, 1)}
	go func() { s.done <- s.write(bufio.NewWriter(w)) }()
	return s
}

func (s *stream) send(l line) { s.lines <- l }

// close writes what is left. Nobody may send afterwards.
func (s *stream) close() error {
	close(s.lines)
	return ignoreClosed(<-s.done)
}

func (s *stream) write(w *bufio.Writer) error {
	encoder := json.NewEncoder(w)
	var broken error
	for l := range s.lines {
		if broken != nil {
			continue // keeps the senders from blocking
		}
		broken = encoder.Encode(l)
		if broken == nil && len(s.lines) == 0 {
			broken = w.Flush()
		}
	}
	if broken != nil {
		return broken
	}
	return w.Flush()
}

func brokenPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
