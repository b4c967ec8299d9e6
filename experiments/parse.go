package experiments

import (
	"encoding/json"
	"errors"
)

// Parse reads an experiment file.
func Parse(src []byte, file string, vars map[string]string, faults map[string]json.RawMessage) (*Experiment, error) {
	return nil, errors.New("parse experiment: not built yet")
}
