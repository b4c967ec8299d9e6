package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/dose"
)

// measured is the output of go test -json that carries one measurement.
func measured(t *testing.T, fault, cgroup, action string, achieved float64) string {
	t.Helper()
	m := dose.Measurement{Fault: fault, What: "a program", Asked: 20, Achieved: achieved, Within: 1, Reverted: true, Environment: dose.Environment{Cgroup: cgroup}}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"Action":"attr","Package":"p","Test":"T","Key":"measured","Value":%s}`+"\n"+`{"Action":"attr","Package":"p","Test":"T","Key":"other","Value":"x"}`+"\n"+`{"Action":%q,"Package":"p","Test":"T"}`+"\n",
		strconv.Quote(string(text)), action)
}

// What is measured anew replaces what was measured in the same environment; the
// rest stays. A test that failed shows in the file and in the exit code.
func TestFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "faults.json")
	write := func(in, commit string) error {
		return run(strings.NewReader(in), io.Discard, []string{"faults"}, path, commit)
	}
	if err := write(measured(t, "pids", "v2", "pass", 20)+measured(t, "cpu", "v2", "pass", 20.4)+measured(t, "cpu", "hybrid", "pass", 19.9), "c1"); err != nil {
		t.Fatal(err)
	}
	if err := write(measured(t, "cpu", "hybrid", "fail", 25), "c2"); err == nil {
		t.Error("a failed test is no error")
	}
	runs, err := dose.Read(path)
	if err != nil || len(runs) != 2 {
		t.Fatalf("%+v, %v", runs, err)
	}
	if h := runs[0]; h.Environment.Cgroup != "hybrid" || h.Commit != "c2" || len(h.Measurements) != 1 || h.Measurements[0].Accurate() {
		t.Errorf("measured anew: %+v", h)
	}
	if v2 := runs[1]; v2.Commit != "c1" || len(v2.Measurements) != 2 || v2.Measurements[0].Fault != "cpu" || !v2.Measurements[0].Accurate() {
		t.Errorf("kept: %+v", v2)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(measured(t, "cpu", "v2", "pass", 20), "c3"); err == nil {
		t.Error("a file that can't be read was written over")
	}
}
