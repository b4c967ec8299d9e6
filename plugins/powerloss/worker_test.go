package powerloss

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/firedrill-io/firedrill/internal/digest"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// workerArg makes this test binary a worker in a host.
const workerArg = "worker"

func work(worker string, args []string) error {
	switch worker {
	case "write":
		return write(args[0])
	case "classes":
		err := writeClasses(args[0])
		fmt.Println("written")
		if err == nil {
			time.Sleep(time.Hour) // with all of it open to loss
		}
		return err
	case "listen":
		return listen(args[0])
	case "dial":
		return dial(args[0])
	case "digest":
		d, err := digest.Host(digest.HostOptions{Folders: args})
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(d)
	case "cut", "power-on":
		return dieAt(args[0], worker == "cut", os.Stdin)
	}
	return fmt.Errorf("no worker %q", worker)
}

// The files of write.
const (
	keptFile = "kept"
	lostFile = "lost"
)

// write appends the same records to a file that it syncs and to one that it does
// not, and says after each how many there are.
func write(dir string) error {
	kept, err := os.OpenFile(filepath.Join(dir, keptFile), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	lost, err := os.OpenFile(filepath.Join(dir, lostFile), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		record := []byte{byte(n), byte(n >> 8), byte(n >> 16), '\n'}
		if _, err := lost.Write(record); err != nil {
			return err
		}
		if _, err := kept.Write(record); err != nil {
			return err
		}
		if err := kept.Sync(); err != nil {
			return err
		}
		if _, err := fmt.Println(n); err != nil {
			return err
		}
	}
}

// listen accepts one connection and keeps it.
func listen(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn)
	return err
}

// dial connects and says what it hears of the other side: "silent" each 100 ms,
// "closed" or "reset" when it is told of the end.
func dial(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return err
	}
	fmt.Println("connected")
	for {
		switch heard := hears(conn); heard {
		case "silent":
			fmt.Println(heard)
		case "closed", "reset":
			fmt.Println(heard)
			return nil
		default:
			return errors.New(heard)
		}
	}
}

// hears is what is heard of the other side within 100 ms.
func hears(conn net.Conn) string {
	if err := conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		return err.Error()
	}
	_, err := conn.Read(make([]byte, 1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "silent"
	case errors.Is(err, io.EOF):
		return "closed"
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	case err != nil:
		return err.Error()
	}
	return "words"
}

// dieAt is a plugin process that is killed after a phase of a cut or a power-on. It
// reads its items.
func dieAt(phase string, cut bool, in io.Reader) error {
	var items []fault.Item[Change]
	if err := json.NewDecoder(in).Decode(&items); err != nil {
		return err
	}
	p := &Plugin{passed: func(now string) {
		if now == phase {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // nothing after the phase may run
		}
	}}
	if cut {
		return errors.Join(p.ApplyBatch(context.Background(), items, 0, 0)...)
	}
	for _, it := range items {
		if err := p.Revert(context.Background(), it.Target, it.Change); err != nil {
			return err
		}
	}
	return nil
}
