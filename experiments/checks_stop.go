package experiments

import (
	"errors"

	"github.com/firedrill-io/firedrill/experiments/condition"
	"github.com/firedrill-io/firedrill/experiments/strict"
)

// stop checks names and types of the stop conditions.
func (c *checks) stop() {
	names := condition.Names{Probes: c.probes, Ledgers: c.ledgers}
	known := map[string][]string{"probe": c.probes, "ledger": c.ledgers, "function": condition.Functions()}
	for _, n := range c.root.Get("stop").List() {
		when := n.Get("when")
		text, ok := when.Text()
		if !ok || text == "" {
			continue
		}
		_, err := condition.New(text, names, nil)
		var problems condition.Problems
		if err != nil && !errors.As(err, &problems) {
			c.doc.Add(when, "", "%v", err)
		}
		for _, p := range problems {
			remedy := `such as: availability("text") < 0.5`
			if p.Of != "" {
				remedy = strict.Choices(p.Name, "known "+p.Of+"s", known[p.Of])
			}
			c.doc.AddInside(when, p.Line, p.Column, remedy, "%s", p.Message)
		}
	}
}
