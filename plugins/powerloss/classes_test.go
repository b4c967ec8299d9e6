package powerloss

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/power"
)

// How many files each class has, and how long what is in them is: some blocks.
const (
	classFiles = 20
	classBytes = 12345
)

// The contents of a file, before and after the write whose fate is looked at.
func olden(n int) []byte  { return bytes.Repeat([]byte{'a' + byte(n)}, classBytes) }
func newest(n int) []byte { return bytes.Repeat([]byte{'A' + byte(n)}, classBytes) }

// class is one way of writing files, and what a power cut leaves of each by what
// ext4 promises (Documentation/filesystems/ext4: data=ordered, auto_da_alloc,
// delayed allocation).
type class struct {
	name  string
	old   bool // the file is there before, synced
	write func(path string, n int) error
	want  fate
}

// fate is what became of a file.
type fate string

const (
	isNew   fate = "new"
	isOld   fate = "old"
	isEmpty fate = "empty"
	isGone  fate = "gone"
	isOther fate = "something else"
	isLost  fate = "empty or gone" // wanted where the next commit of the journal may come or not
)

// classes are written in this order; the last file synced commits the names of all
// before it.
var classes = []class{
	{"written", false, writeNew(false), isEmpty},
	{"synced", false, writeNew(true), isNew},
	{"synced with its folder", false, func(path string, n int) error {
		return errors.Join(writeNew(true)(path, n), syncFile(filepath.Dir(path)))
	}, isNew},
	{"appended", true, func(path string, n int) error { return put(path, os.O_APPEND, newest(n), false) }, isOld},
	{"overwritten", true, func(path string, n int) error { return put(path, 0, newest(n), false) }, isOld},
	{"renamed over", true, func(path string, n int) error {
		return errors.Join(writeNew(false)(path+".tmp", n), os.Rename(path+".tmp", path))
	}, isNew},
	{"synced and renamed over", true, func(path string, n int) error {
		return errors.Join(writeNew(true)(path+".tmp", n), os.Rename(path+".tmp", path))
	}, isNew},
	{"renamed", false, func(path string, n int) error {
		return errors.Join(writeNew(false)(path+".tmp", n), os.Rename(path+".tmp", path))
	}, isEmpty},
	{"synced and renamed", false, func(path string, n int) error {
		return errors.Join(writeNew(true)(path+".tmp", n), os.Rename(path+".tmp", path))
	}, isNew},
	{"marker", false, writeNew(true), isNew},
	{"written last", false, writeNew(false), isLost},
}

func writeNew(sync bool) func(string, int) error {
	return func(path string, n int) error { return put(path, os.O_CREATE|os.O_TRUNC, newest(n), sync) }
}

func put(path string, flags int, b []byte, sync bool) error {
	f, err := os.OpenFile(path, os.O_WRONLY|flags, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func classPath(dir string, c class, n int) string { return filepath.Join(dir, c.name, strconv.Itoa(n)) }

// writeClasses writes all classes below dir; what is there before is synced.
func writeClasses(dir string) error {
	for _, c := range classes {
		if err := os.Mkdir(filepath.Join(dir, c.name), 0o700); err != nil {
			return err
		}
		for n := 0; n < classFiles && c.old; n++ {
			if err := put(classPath(dir, c, n), os.O_CREATE, olden(n), true); err != nil {
				return err
			}
		}
	}
	if err := syncFile(dir); err != nil {
		return err
	}
	for _, c := range classes {
		for n := range classFiles {
			if err := c.write(classPath(dir, c, n), n); err != nil {
				return err
			}
		}
	}
	return nil
}

// survey is how many files of each class met which fate.
type survey map[string]map[fate]int

func surveyOf(t testing.TB, dir string) survey {
	t.Helper()
	s := survey{}
	for _, c := range classes {
		s[c.name] = map[fate]int{}
		for n := range classFiles {
			f, err := fateOf(classPath(dir, c, n), n)
			if err != nil {
				t.Fatal(err)
			}
			if c.want == isLost && (f == isEmpty || f == isGone) {
				f = isLost
			}
			s[c.name][f]++
		}
	}
	return s
}

func fateOf(path string, n int) (fate, error) {
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return isGone, nil
	case err != nil:
		return "", err
	case len(b) == 0:
		return isEmpty, nil
	case bytes.Equal(b, newest(n)), bytes.Equal(b, append(olden(n), newest(n)...)):
		return isNew, nil
	case bytes.Equal(b, olden(n)):
		return isOld, nil
	}
	return isOther, nil
}

// asPromised compares a survey with what ext4 promises.
func (s survey) asPromised() error {
	for _, c := range classes {
		if s[c.name][c.want] != classFiles {
			return fmt.Errorf("of %d files %q, %v; want all %s", classFiles, c.name, s[c.name], c.want)
		}
	}
	return nil
}

// A cut leaves of each way of writing what ext4 promises for a loss of power. The
// twin kills the host instead, and nothing of it is lost.
func TestCutKeepsWhatExt4Promises(t *testing.T) {
	t.Parallel()
	cut, killed := surveysOfLab(t)
	if err := cut.asPromised(); err != nil {
		t.Error(err)
	}
	for _, c := range classes {
		if killed[c.name][isNew] != classFiles {
			t.Errorf("kill -9: of %d files %q, %v; want all new", classFiles, c.name, killed[c.name])
		}
	}
}

// surveysOfLab has a host of the lab lose its power, and another its processes.
func surveysOfLab(t *testing.T) (cut, killed survey) {
	l := raise(t, 2)
	writtenIn(t, l, "p1")
	items := prepared(t, l, "p1")
	dark(t, items)
	lit(t, items)
	writtenIn(t, l, "p2")
	kill9(t, l, "p2")
	of := func(host string) survey {
		return surveyOf(t, inside(statusOf(t, l, host), power.FileSystem{Mount: "/data"}))
	}
	return of("p1"), of("p2")
}

// writtenIn returns when the classes are written in a host.
func writtenIn(t *testing.T, l *lab.Lab, host string) {
	t.Helper()
	_, out := start(t, l, host, "classes", "/data")
	if lines := bufio.NewScanner(out); !lines.Scan() || lines.Text() != "written" {
		t.Fatalf("the writer in %s says %q", host, lines.Text())
	}
}

func kill9(t *testing.T, l *lab.Lab, host string) {
	t.Helper()
	killed(t, statusOf(t, l, host))
	if _, err := l.Power().On(t.Context(), host); err != nil {
		t.Fatal(err)
	}
}
