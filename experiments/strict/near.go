package strict

import (
	"slices"
	"strings"
)

// Choices is the remedy for a word that is not one of the known: the nearest
// one if it is near, and all of them. what names the words, e.g. "known keys".
func Choices(word, what string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(known)))
	list := what + ": " + strings.Join(sorted, ", ")
	if near := Nearest(word, sorted); near != "" {
		return "did you mean " + near + "? " + list
	}
	return list
}

// Nearest returns the known word that a slip of the hand turns into word, or "".
func Nearest(word string, known []string) string {
	best, least := "", min(max(1, len(word)/3)+1, len(word))
	for _, k := range known {
		if dist := edits(strings.ToLower(word), strings.ToLower(k)); dist < least {
			best, least = k, dist
		}
	}
	return best
}

// edits counts insertions, deletions, replacements and swaps of neighbours.
func edits(a, b string) int {
	if abs(len(a)-len(b)) > 8 || len(a) > 64 {
		return len(a) + len(b)
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
