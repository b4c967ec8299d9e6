package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/firedrill-io/firedrill/internal/durable"
	"github.com/firedrill-io/firedrill/internal/evidence"
)

// compactAt is the size from which a file whose events are all acknowledged is
// written anew; below it a restart only sends some events twice.
const compactAt = 64 << 10

// spoolFile is one run's part of a Spool; the Spool's lock guards it.
type spoolFile struct {
	path    string
	log     *durable.Log
	seq     uint64 // of the last event, dropped ones included
	dropped uint64
	pending []Spooled
}

// spoolLine is one line of the file: an event, or only a sequence number after
// the file was written anew.
type spoolLine struct {
	Seq   uint64          `json:"seq"`
	Event *evidence.Event `json:"event,omitempty"`
}

func openSpoolFile(path string) (*spoolFile, error) {
	log, content, err := durable.OpenLog(path)
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	f := &spoolFile{path: path, log: log}
	if len(content) > 0 && content[len(content)-1] != '\n' {
		// A power cut tore the last line: the next one must not be glued to it.
		if err := log.Append([]byte{'\n'}); err != nil {
			return nil, errors.Join(fmt.Errorf("open spool: %w", err), log.Close())
		}
	}
	for b := range bytes.Lines(content) {
		var line spoolLine
		if json.Unmarshal(b, &line) != nil {
			continue // damaged: the injector sees the gap
		}
		f.seq = max(f.seq, line.Seq)
		if line.Event != nil {
			f.pending = append(f.pending, Spooled{Seq: line.Seq, Event: *line.Event})
		}
	}
	return f, nil
}

func (f *spoolFile) append(e evidence.Event) error {
	f.seq++
	b, err := json.Marshal(spoolLine{Seq: f.seq, Event: &e})
	if err != nil {
		return fmt.Errorf("encode evidence: %w", err)
	}
	b = append(b, '\n')
	if f.log.Size()+int64(len(b)) > maxSpoolFile {
		f.dropped++
		return nil
	}
	// Sent even when the disk refuses it: evidence in memory beats none.
	f.pending = append(f.pending, Spooled{Seq: f.seq, Event: e})
	return f.log.Append(b)
}

// batch returns up to n unacknowledged events.
func (f *spoolFile) batch(n int) []Spooled {
	return append([]Spooled(nil), f.pending[:min(n, len(f.pending))]...)
}

// ack forgets all events up to seq.
func (f *spoolFile) ack(seq uint64) error {
	for len(f.pending) > 0 && f.pending[0].Seq <= seq {
		f.pending = f.pending[1:]
	}
	if len(f.pending) > 0 || f.log.Size() < compactAt {
		return nil
	}
	b, err := json.Marshal(spoolLine{Seq: f.seq})
	if err != nil {
		return fmt.Errorf("encode spool: %w", err)
	}
	if err := durable.WriteFile(f.path, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("compact spool: %w", err)
	}
	log, _, err := durable.OpenLog(f.path)
	if err != nil {
		return fmt.Errorf("compact spool: %w", err)
	}
	_ = f.log.Close()
	f.log = log
	return nil
}
