package lab

import (
	"fmt"
	"os"
	"path/filepath"
)

// logFolder opens the folder of a host's logs, made if needed. It lies on the
// machine, so that what services said outlives their host.
func logFolder(runDir, host string) (*os.File, error) {
	dir := logDir(runDir, host)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make log folder: %w", err)
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open log folder: %w", err)
	}
	return f, nil
}

func openLog(runDir, host, name string) (*os.File, error) {
	dir, err := logFolder(runDir, host)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return appendTo(filepath.Join(dir.Name(), name+".log"))
}

func appendTo(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

// environment is what programs in a host start with.
func environment(host string) []string {
	return []string{"PATH=" + hostPath, "HOME=/tmp", "TMPDIR=/tmp", "LANG=C.UTF-8", "HOSTNAME=" + host}
}

// hostPath is where bare names of commands (not of services) are looked for in a host.
const hostPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
