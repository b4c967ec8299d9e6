package pressure

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	const text = "some avg10=1.53 avg60=0.50 avg300=0.11 total=4711\nfull avg10=0.90 avg60=0.20 avg300=0.05 total=815\n"
	if s, ok := parse(text); !ok || s.Avg10 != 1.53 || s.Total != 4711*time.Microsecond {
		t.Errorf("read %+v, %v", s, ok)
	}
	for _, text := range []string{"", "full avg10=0.90\n", "some avg10=x total=1\n"} {
		if _, ok := parse(text); ok {
			t.Errorf("took %q for the line of some", text)
		}
	}
}
