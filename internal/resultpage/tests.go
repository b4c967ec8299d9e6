package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// event is one line of test2json, see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Elapsed float64
	Output  string
	Key     string // of a test attribute, testing.TB.Attr
	Value   string
}

// outcome is one test that has ended.
type outcome struct {
	test, part string // part: the subtest; empty: the test has none
	result     string
	seconds    float64
}

// tests shows each test as it ends and returns the page; an error if one failed.
func tests(in io.Reader, out io.Writer, page string, a *about) (string, error) {
	p, ok := testPages[page]
	if !ok {
		return "", fmt.Errorf("write page %q: there is no such page; give bench, busy-host, crash-matrix, faults, repeat or soak", page)
	}
	ended, failed, err := follow(in, out, nil)
	if err != nil {
		return "", err
	}
	if len(ended) == 0 {
		return "", fmt.Errorf("read test results: none on standard input; the page is left as it is")
	}
	a.LoadAfter = loadavg()
	text := p.render(*a, ended)
	if failed > 0 {
		return text, fmt.Errorf("%d failed", failed)
	}
	return text, nil
}

// follow shows tests as they end: one line each, with all they said if they
// failed. Tests that consist of others are shown as these. It hands the attributes
// of tests to attribute, if that is given.
func follow(in io.Reader, out io.Writer, attribute func(key, value string) error) (ended []outcome, failed int, err error) {
	output := map[string]string{}
	parents, bad := map[string]bool{}, map[string]bool{}
	scan := bufio.NewScanner(in)
	scan.Buffer(nil, 16<<20)
	for scan.Scan() {
		var e event
		if json.Unmarshal(scan.Bytes(), &e) != nil {
			fmt.Fprintln(out, scan.Text())
			continue
		}
		key := e.Package + " " + e.Test
		if parent, _, ok := strings.Cut(e.Test, "/"); ok {
			parents[e.Package+" "+parent] = true
		}
		switch e.Action {
		case "attr":
			if attribute != nil {
				if err := attribute(e.Key, e.Value); err != nil {
					return nil, 0, err
				}
			}
		case "build-output":
			fmt.Fprint(out, e.Output)
		case "output":
			output[key] += e.Output
		case "pass", "fail", "skip":
			if e.Action == "fail" {
				fmt.Fprint(out, output[key])
			}
			delete(output, key)
			o := outcome{result: e.Action, seconds: e.Elapsed}
			switch o.test, o.part, _ = strings.Cut(e.Test, "/"); {
			case parents[key] || e.Test == "" && (e.Action != "fail" || bad[e.Package]):
				continue
			case e.Test == "": // every test passed, and yet it failed: the machine is not as it was
				o.test = "The machine before and after " + e.Package
			}
			if e.Action == "fail" {
				failed++
				bad[e.Package] = true
			}
			o.part = strings.ReplaceAll(o.part, "_", " ")
			ended = append(ended, o)
			fmt.Fprintf(out, "%-4s %s %s (%.1f s)\n", e.Action, o.test, o.part, e.Elapsed)
		}
	}
	if err := scan.Err(); err != nil {
		return nil, 0, fmt.Errorf("read test results: %w", err)
	}
	return ended, failed, nil
}
