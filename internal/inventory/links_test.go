package inventory

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/experiments/strict"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func withLinks(t *testing.T, links string) (*Inventory, error) {
	t.Helper()
	src, err := os.ReadFile("testdata/fire.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return Parse([]byte(string(src)+"links:\n"+links), "x.yaml", nil)
}

func TestLinks(t *testing.T) {
	inv, err := withLinks(t, `
  - {between: [pangyo, gasan]}
  - {between: [pangyo, chuncheon], rate: 1.5mbit}
  - {site: anyang, rate: 300kbit, reserve: {tools: 20%, store: 80%}}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []Link{
		{Between: []string{"pangyo", "gasan"}},
		{Between: []string{"pangyo", "chuncheon"}, Rate: 1_500_000},
		{Site: "anyang", Rate: 300_000, Reserve: map[string]experiments.Ratio{"tools": 0.2, "store": 0.8}},
	}
	if diff := cmp.Diff(want, inv.Links); diff != "" {
		t.Error(diff)
	}
}

// Every wrong link is refused once, at its place, with what would be right.
func TestWrongLinks(t *testing.T) {
	for link, says := range map[string]string{
		"{between: [pangyo, gasam]}":                                               `no site is named "gasam"`,
		"{between: [pangyo, pangyo]}":                                              "site pangyo is linked with itself",
		"{between: [pangyo]}":                                                      "list is too short",
		"{rate: 2mbit}":                                                            "a link joins nothing",
		"{site: anyang}":                                                           "the line of a site needs a rate",
		"{site: anyam, rate: 2mbit}":                                               `no site is named "anyam"`,
		"{between: [pangyo, gasan], site: anyang, rate: 2mbit}":                    "a link has either between or site",
		"{site: anyang, rate: 300}":                                                "300 is not a rate with its unit, from 8kbit to 100gbit",
		`{site: anyang, rate: "300"}`:                                              `"300" is not a rate with its unit`,
		"{site: anyang, rate: 300kb}":                                              `"300kb" is not a rate with its unit`,
		"{site: anyang, rate: 300 kbit}":                                           `"300 kbit" is not a rate with its unit`,
		"{site: anyang, rate: 0mbit}":                                              `"0mbit" is not a rate with its unit`,
		"{site: anyang, rate: 101gbit}":                                            `"101gbit" is not a rate with its unit`,
		"{site: anyang, rate: -2mbit}":                                             `"-2mbit" is not a rate with its unit`,
		"{site: anyang, rate: 2mbit, reserve: {tool: 20%}}":                        `no role is named "tool"`,
		"{site: anyang, rate: 2mbit, reserve: {tools: 0.2}}":                       "0.2 is not a percentage",
		"{site: anyang, rate: 2mbit, reserve: {tools: 0%}}":                        "nothing is reserved for role tools",
		"{site: anyang, rate: 2mbit, reserve: {}}":                                 "reserve says nothing",
		"{site: anyang, rate: 2mbit, reserve: {tools: 60%, store: 41%}}":           "101% of the link are reserved",
		"{between: [pangyo, gasan], reserve: {tools: 20%}}":                        "a share of a link without a rate says nothing",
		"{between: [pangyo, gasan]}\n  - {between: [gasan, pangyo], rate: 2mbit}":  "the link between gasan and pangyo stands twice",
		"{site: anyang, rate: 2mbit}\n  - {site: anyang, rate: 2mbit}":             "the line of anyang stands twice",
		"{site: anyang, rate: 2mbit}\n  - {between: [gasan, anyang], rate: 1mbit}": "site anyang has a line of its own",
	} {
		_, err := withLinks(t, "  - "+link+"\n")
		var wrong *strict.Error
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v; want %q", link, err, says)
			continue
		}
		if len(wrong.Problems) != 1 || wrong.Problems[0].Remedy == "" {
			t.Errorf("%s: got not one problem with a remedy:\n%v", link, err)
		}
	}
}

// A rate is read as it was written.
func TestRateRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rate(rapid.Uint64Range(uint64(minRate), uint64(maxRate)).Draw(t, "rate"))
		if back, err := ParseRate(r.String()); err != nil || back != r {
			t.Errorf("%d is written %s and read as %d: %v", r, r, back, err)
		}
	})
}
