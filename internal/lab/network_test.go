package lab_test

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// testDial connects to an address and says nothing; exit code 1 if it cannot.
func testDial(args []string) error {
	c, err := net.DialTimeout("tcp", args[0], time.Second)
	if err != nil {
		return err
	}
	return c.Close()
}

// testListen accepts connections until it is killed.
func testListen(args []string) error {
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		_ = c.Close()
	}
}

// Every host reaches every other by address and name, across racks and sites,
// over both families; with the cable down, which is the twin, it does not.
func TestNetwork(t *testing.T) {
	l := up(t, lab.Config{Inventory: parse(t, twoHosts)})
	p, err := l.Start("h2", lab.HostCommand{Path: proc.Self, Args: []string{"test-listen", ":4000"}, Stdio: lab.Stdio{Err: os.Stderr}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dial := func(from, to string) int {
		_, code := run(t, l, from, proc.Self, "test-dial", to)
		return code
	}
	eventually(t, "h2 listens", func() bool { return dial("h1", "h2:4000") == 0 })
	for _, from := range []string{"h1", "clients"} {
		for _, to := range []string{"10.77.1.2:4000", "[fd77::1:2]:4000"} {
			if dial(from, to) != 0 {
				t.Errorf("%s does not reach %s", from, to)
			}
		}
	}
	link(t, status(t, l, "h2"), linkDown)
	if dial("h1", "10.77.1.2:4000") == 0 {
		t.Error("h2 is reached over a cable that is down")
	}
}
