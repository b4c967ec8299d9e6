package loss

import (
	"encoding/json"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// A parameter of the wrong type is refused by its own name, also one of those
// that all network faults share.
func TestWrongTypesAreRefusedByName(t *testing.T) {
	for field, params := range map[string]string{"percent": `{"percent": 10, "to": ["10.0.0.1"]}`, "to": `{"percent": "10%", "to": "10.0.0.1"}`} {
		_, err := driver.Prepare(t.Context(), fault.Target{}, json.RawMessage(params))
		faulttest.Refused(t, err, field)
	}
}
