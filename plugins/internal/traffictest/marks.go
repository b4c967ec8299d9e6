package traffictest

import (
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// CountMarked puts a filter of the user's behind ours while act runs and returns
// how many packets passed it on their way out that carried his mark.
func (w *Wire) CountMarked(t testing.TB, mark int32, act func()) int {
	t.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	faulttest.Must(t, err)
	defer m.Close()
	const markOffset = 8 // struct __sk_buff of linux/bpf.h
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "GPL", Instructions: asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, markOffset, asm.Word),
		asm.JNE.Imm(asm.R2, mark, "out"),
		asm.StoreImm(asm.RFP, -4, 0, asm.Word),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.Mov.Imm(asm.R1, 1),
		asm.AddAtomic.Mem(asm.R0, asm.R1, asm.DWord, 0),
		asm.Mov.Imm(asm.R0, -1).WithSymbol("out"),
		asm.Return(),
	}})
	faulttest.Must(t, err)
	defer prog.Close()
	f := theirFilter(w.Eth0(t), prog.FD(), 100)
	faulttest.Must(t, w.H.FilterAdd(f))
	act()
	faulttest.Must(t, w.H.FilterDel(f))
	var n uint64
	faulttest.Must(t, m.Lookup(uint32(0), &n))
	return int(n)
}

// SendMarked sends n datagrams that carry a mark (SO_MARK, socket(7)).
func SendMarked(t testing.TB, from *netns.NS, to string, n, mark int) {
	t.Helper()
	sa := &unix.SockaddrInet4{Port: Closed, Addr: netip.MustParseAddr(to).As4()}
	faulttest.Must(t, from.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, mark); err != nil {
			return err
		}
		for range n {
			if err := unix.Sendto(fd, []byte("marked"), 0, sa); err != nil {
				return err
			}
		}
		return nil
	}))
}
