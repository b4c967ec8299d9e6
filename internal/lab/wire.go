package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// maxMessage bounds one message; maxFiles the descriptors that come with it.
const (
	maxMessage = 256 << 10
	maxFiles   = 64
)

// wire is a SOCK_SEQPACKET socket: one JSON value a packet, with descriptors.
type wire struct{ c *net.UnixConn }

// socketpair returns our end and the file to be inherited by a child.
func socketpair() (*wire, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "theirs")
	ours, err := fileWire(os.NewFile(uintptr(fds[0]), "ours"))
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return ours, theirs, nil
}

// fileWire takes over an inherited socket and closes f.
func fileWire(f *os.File) (*wire, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("use inherited socket: %w", err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("use inherited socket: it is %T, not a unix socket", c), c.Close())
	}
	return newWire(u), nil
}

func newWire(c *net.UnixConn) *wire {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 2*maxMessage)
		})
	}
	return &wire{c: c}
}

func dialWire(socket string) (*wire, error) {
	c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: socket, Net: "unixpacket"})
	if err != nil {
		return nil, err
	}
	return newWire(c), nil
}

func listenWire(socket string) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: socket, Net: "unixpacket"})
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(socket, 0o600)
}

func (w *wire) close() error { return w.c.Close() }

func (w *wire) send(v any, files ...*os.File) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	if len(b) > maxMessage || len(files) > maxFiles {
		return fmt.Errorf("send message: %d bytes and %d files are too many", len(b), len(files))
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	if _, _, err := w.c.WriteMsgUnix(b, rights, nil); err != nil {
		return fmt.Errorf("send message: %w", err)
	}
	return nil
}

// receive waits for one message. The files are the caller's to close. io.EOF
// when the other side is gone.
func (w *wire) receive(v any) ([]*os.File, error) {
	b := make([]byte, maxMessage)
	oob := make([]byte, unix.CmsgSpace(maxFiles*4))
	n, oobn, flags, _, err := w.c.ReadMsgUnix(b, oob)
	if err != nil {
		return nil, fmt.Errorf("receive message: %w", err)
	}
	if n == 0 {
		return nil, io.EOF
	}
	files, err := rights(oob[:oobn])
	if err != nil {
		return nil, err
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		closeFiles(files)
		return nil, errors.New("receive message: it was cut off")
	}
	if err := json.Unmarshal(b[:n], v); err != nil {
		closeFiles(files)
		return nil, fmt.Errorf("decode message: %w", err)
	}
	return files, nil
}

func rights(oob []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("receive descriptors: %w", err)
	}
	var files []*os.File
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// ask sends v and waits for the answer.
func (w *wire) ask(v, answer any, files ...*os.File) error {
	if err := w.send(v, files...); err != nil {
		return err
	}
	_, err := w.receive(answer)
	return err
}
