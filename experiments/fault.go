package experiments

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// plainFault is the part of a StageFault that does not depend on its kind.
type plainFault StageFault

// UnmarshalJSON reads {<kind>: {…parameters…}, on: …}.
func (f *StageFault) UnmarshalJSON(b []byte) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(b, &keys); err != nil {
		return fmt.Errorf("decode fault: %w", err)
	}
	if err := json.Unmarshal(b, (*plainFault)(f)); err != nil {
		return fmt.Errorf("decode fault: %w", err)
	}
	for key, params := range keys {
		if faultKeys[key] {
			continue
		}
		if f.Kind != "" {
			return fmt.Errorf("decode fault: two kinds, %s and %s", f.Kind, key)
		}
		f.Kind, f.Params = key, params
	}
	if f.Kind == "" {
		return fmt.Errorf("decode fault: no kind")
	}
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (f StageFault) MarshalJSON() ([]byte, error) {
	plain, err := json.Marshal(plainFault(f))
	if err != nil {
		return nil, fmt.Errorf("encode fault: %w", err)
	}
	params := f.Params
	if len(params) == 0 {
		params = json.RawMessage("{}")
	}
	kind, err := json.Marshal(map[string]json.RawMessage{f.Kind: params})
	if err != nil {
		return nil, fmt.Errorf("encode fault: %w", err)
	}
	return bytes.Join([][]byte{kind[:len(kind)-1], plain[1:]}, []byte(",")), nil
}

// faultKeys are the keys of a stage's fault that are not its kind.
var faultKeys = map[string]bool{"on": true, "until": true, "for": true, "restore": true, "require": true, "optional": true}
