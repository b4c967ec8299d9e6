package report

// Story is the story, for tests.
var Story = story
