package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

const (
	viewsKey = "/fire/views/" // one view per controller
	toolWait = 700 * time.Millisecond
)

// A topic is what may stand in one place at a time; under its key the tool holds
// one active.
type topic string

const (
	ofCompany topic = "active" // which store takes writes
	ofCache   topic = "cache"  // which map of the login cache counts
)

func (t topic) key() string { return "/fire/" + string(t) }

// Set reads a topic from the command line.
func (t *topic) Set(v string) error {
	if v != string(ofCompany) && v != string(ofCache) {
		return fmt.Errorf("write %s or %s", ofCompany, ofCache)
	}
	*t = topic(v)
	return nil
}

// String is the topic as it is written.
func (t *topic) String() string { return string(*t) }

// The states of the active store. While it is promoting nobody serves.
const (
	stateActive    = "active"
	statePromoting = "promoting"
)

// active says which store takes writes. Every change raises the epoch.
type active struct {
	Site  string `json:"site"`
	Epoch int64  `json:"epoch"`
	State string `json:"state"`
}

var (
	errNoActive = errors.New("read the active site: etcd has none yet; run the setup role")
	errChanged  = errors.New("write the active site: somebody else was first")
)

// tool is the operations tool: etcd. It asks one endpoint and goes to the next
// when that one does not answer, as a connection to a dark member hangs.
type tool struct {
	clients []*clientv3.Client
	turn    atomic.Uint64
}

func openTool(endpoints []string) (*tool, error) {
	t := &tool{}
	for _, e := range endpoints {
		c, err := clientv3.New(clientv3.Config{
			Endpoints: []string{e}, DialTimeout: time.Second, Logger: zap.NewNop(),
			DialKeepAliveTime: 2 * time.Second, DialKeepAliveTimeout: time.Second,
			// A member that was dark for long must be found again quickly.
			DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.5, MaxDelay: time.Second},
				MinConnectTimeout: 500 * time.Millisecond,
			})},
		})
		if err != nil {
			t.close()
			return nil, fmt.Errorf("open etcd %s: %w", e, err)
		}
		t.clients = append(t.clients, c)
	}
	if len(t.clients) == 0 {
		return nil, errors.New("open etcd: no endpoint; give --etcd http://HOST:2379,…")
	}
	return t, nil
}

func (t *tool) close() {
	for _, c := range t.clients {
		_ = c.Close()
	}
}

// ask makes one bounded call; after a failure the next call goes elsewhere.
func (t *tool) ask(ctx context.Context, call func(context.Context, *clientv3.Client) error) error {
	turn := t.turn.Load()
	ctx, cancel := context.WithTimeout(ctx, toolWait)
	defer cancel()
	err := call(ctx, t.clients[turn%uint64(len(t.clients))])
	if err != nil {
		t.turn.CompareAndSwap(turn, turn+1)
	}
	return err
}

// active reads the active store and the revision to change it at.
func (t *tool) active(ctx context.Context) (active, int64, error) { return t.where(ctx, ofCompany) }

// where reads where a topic stands and the revision to change it at.
func (t *tool) where(ctx context.Context, of topic) (active, int64, error) {
	var a active
	var rev int64
	err := t.ask(ctx, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Get(ctx, of.key())
		if err != nil {
			return fmt.Errorf("read the active site: %w", err)
		}
		if len(r.Kvs) == 0 {
			return nil
		}
		rev = r.Kvs[0].ModRevision
		return json.Unmarshal(r.Kvs[0].Value, &a)
	})
	if err == nil && rev == 0 {
		err = errNoActive
	}
	return a, rev, err
}

// swap changes the active store, as move does.
func (t *tool) swap(ctx context.Context, rev int64, to active) (int64, error) {
	return t.move(ctx, ofCompany, rev, to)
}

// move changes where a topic stands if nobody changed it since revision rev (0:
// if it stands nowhere) and returns the new revision.
func (t *tool) move(ctx context.Context, of topic, rev int64, to active) (int64, error) {
	v, err := json.Marshal(to)
	if err != nil {
		return 0, err
	}
	var now int64
	err = t.ask(ctx, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(of.key()), "=", rev)).
			Then(clientv3.OpPut(of.key(), string(v))).Commit()
		if err != nil {
			return fmt.Errorf("write the active site: %w", err)
		}
		now = r.Header.Revision
		if !r.Succeeded {
			now = 0
		}
		return nil
	})
	if err == nil && now == 0 {
		err = errChanged
	}
	return now, err
}
