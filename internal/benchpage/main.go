// Command benchpage reads the output of `go test -bench` on standard input,
// copies it to standard output, and writes a page that people read: each figure
// beside what one would do by hand, measured in the same run, with the aim and
// whether it was met. Nothing fails because a figure is bad: it is for the
// reader to judge, beside the load of the machine.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	page := flag.String("o", "docs/results/bench.md", "file to write")
	commit := flag.String("commit", "unknown", "what was measured")
	command := flag.String("command", "make bench", "what the reader types to measure it again")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *page, about{Commit: *commit, Command: *command}); err != nil {
		fmt.Fprintln(os.Stderr, "benchpage:", err)
		os.Exit(1)
	}
}

// about says what was measured, where.
type about struct {
	Commit, Command       string
	CPU, Kernel           string
	Cores                 int
	LoadBefore, LoadAfter string
}

func run(in io.Reader, out io.Writer, path string, a about) error {
	a.Cores, a.Kernel, a.LoadBefore = runtime.NumCPU(), kernel(), loadavg()
	r, err := parse(io.TeeReader(in, out))
	if err != nil {
		return err
	}
	if len(r.figures) == 0 {
		return fmt.Errorf("read benchmarks: none on standard input; %s is left as it is", path)
	}
	a.CPU, a.LoadAfter = r.cpu, loadavg()
	text := render(a, sections, r)
	fmt.Fprintf(out, "\n%s\nwritten to %s\n", text, path)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}

// loadavg is the load average of the last minute, as proc(5) has it.
func loadavg() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}
