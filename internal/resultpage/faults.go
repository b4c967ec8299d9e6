package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/firedrill-io/firedrill/internal/dose"
)

// faults shows tests as they end and returns the file of runs at path, with what
// they measured in place of older measurements in the same environments; an error
// if one failed.
func faults(in io.Reader, out io.Writer, path string, a about) (string, error) {
	runs, err := dose.Read(path)
	if err != nil {
		return "", err
	}
	var all []dose.Measurement
	_, failed, err := follow(in, out, func(key, value string) error {
		if key != dose.Key {
			return nil
		}
		var m dose.Measurement
		if err := json.Unmarshal([]byte(value), &m); err != nil {
			return fmt.Errorf("read measurement %q: %w", value, err)
		}
		all = append(all, m)
		return nil
	})
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "", errors.New("read measurements: none on standard input; the file is left as it is")
	}
	fresh := dose.Collect(all, dose.Run{Commit: a.Commit, Command: "make measure", LoadBefore: a.LoadBefore, LoadAfter: loadavg()})
	text, err := json.MarshalIndent(dose.Merge(runs, fresh), "", "  ")
	if err != nil {
		return "", fmt.Errorf("encode measurements: %w", err)
	}
	if failed > 0 {
		err = fmt.Errorf("%d failed", failed)
	}
	return string(text) + "\n", err
}
