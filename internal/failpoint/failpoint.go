// Package failpoint lets a test end the process at a named step, to prove that
// what is on disk at that step is enough to revert. Only the test build (tag
// failpoint) does anything.
package failpoint

// Point names a step at which the process can be ended.
type Point string

// The points, in the order of an injection's life.
const (
	BeforeIntent   Point = "before-intent"
	AfterIntent    Point = "after-intent"
	BeforeApply    Point = "before-apply"
	AfterApply     Point = "after-apply"
	BeforeApplied  Point = "before-applied"
	AfterApplied   Point = "after-applied"
	BeforeRevert   Point = "before-revert"
	AfterRevert    Point = "after-revert"
	BeforeReverted Point = "before-reverted"
	AfterReverted  Point = "after-reverted"
)

// Env is the environment variable that names the point at which to end.
const Env = "FIREDRILL_FAILPOINT"

// Points lists all points.
func Points() []Point {
	return []Point{
		BeforeIntent, AfterIntent, BeforeApply, AfterApply, BeforeApplied, AfterApplied,
		BeforeRevert, AfterRevert, BeforeReverted, AfterReverted,
	}
}
