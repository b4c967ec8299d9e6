package main

import (
	"errors"
	"fmt"
	"strings"
)

// repeat returns the page of runs of one experiment that should all end alike,
// and an error if they did not.
func repeat(paths []string, a about) (string, error) {
	all, err := drills(paths)
	if err != nil {
		return "", err
	}
	wrong := disagreements(all)
	var s strings.Builder
	fmt.Fprintf(&s, "# %s runs in a row\n\nWritten by `make repeat RUNS=%d`: the data-centre fire again and again, with the store's leader in Pangyo "+
		"(p4) and outside (a1) in turn. A cell shows least / median / greatest over the runs; one figure stands for all where they are the same.\n\n", capital(number(len(all))), len(all))
	fmt.Fprintf(&s, "* Commit: %s\n* Machine: %s\n* Reproduce one: `%s`\n\n## Are they alike\n\n", commits(all), a.machine(), all[0].Command)
	if len(wrong) == 0 {
		s.WriteString(alike(all))
	}
	for _, w := range wrong {
		s.WriteString("* **no**: " + w + "\n")
	}
	s.WriteString("\n## Runs\n\n" + runTable(all))
	for _, l := range all[0].Layouts {
		s.WriteString(layoutSection(all, l.Name))
	}
	if len(wrong) > 0 {
		err = errors.New("the runs are not alike:\n  " + strings.Join(wrong, "\n  "))
	}
	return s.String(), err
}

// alike says what was checked.
func alike(all []drill) string {
	var s strings.Builder
	fmt.Fprintf(&s, "In all %d runs:\n\n", len(all))
	for _, l := range all[0].Layouts {
		fmt.Fprintf(&s, "* %s: %s\n", l.Name, l.ending())
	}
	s.WriteString("* as predicted, every host left as it was found\n")
	if all[0].layout(asItWas) != nil {
		var order []string
		for _, group := range returns {
			order = append(order, strings.Join(group, " and "))
		}
		fmt.Fprintf(&s, "* %s: every outage waited for power or people; services came back in the order %s\n", asItWas, strings.Join(order, ", then "))
	}
	if all[0].layout(stretched) != nil {
		fmt.Fprintf(&s, "* %s: %s waited for nothing\n", stretched, strings.Join(ungated, ", "))
	}
	return s.String()
}

// commits are the versions that ran; more than one if they changed in between.
func commits(all []drill) string {
	var seen []string
	for _, d := range all {
		if v := d.Versions["injector"]; len(seen) == 0 || seen[len(seen)-1] != v {
			seen = append(seen, v)
		}
	}
	return strings.Join(seen, ", then ")
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func number(n int) string {
	if words := []string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}; n < len(words) {
		return words[n]
	}
	return fmt.Sprint(n)
}
