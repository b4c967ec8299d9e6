package main

import (
	"fmt"
	"strings"
)

// testPage is a page about tests.
type testPage struct {
	title, note string
	what        map[string]string // what a test does, by its name; without one the name itself
	part        string            // head of the column of subtests
}

var testPages = map[string]testPage{
	"crash-matrix": {
		title: "Crash matrix",
		note: "Written by `make crash-matrix`: something is killed or stopped, by the test or by a fail point inside the program at each step that " +
			"touches the disk or the host; then the test reads the host and the journal. *pass* means: the host is as it was found, in time, and nothing is live in the journal.",
		part: "At, or who",
		what: map[string]string{
			"TestAgentDiesAtEachStep":          "The agent dies at a step; its guardian reverts",
			"TestAllDieAtEachStep":             "Agent and guardian die at a step; `hostagent revert --all` reverts",
			"TestRevertDiesAtEachStep":         "`hostagent revert --all` dies at a step as well; the next one reverts",
			"TestRevertRefusesBesideLiveAgent": "`hostagent revert --all` beside an agent that lives: refused; with `--force` it fences and reverts",
			"TestAgentKilled":                  "SIGKILL of the agent",
			"TestPluginKilled":                 "SIGKILL of the plugin",
			"TestAgentAndPluginKilled":         "SIGKILL of agent and plugin",
			"TestAgentStoppedPastTakeOver":     "SIGSTOP of the agent past the take-over, then SIGCONT",
			"TestAgentStoppedShortly":          "SIGSTOP of the agent for less: nothing changes",
			"TestGuardianKilledIsReplaced":     "SIGKILL of the guardian: the agent starts another",
			"TestAgentAndGuardianKilled":       "SIGKILL of agent and guardian",
			"TestInterrupt":                    "Ctrl-C of the injector in a whole run",
			"TestKilledInjector":               "SIGKILL of the injector in a whole run",
			"TestDeathsOnTheHost":              "SIGKILL or SIGSTOP on the host in a whole run",
		},
	},
	"soak": {
		title: "Soak",
		note: "Written by `make soak ROUNDS=n`: round after round raises a lab, runs an experiment in it, and ends it in one of several ways. " +
			"*pass* means: the exit code and the report are what this end calls for, and nothing of the lab is left on the machine after the round. " +
			"After the last round the whole machine is compared with what it was before the first.",
		part: "Round, and how it ended",
		what: map[string]string{"TestSoak": "Lab up, whole run, lab gone"},
	},
}

func (p testPage) render(a about, ended []outcome) string {
	var s strings.Builder
	passed, seconds := 0, 0.0
	for _, o := range ended {
		seconds += o.seconds
		if o.result == "pass" {
			passed++
		}
	}
	fmt.Fprintf(&s, "# %s\n\n%s\n\n%s* %d of %d passed, %.0f s in all\n\n", p.title, p.note, a, passed, len(ended), seconds)
	s.WriteString("| What | " + p.part + " | Result | Seconds |\n|---|---|---|---:|\n")
	for _, o := range ended {
		what, ok := p.what[o.test]
		if !ok {
			what = o.test
		}
		result := o.result
		if result == "fail" {
			result = "**fail**"
		}
		fmt.Fprintf(&s, "| %s | %s | %s | %.1f |\n", what, o.part, result, o.seconds)
	}
	return s.String()
}
