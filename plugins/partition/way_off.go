//go:build firedrill_nobpf

package partition

const bpfOff = true
