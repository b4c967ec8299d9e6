package plan

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// peersFormat marks parameters that list peers: besides addresses an experiment
// may write site:NAME and the like, which the plan turns into addresses.
const peersFormat = "peers"

// params resolves the peers in a fault's parameters for one of the hosts that it
// is on. None are returned for a host that its shape parts from nobody: another
// host has the fault for both.
func (b *builder) params(info fault.Info, raw json.RawMessage, h inventory.Host, hosts []inventory.Host) (json.RawMessage, error) {
	var schema struct {
		Properties map[string]struct {
			Format string `json:"format"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(info.Params, &schema); err != nil {
		return nil, fmt.Errorf("read parameter schema: %w", err)
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		return nil, fmt.Errorf("read parameters: %w", err)
	}
	for name, p := range schema.Properties {
		value, ok := given[name]
		if p.Format != peersFormat || !ok {
			continue
		}
		all, err := b.peers(value, h, hosts)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if len(all) == 0 {
			return nil, nil
		}
		resolved, err := json.Marshal(all)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		given[name] = resolved
	}
	out, err := json.Marshal(given)
	if err != nil {
		return nil, fmt.Errorf("write parameters: %w", err)
	}
	return out, nil
}

// peers returns the addresses that a list of peers means for h.
func (b *builder) peers(value json.RawMessage, h inventory.Host, hosts []inventory.Host) (all []string, err error) {
	var peers []string
	if err := json.Unmarshal(value, &peers); err != nil {
		return nil, err
	}
	for _, peer := range peers {
		var addresses []string
		if name, ok := strings.CutPrefix(peer, shapePrefix); ok {
			addresses, err = shape(name, h, hosts)
		} else {
			addresses, err = b.peer(peer, h)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, addresses...)
	}
	return all, nil
}

// peer returns the addresses that one peer means for a host; never its own.
func (b *builder) peer(peer string, h inventory.Host) ([]string, error) {
	kind, name, ok := strings.Cut(peer, ":")
	list := inventory.StringList{name}
	var sel inventory.Selector
	switch kind {
	case "site":
		sel.Site = list
	case "room":
		sel.Room = list
	case "rack":
		sel.Rack = list
	case "role":
		sel.Role = list
	case "service":
		sel.Service = list
	case "host":
		sel.Hosts = list
	default:
		ok = false
	}
	if !ok {
		return []string{peer}, nil // an address; the plugin checks it
	}
	hosts, err := b.inv.Match(sel)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, other := range hosts {
		if other.Name != h.Name {
			out = append(out, other.Addresses()...)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s names no other host: %w", peer, inventory.ErrEmpty)
	}
	return out, nil
}
