package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/load"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/plugins"
)

// Every example of the page works: the first is whole, the others stand in for
// the parts of it that have their keys, and all fit the page's inventory.
func TestDocumentedExamples(t *testing.T) {
	page, err := os.ReadFile("../docs/experiment-file.md")
	if err != nil {
		t.Fatal(err)
	}
	infos, err := plugins.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		blocks = append(blocks, m[1])
	}
	last := len(blocks) - 1
	inv, err := inventory.Parse([]byte(blocks[last]), "inventory", nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, blocks[last])
	}
	for _, block := range blocks[:last] {
		whole := combine(blocks[0], block)
		exp, err := experiments.Parse([]byte(whole), "example", nil, load.Schemas(infos))
		if err != nil {
			t.Errorf("%v\n%s", err, whole)
			continue
		}
		if _, err := plan.New(exp, inv, exp.LayoutOrder[0], infos); err != nil {
			t.Errorf("%v\n%s", err, whole)
		}
	}
	if last < 11 {
		t.Errorf("found only %d examples", last+1)
	}
}

// combine puts the top-level parts of part into whole.
func combine(whole, part string) string {
	sections := func(s string) (order []string, text map[string]string) {
		text = map[string]string{}
		key := ""
		for _, line := range strings.SplitAfter(s, "\n") {
			if m := regexp.MustCompile(`^([a-z]+):`).FindStringSubmatch(line); m != nil {
				key = m[1]
				order = append(order, key)
			}
			text[key] += line
		}
		return order, text
	}
	order, text := sections(whole)
	added, with := sections(part)
	for _, key := range added {
		if _, ok := text[key]; !ok {
			order = append(order, key)
		}
		text[key] = with[key]
	}
	var b strings.Builder
	for _, key := range order {
		b.WriteString(text[key])
	}
	return b.String()
}
