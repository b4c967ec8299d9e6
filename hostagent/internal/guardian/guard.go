package guardian

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/proc"
)

// The guardian's inherited files and the bytes on its socket.
const (
	fdSocket    = 3
	fdHeartbeat = 4

	msgReady   = 'R' // guardian: all is allocated
	msgDismiss = 'Q' // agent: nothing is live, go

	readyTimeout   = 10 * time.Second
	dismissTimeout = 5 * time.Second
)

// Guard is the agent's end of its guardian.
type Guard struct {
	heart  *heartbeat
	socket *os.File
	child  *proc.Process
	done   chan struct{}
}

// Launch starts a guardian: this binary with args, in a session of its own.
func Launch(args []string, stderr *os.File) (*Guard, error) {
	heart, err := newHeartbeat()
	if err != nil {
		return nil, err
	}
	heart.beat()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		heart.close()
		return nil, fmt.Errorf("launch guardian: %w", err)
	}
	mine, theirs := os.NewFile(uintptr(pair[0]), "guardian"), os.NewFile(uintptr(pair[1]), "agent")
	defer func() { _ = theirs.Close() }()
	child, err := proc.Start(proc.Spec{
		Path: proc.Self, Args: args, Stderr: stderr, Dir: "/",
		Extra: []*os.File{theirs, heart.file},
		Attr:  &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		_ = mine.Close()
		heart.close()
		return nil, fmt.Errorf("launch guardian: %w", err)
	}
	g := &Guard{heart: heart, socket: mine, child: child, done: make(chan struct{})}
	go func() {
		defer close(g.done)
		_, _ = child.Wait() // that it ended is all there is to know
	}()
	if err := g.awaitReady(); err != nil {
		_ = child.Kill()
		<-g.done
		g.Close()
		return nil, err
	}
	return g, nil
}

func (g *Guard) awaitReady() error {
	poll := []unix.PollFd{{Fd: int32(g.socket.Fd()), Events: unix.POLLIN}}
	for end := time.Now().Add(readyTimeout); time.Now().Before(end); {
		g.Beat()
		if n, err := unix.Poll(poll, 100); err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("launch guardian: %w", err)
		} else if n <= 0 {
			continue
		}
		var b [1]byte
		if n, err := g.socket.Read(b[:]); n != 1 || b[0] != msgReady {
			return fmt.Errorf("launch guardian: it ended at once (%w)", err)
		}
		return nil
	}
	return fmt.Errorf("launch guardian: not ready within %s", readyTimeout)
}

// PID is the guardian's process id.
func (g *Guard) PID() int { return g.child.PID }

// Beat tells the guardian that the agent is well. It is called at least every
// BeatEvery.
func (g *Guard) Beat() { g.heart.beat() }

// Done is closed when the guardian has ended.
func (g *Guard) Done() <-chan struct{} { return g.done }

// Alive says whether the guardian is there.
func (g *Guard) Alive() bool {
	select {
	case <-g.done:
		return false
	default:
		return true
	}
}

// Dismiss ends the guardian because nothing is live any more.
func (g *Guard) Dismiss() error {
	defer g.Close()
	if _, err := g.socket.Write([]byte{msgDismiss}); err != nil && g.Alive() {
		return fmt.Errorf("dismiss guardian: %w", err)
	}
	select {
	case <-g.done:
		return nil
	case <-time.After(dismissTimeout):
		return errors.New("dismiss guardian: it did not end")
	}
}

// Close lets go of a guardian that has ended. One that has not takes this for
// the agent's end.
func (g *Guard) Close() {
	_ = g.socket.Close()
	g.heart.close()
}
