package digest

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
)

// Where the vDSO of a process is: AT_SYSINFO_EHDR of getauxval(3); and more than
// it is long.
const (
	auxVDSO  = 33
	vdsoSize = 64 << 10
)

// vdsos adds the processes whose vDSO (vdso(7)) is not the one that the kernel
// gave this process: somebody changed what they read the clock through. Those
// that can't be read are left out: they end while we look, or are not ours.
func (l *listing) vdsos(proc string) error {
	own := readVDSO(filepath.Join(proc, "self"))
	if own == nil {
		return nil
	}
	list, err := pids(proc)
	if err != nil {
		return err
	}
	for _, pid := range list {
		code := readVDSO(filepath.Join(proc, strconv.Itoa(pid)))
		if len(code) != len(own) || bytes.Equal(code, own) {
			continue // none, another architecture's, or as it should be
		}
		if p, ok := readProcess(proc, pid); ok {
			l.add("vdso", strconv.Itoa(pid), "start="+p.start, "comm="+p.comm)
		}
	}
	return nil
}

func readVDSO(process string) []byte {
	aux, err := os.ReadFile(filepath.Join(process, "auxv"))
	if err != nil {
		return nil
	}
	at := uint64(0)
	for ; len(aux) >= 16 && at == 0; aux = aux[16:] {
		if binary.NativeEndian.Uint64(aux) == auxVDSO {
			at = binary.NativeEndian.Uint64(aux[8:])
		}
	}
	f, err := os.Open(filepath.Join(process, "mem"))
	if err != nil || at == 0 {
		return nil
	}
	defer f.Close()
	code := make([]byte, vdsoSize)
	n, _ := f.ReadAt(code, int64(at)) // it ends before
	return code[:n]
}
