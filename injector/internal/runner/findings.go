package runner

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// findingMark begins, in a service's log line, what the service found out and
// wants to stand in the report, such as why a controller did not promote.
const findingMark = "finding: "

// maxFindings bounds what one layout reports.
const maxFindings = 20

// findings collects the distinct findings of all services, sorted, each with
// the host that said it.
func findings(dir string) []string {
	logs, err := filepath.Glob(filepath.Join(dir, "logs", "*", "*.log"))
	if err != nil {
		return nil
	}
	var out []string
	for _, path := range logs {
		host := filepath.Base(filepath.Dir(path))
		for _, text := range findingsIn(path) {
			out = append(out, host+": "+strings.TrimPrefix(text, host+": "))
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), maxFindings)]
}

func findingsIn(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	var out []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if _, text, ok := strings.Cut(lines.Text(), findingMark); ok {
			out = append(out, strings.Trim(text, `" `))
		}
	}
	return out
}
