package lab_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

// The first byte of a connection to testFar says what it is for.
const (
	wantEcho = 'e'
	wantRate = 'r'
)

// testFar is the far end of floods and of questions.
func testFar(args []string) error {
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			what := make([]byte, 1)
			if _, err := io.ReadFull(c, what); err != nil {
				return
			}
			if what[0] == wantEcho {
				_, _ = io.Copy(c, c)
				return
			}
			began := time.Now()
			n, _ := io.Copy(io.Discard, c)
			_ = binary.Write(c, binary.BigEndian, uint64(float64(n)*8/time.Since(began).Seconds()))
		}()
	}
}

// testFlood sends as much as it can for a time, and prints the bits per second
// that the far end has read.
func testFlood(args []string) error {
	c, pause, err := dialFar(args, wantRate)
	if err != nil {
		return err
	}
	defer c.Close()
	// Enough for the rate, and soon drained at the end.
	if err := c.(*net.TCPConn).SetWriteBuffer(64 << 10); err != nil {
		return err
	}
	_ = c.SetDeadline(time.Now().Add(pause))
	block := make([]byte, 16<<10)
	for err == nil {
		_, err = c.Write(block)
	}
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		return err
	}
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	var rate uint64
	if err := binary.Read(c, binary.BigEndian, &rate); err != nil {
		return err
	}
	fmt.Println(rate)
	return nil
}

// testAsk asks 20 times a second, and prints the median and the worst time until
// the answer, in microseconds.
func testAsk(args []string) error {
	c, pause, err := dialFar(args, wantEcho)
	if err != nil {
		return err
	}
	defer c.Close()
	var took []time.Duration
	for end := time.Now().Add(pause); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		began := time.Now()
		if _, err := c.Write(make([]byte, 100)); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, make([]byte, 100)); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	fmt.Println(took[len(took)/2].Microseconds(), took[len(took)-1].Microseconds())
	return nil
}

func dialFar(args []string, what byte) (net.Conn, time.Duration, error) {
	pause, err := time.ParseDuration(args[1])
	if err != nil {
		return nil, 0, err
	}
	c, err := net.DialTimeout("tcp", args[0], 5*time.Second)
	if err != nil {
		return nil, 0, err
	}
	_, err = c.Write([]byte{what})
	return c, pause, err
}
