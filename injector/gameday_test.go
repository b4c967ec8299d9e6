package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The commands of docs/game-day.md work as they stand, and hit what the page says:
// the northern database, one web server in two.
func TestGameDay(t *testing.T) {
	page, err := os.ReadFile("../docs/game-day.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("the page has no commands")
	}
	t.Chdir("..")
	var all strings.Builder
	for line := range strings.Lines(string(block[1])) {
		args := strings.Fields(line)
		out, _, err := command(t, args[1:]...)
		if err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
		all.WriteString(out)
	}
	for _, want := range []string{"partition on db-1", "cpu on web-", "site north 1/2"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no %q in:\n%s", want, all.String())
		}
	}
}
