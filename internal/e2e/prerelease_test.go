package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/need"
)

// Each pre-release experiment holds for the smallest service, within a minute,
// and leaves a JUnit file for the pipeline.
func TestPrerelease(t *testing.T) {
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	files, err := filepath.Glob("../../experiments/prerelease/*-*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d experiments: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			beside(t)
			withinAMinute(t, file)
		})
	}
}

// withinAMinute runs one experiment and reads its JUnit file.
func withinAMinute(t *testing.T, file string) {
	t.Helper()
	out, dir, took := holds(t, file)
	if took > time.Minute {
		t.Errorf("it took %v, want less than a minute\n%s", took, out)
	}
	junit, err := filepath.Glob(dir + "/*/junit.xml")
	if err != nil || len(junit) != 1 {
		t.Fatalf("%d JUnit files: %v\n%s", len(junit), err, out)
	}
	text, err := os.ReadFile(junit[0])
	if err != nil || !strings.Contains(string(text), "<testcase") || strings.Contains(string(text), "<failure") {
		t.Errorf("JUnit file: %v\n%s", err, text)
	}
}
