package fault

import "testing"

func TestKindIsRegisteredOnce(t *testing.T) {
	t.Cleanup(func() { delete(registered, "once") })
	Register("once", nil)
	if _, ok := Registered()["once"]; !ok {
		t.Error("what was registered is not there")
	}
	delete(Registered(), "once") // a copy: nobody takes a fault away
	defer func() {
		if recover() == nil {
			t.Error("a second fault of one kind was registered")
		}
	}()
	Register("once", nil)
}
