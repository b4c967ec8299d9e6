package report

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// JSON is report.json: stable field order, indented, one newline at the end.
func JSON(run *Run) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(run); err != nil {
		return nil, fmt.Errorf("encode report: %w", err)
	}
	return out.Bytes(), nil
}

// Parse reads report.json back.
func Parse(src []byte) (*Run, error) {
	var run Run
	if err := json.Unmarshal(src, &run); err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	return &run, nil
}
