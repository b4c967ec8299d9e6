package report

import "errors"

// HTML is report.html: one page that needs nothing but itself.
func HTML(run *Run) ([]byte, error) {
	return nil, errors.New("render page: not written yet")
}
