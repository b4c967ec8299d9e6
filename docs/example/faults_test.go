package example

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firedrill-io/firedrill/plugins"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

var update = flag.Bool("update", false, "write the pages that are generated from the faults' descriptions")

// Every fault has a page that says what its description says, and docs/faults.md
// names them all.
func TestFaultPages(t *testing.T) {
	infos, err := plugins.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	index := "# Faults\n\nGenerated from what each fault says of itself; `injector plugin list` shows the same. A host's policy and the experiment's limits stand above all of them ([safety](safety.md)).\n\n| fault | what it does | destroys |\n|---|---|---|\n"
	for _, kind := range slices.Sorted(maps.Keys(infos)) {
		info := infos[kind]
		page(t, fmt.Sprintf("../../plugins/%s/README.md", kind), faultPage(t, info))
		index += fmt.Sprintf("| [%s](../plugins/%s/README.md) | %s | %s |\n", kind, kind, sentence(info.Summary), info.Destroys)
	}
	page(t, "../faults.md", index)
}

func page(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, read(t, path)); diff != "" {
		t.Errorf("%s is stale, -update writes it:\n%s", path, diff)
	}
}

func sentence(s string) string {
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

// faultPage is a fault's description in words and a table.
func faultPage(t *testing.T, info fault.Info) string {
	t.Helper()
	var schema struct {
		Properties map[string]struct {
			Description string   `json:"description"`
			Enum        []string `json:"enum"`
			Default     any      `json:"default"`
			Examples    []any    `json:"examples"`
		} `json:"properties"`
		Required []string `json:"required"`
	}
	if err := json.Unmarshal(info.Params, &schema); err != nil {
		t.Fatal(err)
	}
	var s strings.Builder
	fmt.Fprintf(&s, "# %s\n\n%s Generated from `describe.json`; how it is written in an experiment: [experiment-file.md](../../docs/experiment-file.md).\n", info.Kind, sentence(info.Summary))
	if len(schema.Properties) > 0 {
		s.WriteString("\n| parameter | means | values |\n|---|---|---|\n")
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		p := schema.Properties[name]
		must := ""
		if slices.Contains(schema.Required, name) {
			must = ", required"
		}
		var values []string
		for _, e := range p.Enum {
			values = append(values, "`"+e+"`")
		}
		for _, e := range p.Examples {
			values = append(values, fmt.Sprintf("such as `%v`", e))
		}
		if p.Default != nil {
			values = append(values, fmt.Sprintf("default `%v`", p.Default))
		}
		fmt.Fprintf(&s, "| `%s`%s | %s | %s |\n", name, must, strings.ReplaceAll(p.Description, "|", "\\|"), strings.Join(values, ", "))
	}
	protection := make([]string, len(info.Protection))
	for i, p := range info.Protection {
		protection[i] = string(p)
	}
	fmt.Fprintf(&s, "\n* Touches: %s\n* Destroys: %s\n* Ended, when what stands above is gone, by: %s\n", strings.Join(info.Touches, ", "), info.Destroys, strings.Join(protection, ", "))
	if len(info.ConflictKeys) > 0 {
		fmt.Fprintf(&s, "* Not twice at a time on one host: %s\n", strings.Join(info.ConflictKeys, ", "))
	}
	if needs := append(slices.Clone(info.Needs.Capabilities), info.Needs.Features...); len(needs) > 0 {
		fmt.Fprintf(&s, "* Needs: %s\n", strings.Join(needs, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(info.Modes)) {
		m := info.Modes[name]
		agent, host := "inside the host", "goes down"
		if m.OutOfBand {
			agent = "beside the host"
		}
		if m.HostStays {
			host = "runs on"
		}
		fmt.Fprintf(&s, "* Mode `%s`: driven by the agent %s, which %s.\n", name, agent, host)
	}
	if info.OutOfBand && len(info.Modes) == 0 {
		s.WriteString("* Driven by the agent beside the host, not by the one inside it.\n")
	}
	return s.String()
}
