package report

// Story is the story's sentences without their heads, for tests.
func Story(run *Run) []string {
	var out []string
	for _, t := range story(run) {
		out = append(out, t.Text)
	}
	return out
}
