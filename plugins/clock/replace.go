package clock

import (
	"bytes"
	"errors"
	"time"

	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// state is what a process's vDSO is.
type state int

const (
	foreign  state = iota // neither the kernel's nor ours
	pristine              // the kernel's
	shifted               // ours
	halfway               // some functions are ours
)

// look reads what is in a process.
func (c Change) look(p process.ID) (state, error) {
	m, err := openMemory(p)
	if err != nil {
		return foreign, err
	}
	defer m.Close()
	before, after := 0, 0
	for _, s := range c.Image.Sites {
		now, err := m.read(s.Offset, len(s.After))
		switch {
		case err != nil:
			return foreign, err
		case bytes.Equal(now, s.Before):
			before++
		case bytes.Equal(now, s.After):
			after++
		}
	}
	switch all := len(c.Image.Sites); {
	case after == all:
		return shifted, nil
	case before == all:
		return pristine, nil
	case after > 0:
		return halfway, nil
	}
	return foreign, nil
}

// decoded reads the shift, in s, from the code in a process.
func (c Change) decoded(p process.ID) (seconds float64, err error) {
	m, err := openMemory(p)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	a, err := thisArchitecture()
	if err != nil {
		return 0, err
	}
	for _, s := range c.Image.Sites {
		if s.Symbol == a.clock {
			code, err := m.read(s.Offset, len(s.After))
			if err != nil {
				return 0, err
			}
			return a.decode(code).Seconds(), nil
		}
	}
	return 0, errors.New("decode shift: the record has no function that tells the time")
}

// replace writes our code over the kernel's, or the other way round, where the
// one is and not the other, while no thread of the process can be inside.
func (k Plugin) replace(p process.ID, img Image, ours bool) error {
	if k.noEffect {
		return nil
	}
	m, err := openMemory(p)
	if err != nil {
		return err
	}
	defer m.Close()
	return still(p, m.base, m.base+uint64(img.Size), func() error {
		for _, s := range img.Sites {
			from, to := s.After, s.Before
			if ours {
				from, to = to, from
			}
			now, err := m.read(s.Offset, len(from))
			if err != nil {
				return err
			}
			if !bytes.Equal(now, from) {
				continue
			}
			if err := m.write(s.Offset, to); err != nil {
				return err
			}
		}
		return nil
	})
}

// stopTime bounds how long a process is tried to be stopped outside of a range.
const stopTime = 2 * time.Second
