package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// launchTimeout bounds the start of a plugin process.
const launchTimeout = 15 * time.Second

// pool holds one plugin process a kind, from the first injection of the kind
// to the end of the last: injections that start together go in one call.
type pool struct {
	a *Agent

	mu    sync.Mutex
	users map[Plugin]int
	kinds map[fault.Kind]Plugin
}

func newPool(a *Agent) *pool {
	return &pool{a: a, users: map[Plugin]int{}, kinds: map[fault.Kind]Plugin{}}
}

// get returns the plugin of kind, started if there is none, for one injection.
func (p *pool) get(ctx context.Context, kind fault.Kind) (Plugin, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if plugin := p.kinds[kind]; plugin != nil && running(plugin) {
		p.users[plugin]++
		return plugin, nil
	}
	ctx, cancel := context.WithTimeout(ctx, launchTimeout)
	defer cancel()
	plugin, err := p.a.cfg.Launch(ctx, kind, p.a.groups.Plugins)
	if err != nil {
		return nil, err
	}
	p.kinds[kind] = plugin
	p.users[plugin] = 1
	if p.a.groups.Plugins == "" {
		// Without a group, whoever fences needs the pid before the plugin acts.
		if err := p.a.saveStateWith(p.list()); err != nil {
			p.drop(plugin)
			return nil, fmt.Errorf("track plugin %s: %w", kind, err)
		}
	}
	return plugin, nil
}

// put says that one injection needs plugin no longer.
func (p *pool) put(plugin Plugin) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users[plugin]--
	if p.users[plugin] <= 0 {
		p.drop(plugin)
	}
}

func (p *pool) drop(plugin Plugin) {
	for kind, other := range p.kinds {
		if other == plugin {
			delete(p.kinds, kind)
		}
	}
	delete(p.users, plugin)
	plugin.Kill()
}

func (p *pool) processes() []guardian.ProcessID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list()
}

func (p *pool) list() []guardian.ProcessID {
	var ids []guardian.ProcessID
	for plugin := range p.users {
		ids = append(ids, guardian.ProcessID{PID: plugin.PID(), Start: plugin.StartTime()})
	}
	return ids
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for plugin := range p.users {
		p.drop(plugin)
	}
}

func running(p Plugin) bool {
	select {
	case <-p.Done():
		return false
	default:
		return true
	}
}
