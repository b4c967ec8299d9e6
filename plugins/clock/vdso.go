package clock

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// Image is the vDSO (vdso(7)) of the host's processes: code that the kernel maps
// into each and through which programs read the clock. All processes of one
// architecture have the same, at addresses of their own.
type Image struct {
	Size  int    `json:"size"`
	Sites []Site `json:"sites"`
}

// Site is one function of the image that is replaced.
type Site struct {
	Symbol string `json:"symbol"`
	Offset uint64 `json:"offset"` // from where the vDSO is mapped
	Before []byte `json:"before"`
	After  []byte `json:"after"`
}

// auxVDSO is AT_SYSINFO_EHDR of getauxval(3).
const auxVDSO = 33

// imageSize is more than any vDSO has.
const imageSize = 64 << 10

// base returns where the vDSO of a process is mapped.
func base(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/auxv", pid))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return 0, fmt.Errorf("pid %d: %w", pid, process.ErrEnded)
	}
	if err != nil {
		return 0, fmt.Errorf("find vDSO of pid %d: %w", pid, err)
	}
	for ; len(b) >= 16; b = b[16:] {
		if binary.NativeEndian.Uint64(b) == auxVDSO {
			return binary.NativeEndian.Uint64(b[8:]), nil
		}
	}
	return 0, fmt.Errorf("%w: pid %d has no vDSO", fault.ErrUnsupported, pid)
}

// memory is the open memory of one process, proc_pid_mem(5).
type memory struct {
	f    *os.File
	base uint64 // of the vDSO
}

func openMemory(p process.ID) (*memory, error) {
	at, err := base(p.PID)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", p.PID), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", p, process.ErrEnded)
	}
	if err != nil {
		return nil, fmt.Errorf("open memory of %s: %w", p, err)
	}
	// What is open stays the memory of one program, whatever becomes of the pid.
	now, err := process.Read(p.PID)
	if err == nil && now.Start != p.Start {
		err = fmt.Errorf("%s: %w", p, process.ErrEnded)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &memory{f, at}, nil
}

func (m *memory) Close() error { return m.f.Close() }

// read reads n bytes of the vDSO.
func (m *memory) read(offset uint64, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := m.f.ReadAt(b, int64(m.base+offset))
	if got == n {
		return b, nil
	}
	if got == 0 && (err == nil || errors.Is(err, unix.EIO)) {
		err = process.ErrEnded // its memory is gone
	}
	return b[:got], fmt.Errorf("read vDSO: %w", err)
}

func (m *memory) write(offset uint64, b []byte) error {
	if _, err := m.f.WriteAt(b, int64(m.base+offset)); err != nil {
		return fmt.Errorf("write vDSO: %w", err)
	}
	return nil
}

// inspect reads the vDSO of a process and finds the functions of arch.
func inspect(p process.ID, a architecture) (Image, error) {
	m, err := openMemory(p)
	if err != nil {
		return Image{}, err
	}
	defer m.Close()
	raw, err := m.read(0, imageSize)
	if len(raw) == 0 {
		return Image{}, err
	}
	f, err := elf.NewFile(bytes.NewReader(raw))
	if err != nil {
		return Image{}, fmt.Errorf("%w: the vDSO of %s can't be read: %w", fault.ErrUnsupported, p, err)
	}
	if f.Machine != a.machine || f.Class != elf.ELFCLASS64 {
		return Image{}, fmt.Errorf("%w: %s is a program of another architecture, %s", fault.ErrUnsupported, p, f.Machine)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return Image{}, fmt.Errorf("%w: the vDSO of %s names no functions: %w", fault.ErrUnsupported, p, err)
	}
	img := Image{Size: len(raw)}
	for _, s := range symbols {
		if _, ours := a.functions[s.Name]; ours && s.Value+s.Size <= uint64(len(raw)) {
			img.Sites = append(img.Sites, Site{Symbol: s.Name, Offset: s.Value, Before: bytes.Clone(raw[s.Value : s.Value+s.Size])})
		}
	}
	if len(img.Sites) != len(a.functions) {
		return img, fmt.Errorf("%w: the vDSO of %s has %d of %d functions that read the clock", fault.ErrUnsupported, p, len(img.Sites), len(a.functions))
	}
	return img, nil
}
