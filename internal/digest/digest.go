// Package digest lists what a machine or a host consists of, one sorted line an
// object, so that two listings can be compared: left as found means the same
// lines before and after.
//
// Machine is the view from the machine that carries labs: namespaces, links,
// queueing disciplines, control groups, loop devices, mounts, lab processes,
// state folders, disk images. Host is the view from inside one host and is what
// the agent answers to the verb digest.
//
// Things that change by themselves on an idle machine are left out, each with
// the reason beside the code that leaves it out. A listing is not atomic:
// compare through Settled when something may still be on its way down.
package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// Digest is a sorted list of lines, one an object: its kind, its name, then
// what is known of it.
type Digest struct {
	Lines []string
}

// Sum is the SHA-256 of the lines in hexadecimal digits. The line of the clock
// does not count, because a clock is never twice the same; Diff compares it.
func (d Digest) Sum() string {
	h := sha256.New()
	for _, line := range d.Lines {
		if strings.HasPrefix(line, clockPrefix) {
			continue
		}
		h.Write([]byte(line))
		h.Write([]byte{'\n'})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Diff lists what differs: "- line" is in before only, "+ line" in after only.
// It is empty if nothing differs. The clock may differ by clockTolerance, and
// freely in another boot.
func Diff(before, after Digest) []string {
	was, is := count(before.Lines), count(after.Lines)
	var diff []string
	for _, line := range slices.Sorted(keys(was, is)) {
		switch n := is[line] - was[line]; {
		case strings.HasPrefix(line, clockPrefix):
		case n < 0:
			diff = append(diff, "- "+line)
		case n > 0:
			diff = append(diff, "+ "+line)
		}
	}
	return append(diff, diffClock(before, after)...)
}

func count(lines []string) map[string]int {
	m := make(map[string]int, len(lines))
	for _, line := range lines {
		m[line]++
	}
	return m
}

func keys(maps ...map[string]int) func(yield func(string) bool) {
	all := map[string]int{}
	for _, m := range maps {
		for k := range m {
			all[k] = 0
		}
	}
	return func(yield func(string) bool) {
		for k := range all {
			if !yield(k) {
				return
			}
		}
	}
}

// listing gathers lines.
type listing struct {
	lines []string
}

func (l *listing) add(words ...string) { l.lines = append(l.lines, strings.Join(words, " ")) }

func (l *listing) digest(keep func(line string) bool) Digest {
	lines := slices.DeleteFunc(l.lines, func(line string) bool { return keep != nil && !keep(line) })
	slices.Sort(lines)
	return Digest{Lines: lines}
}
