package partition

import (
	"errors"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Routes know no ports: what would cut the control connection is refused, and
// what would not is taken.
func TestFallbackNeverCutsTheControlConnection(t *testing.T) {
	w := newWire(t)
	w.target.Exempt = append(w.target.Exempt, mustAddrPort(addrB+":4222"))
	p := New()
	p.noBPF = true
	for to, refused := range map[string]bool{addrB: true, "0.0.0.0/0": true, "192.0.2.0/24": false} {
		_, err := p.Prepare(t.Context(), w.target, Params{To: []string{to}})
		var r *fault.RefusedError
		if got := errors.As(err, &r) && r.Field == "to"; got != refused || !refused && err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
}
