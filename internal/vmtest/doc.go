// Package vmtest boots a typical host to test on: Debian's stock cloud kernel
// under qemu without KVM, with cgroup v2 alone, all modules and, if asked for,
// systemd. It stands on both sides: Boot starts the machine from outside, Guest
// is what runs in it first. The machine's disks come from .ci/vm-image; what is
// written to them is gone when it ends.
//
// Programs are translated instruction by instruction, about ten times slower
// than on the machine itself: assert no tight times in it.
package vmtest
