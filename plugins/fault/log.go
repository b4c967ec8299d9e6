package fault

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

type logKey struct{}

// Logger is the plugin's log inside Serve; elsewhere it discards. A plugin logs
// by it and never prints: a line that nobody reads would stop the process.
func Logger(ctx context.Context) *slog.Logger {
	if l, ok := ctx.Value(logKey{}).(*slog.Logger); ok {
		return l
	}
	return slog.New(slog.DiscardHandler)
}

func withLogger(ctx context.Context, l *slog.Logger) context.Context {
	return context.WithValue(ctx, logKey{}, l)
}

// newLogger writes lines with the keys that go-plugin's host side parses.
func newLogger(w io.Writer, name string) *slog.Logger {
	h := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: hclogKeys})
	return slog.New(h).With("@module", name)
}

// hclogTime is the only form of time that hclog reads back.
const hclogTime = "2006-01-02T15:04:05.000000Z07:00"

func hclogKeys(groups []string, a slog.Attr) slog.Attr {
	if d, ok := a.Value.Any().(time.Duration); ok {
		return slog.String(a.Key, d.String())
	}
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		return slog.String("@timestamp", a.Value.Time().Format(hclogTime))
	case slog.LevelKey:
		return slog.String("@level", strings.ToLower(a.Value.String()))
	case slog.MessageKey:
		a.Key = "@message"
	}
	return a
}

// logBacklog is how many lines may wait for a log file that doesn't take them.
const logBacklog = 256

// lineWriter hands lines to a goroutine that writes them; a full backlog drops
// lines instead of blocking, because its file may lie on a frozen file system.
type lineWriter struct {
	lines   chan []byte
	stop    chan struct{}
	done    chan struct{}
	dropped atomic.Uint64
}

func newLineWriter(to io.Writer) *lineWriter {
	w := &lineWriter{lines: make(chan []byte, logBacklog), stop: make(chan struct{}), done: make(chan struct{})}
	go w.run(to)
	return w
}

func (w *lineWriter) run(to io.Writer) {
	defer close(w.done)
	for {
		select {
		case l := <-w.lines:
			_, _ = to.Write(l) // nobody could be told
			continue
		default:
		}
		select {
		case l := <-w.lines:
			_, _ = to.Write(l)
		case <-w.stop:
			return
		}
	}
}

// Write never blocks and never fails.
func (w *lineWriter) Write(p []byte) (int, error) {
	select {
	case w.lines <- bytes.Clone(p):
	default:
		w.dropped.Add(1)
	}
	return len(p), nil
}

// flush lets the lines that wait go out, for at most d; later ones are dropped.
func (w *lineWriter) flush(d time.Duration) {
	close(w.stop)
	select {
	case <-w.done:
	case <-time.After(d):
	}
}
