package runner

import (
	"errors"
	"strings"
	"testing"
)

// A host that could not be looked at before the drill is named, whichever host
// that is; of hosts that all could there is nothing to say.
func TestFoundNamesTheHostThatCouldNotBeRead(t *testing.T) {
	if err := (found{"a1": {}, "a2": {}}).err(); err != nil {
		t.Errorf("all were read: %v", err)
	}
	late := errors.New("no answer within 10 s")
	err := found{"b": {}, "a2": {err: late}, "a1": {}}.err()
	if !errors.Is(err, late) || !strings.Contains(err.Error(), "a2") {
		t.Errorf("a2 was not read: %v", err)
	}
}
