package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
)

// A line is the CRC-32 (IEEE) of the JSON in eight hex digits, a space, the
// JSON, a newline. A line that starts with # is a blanked torn one.
const crcDigits = 8

func encode(r Record) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode journal record: %w", err)
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(body), body), nil
}

func decode(line []byte) (Record, error) {
	var r Record
	if len(line) <= crcDigits || line[crcDigits] != ' ' {
		return r, errors.New("no checksum")
	}
	sum, err := strconv.ParseUint(string(line[:crcDigits]), 16, 32)
	if err != nil {
		return r, errors.New("no checksum")
	}
	body := line[crcDigits+1:]
	if crc32.ChecksumIEEE(body) != uint32(sum) {
		return r, errors.New("checksum differs")
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return r, err
	}
	if r.ID == "" || !r.Phase.known() {
		return r, fmt.Errorf("no injection or unknown phase %q", r.Phase)
	}
	return r, nil
}

// contents is what a journal file holds.
type contents struct {
	records []Record
	bad     error // the first bad line that is not a torn last one
	torn    int64 // offset of the torn last line; -1: none
}

// parse reads as much as can be read: a bad line costs that line only.
func parse(b []byte) contents {
	c := contents{torn: -1}
	for off, number := 0, 1; off < len(b); number++ {
		end := bytes.IndexByte(b[off:], '\n')
		line, next := b[off:], len(b)
		if end >= 0 {
			line, next = b[off:off+end], off+end+1
		}
		if end < 0 || next == len(b) && bytes.IndexByte(line, 0) >= 0 {
			// Cut short, or blocks of it never reached the disk.
			c.torn = int64(off)
			return c
		}
		off = next
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		r, err := decode(line)
		if err != nil {
			if c.bad == nil {
				c.bad = fmt.Errorf("line %d: %w", number, err)
			}
			continue
		}
		c.records = append(c.records, r)
	}
	return c
}
