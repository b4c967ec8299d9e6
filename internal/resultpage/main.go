// Command resultpage reads the output of `go test` on standard input, shows it,
// and writes a page of results that people read and that is committed: what was
// measured or tried, on which machine, with which result.
//
//	bench         go test -bench        figures beside what one would do by hand, with aims
//	crash-matrix  go test -json         who dies at which step, and whether the host was left as found
//	soak          go test -json         round after round of whole runs
//
// A bad figure fails nothing: it is for the reader to judge, beside the load of
// the machine. A test that fails makes the exit code 1.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	commit := flag.String("commit", "unknown", "what was tested")
	path := flag.String("o", "", "file to write")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, flag.Arg(0), *path, *commit); err != nil {
		fmt.Fprintln(os.Stderr, "resultpage:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, page, path, commit string) error {
	a := machine(commit)
	var text string
	var err error
	if page == "bench" {
		text, err = bench(io.TeeReader(in, out), &a)
	} else {
		text, err = tests(in, out, page, &a)
	}
	if text == "" {
		return err
	}
	fmt.Fprintf(out, "\n%s\nwritten to %s\n", text, path)
	if wrote := os.WriteFile(path, []byte(text), 0o644); wrote != nil {
		return fmt.Errorf("write page: %w", wrote)
	}
	return err
}
