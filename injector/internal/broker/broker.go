// Package broker is the NATS server that an injector carries with it: on
// loopback only, on a random port, with users made for one run. Lab hosts,
// whose networks don't reach the machine's loopback, come in by a unix socket.
// It carries messages and nothing else: no JetStream, nothing on disk but keys.
package broker

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/firedrill-io/firedrill/internal/control"
)

// Broker is a running server.
type Broker struct {
	server *server.Server
	url    string
	keys   runKeys

	mu        sync.Mutex
	listeners []net.Listener
	conns     map[net.Conn]bool
	copying   sync.WaitGroup
}

// Start makes the keys of one run and starts a server that lets in only their
// owners. What hosts need of them, and no more, is written to the folder keys.
// The injector's own keys stay in memory.
func Start(keys string) (*Broker, error) {
	made, err := makeKeys(keys)
	if err != nil {
		return nil, err
	}
	users, err := users(made)
	if err != nil {
		return nil, err
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "firedrill",
		Host:       "127.0.0.1",
		Port:       server.RANDOM_PORT,
		NoLog:      true,
		NoSigs:     true,
		MaxPayload: 4 << 20,
		// A host that loses power says no goodbye.
		PingInterval: 5 * time.Second,
		MaxPingsOut:  2,
		Nkeys:        users,
	})
	if err != nil {
		return nil, fmt.Errorf("create broker: %w", err)
	}
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		s.Shutdown()
		return nil, errors.New("start broker: not ready after 10 s")
	}
	return &Broker{server: s, url: s.ClientURL(), keys: made, conns: map[net.Conn]bool{}}, nil
}

// Key signs the commands that this run's hosts obey.
func (b *Broker) Key() ed25519.PrivateKey { return b.keys.command }

// Connect opens the injector's own connection.
func (b *Broker) Connect(logger *slog.Logger) (*nats.Conn, error) {
	public, err := b.keys.injector.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("read injector's nkey: %w", err)
	}
	return control.Dial(b.url, "injector", logger, nats.Nkey(public, b.keys.injector.Sign))
}

// URL is where the broker listens, on loopback.
func (b *Broker) URL() string { return b.url }

// Close ends all connections and waits for their copiers and the server.
func (b *Broker) Close() {
	b.mu.Lock()
	for _, l := range b.listeners {
		_ = l.Close()
	}
	for c := range b.conns {
		_ = c.Close()
	}
	b.listeners = nil
	b.mu.Unlock()
	b.server.Shutdown()
	b.server.WaitForShutdown()
	b.copying.Wait()
}

// users returns the two users of a run. An agent hears commands and sends
// evidence; it can neither command another agent nor read its evidence.
func users(k runKeys) ([]*server.NkeyUser, error) {
	agentID, err := k.agent.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("read agents' nkey: %w", err)
	}
	injectorID, err := k.injector.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("read injector's nkey: %w", err)
	}
	return []*server.NkeyUser{
		{Nkey: agentID, Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: []string{control.SubjectEvidence + ">"}},
			Subscribe: &server.SubjectPermission{
				Allow: []string{control.SubjectCommands + "*", control.SubjectInboxes + "*.>"}},
			Response: &server.ResponsePermission{MaxMsgs: 1, Expires: 5 * time.Minute},
		}},
		{Nkey: injectorID},
	}, nil
}
