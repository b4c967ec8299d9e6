package clients

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/firedrill-io/firedrill/injector/internal/ledger"
)

// Audit reads every store of a ledger back and compares. Call it after Stop. A
// store that cannot be read until ctx ends stands in the audit as unreadable.
func (c *Collector) Audit(ctx context.Context, name string) ledger.Audit {
	read := c.config.Reads[name]
	sites := make(map[string]ledger.Copy, len(read.Sites))
	for site, urls := range read.Sites {
		sites[site] = c.copy(ctx, urls)
	}
	return ledger.NewAudit(name, c.Writes(name), c.copy(ctx, read.Active), sites)
}

// copy reads one store: a JSON array of numbers.
func (c *Collector) copy(ctx context.Context, urls []string) ledger.Copy {
	body, err := c.Fetch(ctx, urls)
	if err != nil {
		return ledger.Copy{Error: err.Error()}
	}
	var numbers []int
	if err := json.Unmarshal(body, &numbers); err != nil {
		return ledger.Copy{Error: fmt.Sprintf("read numbers of %v: %v", urls, err)}
	}
	return ledger.Copy{Numbers: numbers}
}
