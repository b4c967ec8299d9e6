package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// superapp is the real program, built once: only a process can be killed.
var superapp = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binaries, "superapp")
	c := exec.Command("go", "build", "-o", path, ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build superapp: %w\n%s", err, out)
	}
	return path, nil
})

// program starts a role as a process of its own and waits until it listens.
func program(t *testing.T, addr string, args ...string) *server {
	t.Helper()
	if _, err := superapp(); err != nil {
		t.Fatal(err)
	}
	s := start(t, "superapp", append(args, "--listen", addr)...)
	eventually(t, args[0]+" listens", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return s
}

// ask makes a request and returns the status and the body.
func ask(t *testing.T, method, url, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(b)
}
