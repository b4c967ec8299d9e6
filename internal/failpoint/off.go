//go:build !failpoint

package failpoint

// Hit does nothing: this is not the test build.
func Hit(Point) {}
