package reset

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
)

var driver = fault.NewDriver(New())

func TestMain(m *testing.M) {
	processtest.Main()
	faulttest.Main(m, driver)
}

const address = "127.0.0.1:5001"

// client has something listen in the host, and a client that connects again
// whenever it is cut off.
func client(h *faulttest.Host) error {
	var l net.Listener
	if err := h.Do(func() (err error) { l, err = net.Listen("tcp", address); return err }); err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, c); _ = c.Close() }()
		}
	}()
	go func() {
		for {
			var c net.Conn
			if h.Do(func() (err error) { c, err = net.Dial("tcp", address); return err }) != nil {
				_ = l.Close()
				return // with its host
			}
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return nil
}

func TestConformance(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Ports: []string{"5001"}},
		Setup:  client,
		Alone:  "a connection that was reset belongs to nobody",
	})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{Params: Params{To: []string{"pluto"}}, Refused: "to[0]"})
}
