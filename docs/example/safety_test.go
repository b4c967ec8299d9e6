package example

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// named finds, in a cell like "`hostagent` TestA, TestScripts (row)", which
// tests it names in which package.
var named = regexp.MustCompile("`([a-z0-9/]+)`|\\b(Test\\w+)(?: \\(([a-z-]+)\\))?")

// missing lists what of a page's tables does not exist: every row of a table
// whose last column is "tested by" must name at least one test that does.
func missing(page string) (out []string, rows int) {
	inside := false
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		switch {
		case !strings.HasPrefix(line, "|"):
			inside = false
			continue
		case strings.HasSuffix(line, "| tested by |"):
			inside = true
			continue
		case !inside || strings.HasPrefix(line, "|---"):
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		rows++
		out = append(out, missingTests(cells[len(cells)-1])...)
	}
	return out, rows
}

func missingTests(cell string) (out []string) {
	folder, tests := "", 0
	for _, m := range named.FindAllStringSubmatch(cell, -1) {
		if m[1] != "" {
			folder = m[1]
			continue
		}
		tests++
		if !hasTest(folder, m[2]) {
			out = append(out, fmt.Sprintf("%s has no %s", folder, m[2]))
		}
		script := filepath.Join(root, folder, "testdata/script", m[3]+".txtar")
		if _, err := os.Stat(script); m[3] != "" && err != nil {
			out = append(out, err.Error())
		}
	}
	if tests == 0 {
		out = append(out, "no test named: "+cell)
	}
	return out
}

func hasTest(folder, name string) bool {
	files, _ := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil && strings.Contains(string(b), "\nfunc "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}

// Every promise of the page names tests that exist.
func TestSafetyNamesTests(t *testing.T) {
	wrong, rows := missing(read(t, "../safety.md"))
	for _, w := range wrong {
		t.Error(w)
	}
	if rows < 20 {
		t.Errorf("only %d rows found", rows)
	}
	const twin = "| promise | tested by |\n|---|---|\n| a | `hostagent` TestNoSuch |\n| b | somehow |\n| c | `internal/e2e` TestScripts (no-such) |\n"
	if wrong, _ := missing(twin); len(wrong) != 3 {
		t.Errorf("of three wrong rows these were found: %q", wrong)
	}
}
