// Command resultpage writes a page of results that people read and that is
// committed: what was measured or tried, on which machine, with which result. It
// reads the output of `go test` on standard input and shows it, or the report.json
// of whole runs, given as files or folders.
//
//	bench         go test -bench        figures beside what one would do by hand, with aims
//	crash-matrix  go test -json         who dies at which step, and whether the host was left as found
//	soak          go test -json         round after round of whole runs
//	faults        go test -json         the dose that each fault was measured to have, as JSON; docs/faults.md shows it
//	repeat        report.json ...       the same experiment again and again: whether all ended alike, and by how much each figure differs
//	busy-host     report.json           one run beside a host that runs wild: when the clients were late, and that no outage was made of it
//
// A bad figure fails nothing: it is for the reader to judge, beside the load of
// the machine. A test that fails, or a run that ends in another way than the
// others, makes the exit code 1.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
)

func main() {
	commit := flag.String("commit", "unknown", "what was tested")
	path := flag.String("o", "", "file to write")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, flag.Args(), *path, *commit); err != nil {
		fmt.Fprintln(os.Stderr, "resultpage:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, args []string, path, commit string) error {
	a := machine(commit)
	var text string
	var err error
	switch page := slices.Concat(args, []string{""})[0]; page {
	case "bench":
		text, err = bench(io.TeeReader(in, out), &a)
	case "faults":
		text, err = faults(in, out, path, a)
	case "repeat":
		text, err = repeat(args[1:], a)
	case "busy-host":
		text, err = busyHost(args[1:], a)
	default:
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
