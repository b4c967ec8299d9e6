package faulttest

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

func TestStaleDescriptionIsFound(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := current(wellBehaved); err == nil || !strings.Contains(err.Error(), "make generate") {
		t.Errorf("without a description: %v", err)
	}
	var b bytes.Buffer
	if err := fault.WriteDescription(&b, wellBehaved); err != nil {
		t.Fatal(err)
	}
	for text, stale := range map[string]bool{b.String(): false, strings.Replace(b.String(), "255", "256", 1): true} {
		if err := os.WriteFile(Description, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := current(wellBehaved); (err != nil) != stale {
			t.Errorf("stale is %v: %v", stale, err)
		}
	}
}
