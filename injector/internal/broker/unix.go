package broker

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// ListenUnix accepts connections on a socket at path, which is replaced, and
// copies each to the broker's port: the server itself has no unix listener.
func (b *Broker) ListenUnix(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("replace socket: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", path)
	if err != nil {
		return fmt.Errorf("listen on the management network: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return fmt.Errorf("restrict socket: %w", err)
	}
	b.mu.Lock()
	b.listeners = append(b.listeners, l)
	b.mu.Unlock()
	b.copying.Go(func() { b.accept(l) })
	return nil
}

func (b *Broker) accept(l net.Listener) {
	for {
		outer, err := l.Accept()
		if err != nil {
			return // closed
		}
		b.copying.Go(func() { b.join(outer) })
	}
}

// join copies between one accepted connection and the server until either ends.
func (b *Broker) join(outer net.Conn) {
	dialer := net.Dialer{Timeout: 2 * time.Second}
	inner, err := dialer.DialContext(context.Background(), "tcp", strings.TrimPrefix(b.url, "nats://"))
	if err != nil {
		_ = outer.Close()
		return
	}
	b.track(outer, inner)
	defer b.forget(outer, inner)
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{outer, inner}, {inner, outer}} {
		b.copying.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			done <- struct{}{}
		})
	}
	<-done
}

func (b *Broker) track(conns ...net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range conns {
		b.conns[c] = true
	}
}

func (b *Broker) forget(conns ...net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(b.conns, c)
	}
}
