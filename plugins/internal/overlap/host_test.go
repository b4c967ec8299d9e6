package overlap

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
)

// What faults act on in the host: a service in a group of every hierarchy, a
// program that is started again whenever it ends, and a connection that is made
// again whenever it is cut.
const (
	service    = grouptest.Service
	demoFile   = "/data/demo"
	victimFile = "/data/victim"
	keeperFile = "/data/keeper"
	agentFile  = "/data/hostagent"
	port       = "5001"
)

// Roles of the test binary in the host, as first argument.
const (
	roleDemo   = "overlap-demo"
	roleClient = "overlap-client"
)

// hostagent has the faults under test.
var hostagent, _ = filepath.Abs("../../../bin/hostagent")

// netem says whether a delay is the kernel's and stays without its process.
var netem = need.Met(need.Netem)

func TestMain(m *testing.M) {
	processtest.Main()
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case roleDemo:
			exit(demo())
		case roleClient:
			exit(client())
		}
	}
	// Each check is some seconds of work.
	for name, value := range map[string]string{"rapid.checks": "20", "rapid.shrinktime": "20s", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			exit(err)
		}
	}
	faulttest.Main(m, forgetful)
}

// exit ends the process, and says why if that is an error.
func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// demo is the service: it enters its groups and idles.
func demo() error {
	all, err := cgroup.Hierarchies()
	for _, h := range all {
		group := filepath.Join(h.Mount, "svc", service)
		if _, missing := os.Stat(group); missing == nil {
			err = errors.Join(err, cgroup.Enter(group))
		}
	}
	if err == nil {
		fmt.Println("ready")
		time.Sleep(time.Hour)
	}
	return err
}

// client has something listen, and connects to it again whenever it is cut off.
func client() error {
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
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
	fmt.Println("ready")
	for {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
		time.Sleep(5 * time.Millisecond)
	}
}

// knobs are the settings of the service's group, each as its owner has it.
func knobs() map[grouptest.Knob]string {
	group := func(controller, v1File, v1, v2File, v2 string) (grouptest.Knob, string) {
		if grouptest.OnV2(controller) {
			return grouptest.Knob{Controller: controller, File: v2File}, v2
		}
		return grouptest.Knob{Controller: controller, File: v1File}, v1
	}
	out := map[grouptest.Knob]string{{Controller: grouptest.V2, File: "cgroup.freeze"}: "0"}
	for _, k := range [][5]string{
		{"cpu", "cpu.cfs_quota_us", "170000", "cpu.max", "170000 100000"},
		{"memory", "memory.limit_in_bytes", "734003200", "memory.max", "734003200"},
		{"pids", "pids.max", "345", "pids.max", "345"},
	} {
		knob, text := group(k[0], k[1], k[2], k[3], k[4])
		out[knob] = text
	}
	return out
}

// setup makes the host ready.
func setup(h *faulttest.Host) error {
	for knob, text := range knobs() {
		if err := knob.Make(text)(h); err != nil {
			return err
		}
	}
	if err := ioGroup(h); err != nil {
		return err
	}
	// A host does not see each folder of the machine.
	if err := processtest.CopyOf(hostagent, h.Path(agentFile)); err != nil {
		return err
	}
	for _, path := range []string{demoFile, victimFile, keeperFile} {
		if err := processtest.Copy(h.Path(path)); err != nil {
			return err
		}
	}
	for _, command := range [][]string{{demoFile, roleDemo}, {demoFile, roleClient}, {keeperFile, string(processtest.Keep), victimFile}} {
		if err := start(h, command); err != nil {
			return err
		}
	}
	return nil
}

// ioGroup makes the group of the service where its I/O is limited, with a limit of
// the owner's on the disk of /data.
func ioGroup(h *faulttest.Host) error {
	var st unix.Stat_t
	if err := unix.Stat(h.Path("/data"), &st); err != nil {
		return err
	}
	device := fmt.Sprintf("%d:%d ", unix.Major(st.Dev), unix.Minor(st.Dev))
	if grouptest.OnV2("io") {
		return grouptest.Knob{Controller: "io", File: "io.max"}.Make(device + "wbps=5242880")(h)
	}
	return grouptest.Knob{Controller: "blkio", File: "blkio.throttle.write_bps_device"}.Make(device + "5242880")(h)
}

// start starts a program in the host and waits until it says that it is ready.
func start(h *faulttest.Host, command []string) error {
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = h.Lab.Start(h.Name, lab.HostCommand{Path: command[0], Args: command[1:], Stdio: lab.Stdio{Out: in, Err: os.Stderr}})
	if err = errors.Join(err, in.Close()); err != nil || command[1] == string(processtest.Keep) {
		return err
	}
	b := make([]byte, 16)
	if n, err := out.Read(b); err != nil {
		return fmt.Errorf("start %v: it said %q: %w", command, b[:n], err)
	}
	return nil
}
