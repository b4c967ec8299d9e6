package digest

import (
	"path/filepath"
)

// loops adds the attached loop devices; with mounted non-nil only those that
// carry one of these device numbers. The number of the device is left out: the
// kernel hands out the first free one.
func (l *listing) loops(sys string, mounted map[string]bool) error {
	found, err := filepath.Glob(filepath.Join(sys, "block", "loop*"))
	if err != nil {
		return err
	}
	for _, dir := range found {
		name := filepath.Base(dir)
		file, ok := backingFile(sys, name)
		if !ok {
			continue // not attached: loop devices without a file stay for ever once made
		}
		if number, _ := readTrimmed(dir, "dev"); mounted != nil && !mounted[number] {
			continue
		}
		offset, _ := readTrimmed(dir, "loop", "offset")
		limit, _ := readTrimmed(dir, "loop", "sizelimit")
		readonly, _ := readTrimmed(dir, "ro")
		l.add("loop", file, "offset="+offset, "sizelimit="+limit, "ro="+readonly)
	}
	return nil
}

func backingFile(sys, name string) (string, bool) {
	return readTrimmed(sys, "block", name, "loop", "backing_file")
}
