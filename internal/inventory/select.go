package inventory

import "errors"

// ErrEmpty says that a selector picks no host.
var ErrEmpty = errors.New("picks no host")

// Select returns the hosts that sel picks, in file order. Hosts of the site
// internet are never picked. seed decides a share.
func (inv *Inventory) Select(sel Selector, seed int64) ([]Host, error) {
	return nil, ErrEmpty
}

// ServiceHosts returns the hosts that run the service, in file order; hosts of
// the site internet included.
func (inv *Inventory) ServiceHosts(service string) []Host { return nil }

// Expand replaces ${host}, ${ip}, ${site}, ${ip.HOST} and the file's variables.
func (inv *Inventory) Expand(text string, host Host) (string, error) { return text, nil }
