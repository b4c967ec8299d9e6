package plan

import "io"

// Render writes the timeline for a person.
func Render(w io.Writer, p *Plan) error { return nil }
