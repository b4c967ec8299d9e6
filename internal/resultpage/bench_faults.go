package main

import (
	"maps"
	"slices"
	"strings"
)

// faultBench begins the name of each benchmark of a fault: kind and tool follow,
// the tool's blanks as + signs.
const faultBench = "BenchmarkFault/"

// faultRows are the rows of all faults that were run.
func faultRows(r results) (rows []row) {
	benches := map[string]bool{}
	for f := range r.figures {
		if strings.HasPrefix(f.bench, faultBench) {
			benches[f.bench] = true
		}
	}
	last := ""
	for _, bench := range slices.Sorted(maps.Keys(benches)) {
		kind, tool, _ := strings.Cut(strings.TrimPrefix(bench, faultBench), "/")
		tool = strings.ReplaceAll(tool, "+", " ")
		if !strings.HasPrefix(tool, "none") {
			tool = "`" + tool + "`"
		}
		for _, call := range []string{"prepare", "apply", "observe", "revert"} {
			l := row{what: kind + ": " + call, ours: figure{bench, call + "-ms"}, unit: "ms"}
			if hand := (figure{bench, "hand-" + call + "-ms"}); len(r.figures[hand]) > 0 {
				l.hand, l.handIs = hand, tool
			} else if kind == last {
				continue // the same call stands there already
			} else if call == "apply" {
				l.what += " (by hand " + tool + ")"
			}
			rows = append(rows, l)
		}
		last = kind
	}
	return rows
}
