//go:build !firedrill_nobpf

package partition

// bpfOff is set in a test build only: the fallback is then all there is.
const bpfOff = false
