package clients

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
)

// group is loops that start and stop together. The zero group has none.
type group struct {
	sync.WaitGroup
	mu     sync.Mutex
	cancel context.CancelFunc
}

// begin returns the context the group's loops run under.
func (g *group) begin(ctx context.Context) context.Context {
	g.mu.Lock()
	defer g.mu.Unlock()
	ctx, g.cancel = context.WithCancel(ctx)
	return ctx
}

// stop ends the loops and waits for them.
func (g *group) stop() {
	g.mu.Lock()
	cancel := g.cancel
	g.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	g.Wait()
}

// ignoreClosed drops the errors that only say that the peer has gone.
func ignoreClosed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) || errors.Is(err, io.ErrClosedPipe) || brokenPipe(err) {
		return nil
	}
	return err
}
