// Command notrun reads the results of `go test -json` on standard input, prints
// them for people, and ends with the lists of what was tried again and of what was
// not run, and why. It exits with 1 if a test failed, if a test was skipped without
// naming a need, or if the need it named is met on this machine.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/firedrill-io/firedrill/internal/need"
)

// event is one line of test2json, see `go doc test2json`.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Elapsed    float64
	Output     string
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "notrun:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	r := results{output: map[string][]string{}, out: out}
	scan := bufio.NewScanner(in)
	scan.Buffer(nil, 16<<20)
	for scan.Scan() {
		var e event
		if err := json.Unmarshal(scan.Bytes(), &e); err != nil {
			fmt.Fprintln(out, scan.Text()) // a build error of an older go command
			continue
		}
		r.add(e)
	}
	if err := scan.Err(); err != nil {
		return fmt.Errorf("read test results: %w", err)
	}
	return r.summary()
}

// results collects what the tests said.
type results struct {
	output  map[string][]string
	skipped []string // "package.Test: reason"
	hidden  []string // skips that should have run
	failed  []string
	again   []string // "package.Test: reason" of what passed at its second try
	passed  int
	out     io.Writer
}

func (r *results) add(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		r.output[key] = append(r.output[key], e.Output)
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "build-fail":
		r.failed = append(r.failed, e.ImportPath+" (build)")
	case "pass":
		r.pass(e, key)
	case "skip":
		r.skip(e, key)
	case "fail":
		fmt.Fprint(r.out, strings.Join(r.output[key], ""))
		delete(r.output, key)
		if e.Test == "" {
			r.cutOff(e.Package)
			fmt.Fprintf(r.out, "FAIL %s %.1fs\n", e.Package, e.Elapsed)
		}
		r.failed = append(r.failed, strings.TrimSpace(key))
	}
}

// cutOff prints what the tests said that were under way when their package
// failed: of a time-out or a panic nothing else tells which test it was.
func (r *results) cutOff(pkg string) {
	var keys []string
	for key := range r.output {
		if test, ok := strings.CutPrefix(key, pkg+" "); ok && test != "" {
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	for _, key := range keys {
		fmt.Fprint(r.out, strings.Join(r.output[key], ""))
		r.failed = append(r.failed, key+" (cut off)")
	}
}

func (r *results) pass(e event, key string) {
	if e.Test != "" {
		r.passed++
		r.second(e, key)
		delete(r.output, key)
		return
	}
	fmt.Fprintf(r.out, "ok   %s %.1fs\n", e.Package, e.Elapsed)
	// A package may say on its own that it did not run, e.g. from TestMain.
	for _, line := range r.output[key] {
		if strings.Contains(line, need.Prefix) {
			r.judge(e.Package, line)
		}
	}
}

// second notes why a test that passed tried something once more.
func (r *results) second(e event, key string) {
	for _, line := range r.output[key] {
		if _, reason, ok := strings.Cut(line, need.Again); ok {
			r.again = append(r.again, fmt.Sprintf("%s.%s: %s", e.Package, e.Test, strings.TrimSpace(reason)))
		}
	}
}

func (r *results) skip(e event, key string) {
	if e.Test == "" {
		return // a package without tests
	}
	defer delete(r.output, key)
	for _, line := range r.output[key] {
		if strings.Contains(line, need.Prefix) {
			r.judge(e.Package+"."+e.Test, line)
			return
		}
	}
	r.hidden = append(r.hidden, fmt.Sprintf("%s.%s: skipped without naming a need", e.Package, e.Test))
}

func (r *results) judge(name, line string) {
	_, n, _ := strings.Cut(line, need.Prefix)
	n = strings.TrimSpace(n)
	if need.Met(need.Need(n)) {
		r.hidden = append(r.hidden, fmt.Sprintf("%s: skipped for %q, which this machine has", name, n))
		return
	}
	r.skipped = append(r.skipped, fmt.Sprintf("%s: needs %s", name, n))
}

func (r *results) summary() error {
	fmt.Fprintf(r.out, "\n%d tests passed, %d failed\n", r.passed, len(r.failed))
	for _, f := range r.failed {
		fmt.Fprintln(r.out, "  failed:", f)
	}
	for _, a := range r.again {
		fmt.Fprintln(r.out, "  tried again:", a)
	}
	sort.Strings(r.skipped)
	if len(r.skipped)+len(r.hidden) == 0 {
		fmt.Fprintln(r.out, "Not run: nothing, every test ran.")
	} else {
		fmt.Fprintln(r.out, "Not run:")
	}
	for _, s := range r.skipped {
		fmt.Fprintln(r.out, "  "+s)
	}
	for _, h := range r.hidden {
		fmt.Fprintln(r.out, "  hidden:", h)
	}
	if n := len(r.failed) + len(r.hidden); n > 0 {
		return fmt.Errorf("%d failed or hidden", n)
	}
	return nil
}
