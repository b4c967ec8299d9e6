package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/injector/internal/faultlist"
)

// call runs one command of the injector in this process.
func call(args ...string) (out string, code int, err error) {
	var b bytes.Buffer
	cmd := newRootCommand()
	cmd.SetOut(&b)
	cmd.SetArgs(args)
	err = cmd.Execute()
	var coded *exitError
	if errors.As(err, &coded) {
		code = coded.Code
	}
	return b.String(), code, err
}

func TestPluginList(t *testing.T) {
	text, _, err := call("plugin", "list", "cpu")
	if err != nil || !strings.Contains(text, "a percentage of one CPU") || strings.Contains(text, "partition") {
		t.Errorf("error %v:\n%s", err, text)
	}
	raw, _, err := call("plugin", "list", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var entries []faultlist.Entry
	if err := json.Unmarshal([]byte(raw), &entries); err != nil {
		t.Fatal(err)
	}
	if len(entries) < 4 || entries[0].From != faultlist.BuiltIn || len(entries[0].Params) == 0 {
		t.Errorf("listed %+v", entries)
	}
	if _, code, err := call("plugin", "list", "smoke"); code != exitUsage || !strings.Contains(err.Error(), "cpu") {
		t.Errorf("an unknown kind: exit code %d, %v", code, err)
	}
}
