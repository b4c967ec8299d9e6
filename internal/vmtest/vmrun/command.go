package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/firedrill-io/firedrill/internal/vmtest"
)

// command is what a machine needs to run the test: the binary, its arguments and
// the files of its package, which go test makes the working folder.
func command(args []string) (vmtest.Command, error) {
	// The file is for go test's cache and lies on this machine.
	rest := slices.DeleteFunc(slices.Clone(args[1:]), func(a string) bool { return strings.HasPrefix(a, "-test.testlogfile=") })
	c := vmtest.Command{Words: append([]string{"test"}, rest...), Files: map[string][]byte{}, Dir: "work"}
	add := func(name, from string) (err error) {
		c.Files[name], err = os.ReadFile(from)
		return err
	}
	if name, ok := onDisk(args[0]); ok {
		c.Words[0] = vmtest.OnJob(name)
	} else if err := add("test", args[0]); err != nil {
		return c, err
	}
	return c, filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.Type().IsRegular():
			return add(filepath.Join(c.Dir, path), path)
		case e.IsDir() && path != "." && !strings.HasPrefix(path, "testdata"):
			return fs.SkipDir
		}
		return nil
	})
}

// jobEnv names a folder that a machine gets a copy of when it boots.
const jobEnv = "VMRUN_JOB"

// onDisk is the name of a test binary in that folder.
func onDisk(path string) (name string, ok bool) {
	job := os.Getenv(jobEnv)
	return filepath.Base(path), job != "" && os.Getenv(machineEnv) != "" && filepath.Dir(path) == filepath.Clean(job)
}
