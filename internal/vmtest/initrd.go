package vmtest

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
)

// writeInitrd writes an initramfs that holds one program as /init, and the
// folders it mounts on: the "newc" form of cpio(5), which the kernel unpacks.
func writeInitrd(path, program string) error {
	code, err := os.ReadFile(program)
	if err != nil {
		return fmt.Errorf("read first program of machine: %w", err)
	}
	if err := standsAlone(code); err != nil {
		return fmt.Errorf("read first program of machine, %s: %w", program, err)
	}
	var b bytes.Buffer
	for i, dir := range []string{"dev", "proc", "sys", "root"} {
		entry(&b, i+1, dir, 0o040755, nil)
	}
	entry(&b, 9, "init", 0o100755, code)
	entry(&b, 0, "TRAILER!!!", 0, nil)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write initramfs: %w", err)
	}
	return nil
}

// standsAlone refuses a program that wants a loader: there is none, and the kernel
// would say no more than that it can't find /init, at each of its boots.
func standsAlone(code []byte) error {
	f, err := elf.NewFile(bytes.NewReader(code))
	if err != nil {
		return err
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it is linked dynamically; build it with CGO_ENABLED=0")
		}
	}
	return nil
}

// entry appends one file; names and contents are padded to four bytes.
func entry(b *bytes.Buffer, inode int, name string, mode uint32, data []byte) {
	fmt.Fprintf(b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
	pad(b)
	_, _ = b.Write(data)
	pad(b)
}

func pad(b *bytes.Buffer) {
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
}
