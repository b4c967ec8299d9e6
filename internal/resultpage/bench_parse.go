package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// figure names one number: a benchmark, without the -N of its processors, and
// one of the units it reports.
type figure struct{ bench, unit string }

// results is what the benchmarks reported.
type results struct {
	cpu     string
	figures map[figure][]float64 // more than one: go test -count
}

// value is the median of what was reported; false: it was not run.
func (r results) value(f figure) (float64, bool) {
	v := slices.Sorted(slices.Values(r.figures[f]))
	if len(v) == 0 {
		return 0, false
	}
	return v[len(v)/2], true
}

var processors = regexp.MustCompile(`-\d+$`)

// parse reads the format of golang.org/design/14313-benchmark-format: a name,
// the number of rounds, then pairs of value and unit.
func parse(in io.Reader) (results, error) {
	r := results{figures: map[figure][]float64{}}
	scan := bufio.NewScanner(in)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		if cpu, ok := strings.CutPrefix(scan.Text(), "cpu: "); ok {
			r.cpu = cpu
			continue
		}
		f := strings.Fields(scan.Text())
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := processors.ReplaceAllString(f[0], "")
		for i := 2; i+1 < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				break // a log line that begins like a benchmark
			}
			key := figure{name, f[i+1]}
			r.figures[key] = append(r.figures[key], v)
		}
	}
	if err := scan.Err(); err != nil {
		return r, fmt.Errorf("read benchmarks: %w", err)
	}
	return r, nil
}
