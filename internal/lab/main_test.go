package lab_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/digest/digesttest"
	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/internal/lab"
)

// The test binary runs in hosts and as the owner of labs too: the first
// argument says as what.
var roles = map[string]func(args []string) error{
	"test-owner":  testOwner,
	"test-write":  testWrite,
	"test-serve":  testServe,
	"serve":       testServeAgent,
	"test-dial":   testDial,
	"test-listen": testListen,
	"test-far":    testFar,
	"test-flood":  testFlood,
	"test-ask":    testAsk,
}

func TestMain(m *testing.M) {
	_ = os.Setenv("GOGC", "1") // what only a finalizer closes is closed soon, in the roles too
	lab.Main()
	if len(os.Args) > 1 && roles[os.Args[1]] != nil {
		if err := roles[os.Args[1]](os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(digesttest.Run(m))
}

// testOwner raises the lab of a file, says its folder and waits for ever.
func testOwner(args []string) error {
	src, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	inv, err := inventory.Parse(src, args[0], nil)
	if err != nil {
		return err
	}
	l, err := lab.Up(context.Background(), lab.Config{Inventory: *inv})
	if err != nil {
		return err
	}
	fmt.Println(l.ID())
	for {
		time.Sleep(time.Hour)
	}
}

// testWrite writes "content" to every path; with "sync" as first argument it
// makes them durable.
func testWrite(args []string) error {
	for _, path := range args[1:] {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		if _, err := f.WriteString("content"); err != nil {
			return err
		}
		if args[0] == "sync" {
			if err := f.Sync(); err != nil {
				return err
			}
			dir, err := os.Open(filepath.Dir(path))
			if err != nil {
				return err
			}
			if err := dir.Sync(); err != nil {
				return err
			}
		}
	}
	return nil
}

// testServe is a service: it notes its start on /data, and ends after its pause.
func testServe(args []string) error {
	f, err := os.OpenFile("/data/starts", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, "start"); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	fmt.Println("serving as", args[0])
	pause, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	time.Sleep(pause)
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}
