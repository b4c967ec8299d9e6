//go:build vm

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/vmtest"
)

// realHost is one machine that was not made by a lab: the injector and the broker
// are outside.
type realHost struct {
	t       *testing.T
	vm      *vmtest.Machine
	control int    // port here, see vmtest.Exec
	web     int    // port here of its service
	dir     string // experiment, inventory, keys
	broker  string
}

// hostUnits are services of the host: one that answers, and runs from the start; one
// that wants a whole CPU; one that writes the same to a file that it syncs and to one
// that it does not. The machine is an emulated one: the latter run only where they
// are needed.
var hostUnits = map[string]string{
	"units/web.service": "[Service]\nType=exec\nExecStart=/job/bin/superapp hello --listen 0.0.0.0:8080 --dir /var/lib/web\nStateDirectory=web\n",
	"later/db.service": "[Service]\nType=exec\nRestart=always\nRestartSec=100ms\nExecStartPre=/bin/sh -c 'mountpoint -q /srv/db || { truncate -s 64M /var/tmp/db.img; mkfs.ext4 -q -F /var/tmp/db.img; mkdir -p /srv/db; mount -o loop,noatime /var/tmp/db.img /srv/db; }'\n" +
		"ExecStart=/bin/sh -c 'cd /srv/db; n=0; while :; do n=$((n+1)); echo $n >> lost; echo $n >> kept; sync kept; done'\n",
	"later/spin.service": "[Service]\nType=exec\nNice=19\nExecStart=/bin/sh -c 'while :; do :; done'\n",
}

const hostInventory = `inventory: one
sites: [{name: here, racks: [{name: r1}]}]
power: [{name: grid, kind: utility, site: here}]
hosts: [{name: h1, site: here, rack: r1, feeds: [grid], address: 10.0.2.15}]
`

// shortExperiment starves a service and cuts another off.
const shortExperiment = `experiment: one-host
title: A stock host, cut off and starved
seed: 1
clock: {pace: [{to: T+12s, takes: 12s}]}
hypothesis:
  - {probe: web, http: {get: "http://127.0.0.1:PORT/", expect: 200}, every: 200ms, timeout: 2s, tolerance: {availability: 80%, over: 4s}}
stages:
  - {stage: starved, at: T+2s, faults: [{cpu: {quota: 20%, service: spin}, on: {hosts: h1}, until: T+9s, require: exercised}]}
  - {stage: cut, at: T+5s, faults: [{partition: {to: ["10.0.2.2"], protocol: tcp, ports: ["8080"]}, on: {hosts: h1}, until: T+8s, require: exercised}]}
`

// hostExperiment is followed by a third service that loses its power.
var hostExperiment = strings.Replace(shortExperiment, "T+12s, takes: 12s", "T+18s, takes: 18s", 1) + `  - stage: dark
    at: T+10s
    faults: [{powerloss: {mode: workload, services: [db], file_systems: [/srv/db], brownout: {flaps: 2, for: 50ms}}, on: {hosts: h1}, until: T+15s, require: exercised}]
`

// bootedHost boots it, with systemd or with nothing but what takes commands.
func bootedHost(t *testing.T, systemd bool) *realHost {
	t.Helper()
	h := &realHost{t: t, dir: t.TempDir(), control: freePort(t), web: freePort(t)}
	broker := freePort(t)
	h.broker = fmt.Sprintf("nats://127.0.0.1:%d", broker)
	h.start("lab/nats-server", "-a", "127.0.0.1", "-p", fmt.Sprint(broker))
	h.write("hosts.yaml", hostInventory)
	h.experiment("experiment.yaml", hostExperiment)
	h.experiment("short.yaml", shortExperiment)
	job := h.job()
	var err error
	h.vm, err = vmtest.Boot(vmtest.Config{
		Images: filepath.Join(bin, "vm"), Program: filepath.Join(bin, "vmrun"), Job: job, Systemd: systemd, Halts: true,
		Reach: map[int]int{h.control: vmtest.RemotePort, h.web: 8080},
	})
	h.must(err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(h.vm.Console())
		}
		if err := h.vm.Close(); err != nil {
			t.Error(err)
		}
	})
	h.within(2*time.Minute, "the machine is up", func() bool { _, err := h.run("true"); return err == nil })
	return h
}

// fromInside is where the broker is for the machine.
func (h *realHost) fromInside() string {
	return strings.ReplaceAll(h.broker, "127.0.0.1", vmtest.Outside)
}

// experiment is a file that inject runs.
func (h *realHost) experiment(name, text string) {
	h.write(name, strings.ReplaceAll(text, "PORT", fmt.Sprint(h.web)))
}

// standingHost is one with systemd, and the agent a unit of it.
func standingHost(t *testing.T) *realHost {
	t.Helper()
	h := bootedHost(t, true)
	for _, line := range []string{
		"install -D /job/hostagent /usr/local/bin/hostagent && install -Dm600 /job/command.pub /etc/firedrill/command.pub",
		fmt.Sprintf("echo FIREDRILL_NATS=%s > /etc/firedrill/hostagent.env && hostname h1 && echo h1 > /etc/hostname", h.fromInside()),
		"cp /job/hostagent.service /job/later/* /etc/systemd/system/ && systemctl daemon-reload && systemctl enable --now hostagent",
	} {
		h.sh(line)
	}
	h.settled()
	return h
}

// job fills the folder that the machine sees as /job, and makes the keys.
func (h *realHost) job() string {
	job := h.t.TempDir()
	for name, from := range map[string]string{
		"hostagent": "../../bin/hostagent", "bin/injector": "../../bin/injector", "bin/superapp": "../../bin/lab/superapp",
		"vm/experiment.yaml": "testdata/vm/experiment.yaml", "vm/lab.yaml": "testdata/vm/lab.yaml", "hostagent.service": "../../hostagent/hostagent.service",
	} {
		b, err := os.ReadFile(from)
		h.must(err)
		h.must(os.MkdirAll(filepath.Dir(filepath.Join(job, name)), 0o755))
		h.must(os.WriteFile(filepath.Join(job, name), b, 0o755))
	}
	for name, text := range hostUnits {
		h.must(os.MkdirAll(filepath.Join(job, filepath.Dir(name)), 0o755))
		h.must(os.WriteFile(filepath.Join(job, name), []byte(text), 0o600))
	}
	// The first run makes the keys, and says so.
	h.must(os.Mkdir(filepath.Join(h.dir, "keys"), 0o700))
	if code, out := h.inject("experiment.yaml").wait(); code != 5 || !strings.Contains(out, "made a new pair of keys") {
		h.t.Fatalf("a run without keys: %d, %s", code, out)
	}
	public, err := os.ReadFile(filepath.Join(h.dir, "keys", control.CommandPub))
	h.must(err)
	if _, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(public))); err != nil {
		h.t.Fatalf("%s: %v", public, err)
	}
	h.must(os.WriteFile(filepath.Join(job, control.CommandPub), public, 0o600))
	return job
}

// One stock host with systemd goes through all of this, in this order.
func TestRealHost(t *testing.T) {
	h := standingHost(t)
	for _, c := range []struct {
		name string
		do   func(*realHost)
	}{
		{"from an experiment file", fromFile}, {"agent killed in the middle", agentKilled}, {"a lab on it", labOnIt}, {"reset in the middle", reset},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.t = t
			c.do(h)
		})
	}
}

// One service is starved, one cut off, and one loses its power: of that, what it
// synced is there afterwards, what it did not sync is not, and it runs again. The
// host is as it was.
func fromFile(h *realHost) {
	h.killed()
	h.runs("spin")
	h.runs("db")
	before, was := h.found(), h.mounted()
	r := h.starving("experiment.yaml")
	began := h.spun()
	time.Sleep(4 * time.Second)
	h.t.Logf("spin used %.1f%% of a CPU, asked was 20%%", 100*float64(h.spun()-began)/4e6)
	if code, out := r.wait(); code != 0 {
		h.t.Errorf("exit code %d\n%s", code, out)
	}
	h.sh("systemctl stop db")
	kept, lost := h.count("kept"), h.count("lost")
	h.t.Logf("%d records that were synced, %d that were not", kept, lost)
	if gone := kept - lost; gone < 20 {
		h.t.Errorf("%d records are gone", gone)
	}
	h.sh("systemctl start db")
	if now := h.mounted(); now != was {
		h.t.Errorf("the host had\n%s\nand has\n%s", was, now)
	}
	h.clean(before)
	h.sh("systemctl stop db spin; umount /srv/db") // a reset would take it along
}

// killed is the twin of the power loss: the same service killed by SIGKILL, after
// which everything is there.
func (h *realHost) killed() {
	h.t.Helper()
	h.sh("systemctl start db; sleep 2; systemctl kill --signal=KILL db; systemctl stop db")
	if kept, lost := h.count("kept"), h.count("lost"); kept == 0 || lost < kept {
		h.t.Errorf("killed: %d records that were synced, %d that were not", kept, lost)
	}
	h.sh("rm -f /srv/db/lost /srv/db/kept; sync")
}

// count is how many records of its service a file has.
func (h *realHost) count(file string) (n int) {
	h.t.Helper()
	_, _ = fmt.Sscan(h.sh("wc -l < /srv/db/"+file+" 2>/dev/null || echo 0"), &n)
	return n
}

// mounted is what a power loss changes on the host besides.
func (h *realHost) mounted() string {
	h.t.Helper()
	return h.sh("grep /srv/db /proc/self/mountinfo | cut -d' ' -f3-; losetup --list --noheadings --output NAME,AUTOCLEAR,BACK-FILE; ls -R /run/systemd/system")
}

// The agent dies: its guardian reverts, systemd starts another agent, and the
// run proves nothing.
func agentKilled(h *realHost) {
	h.runs("spin")
	before := h.found()
	r := h.starving("short.yaml")
	h.sh("systemctl kill --signal=KILL --kill-whom=main hostagent")
	h.within(20*time.Second, "the guardian reverts", func() bool { return h.quota() == before.quota })
	if code, out := r.wait(); code != 2 {
		h.t.Errorf("exit code %d, want 2: inconclusive\n%s", code, out)
	}
	h.settled()
	h.clean(before)
}

// A lab of two hosts, and systemd, which rules the control groups and whose udev
// looks at every device, leaves it alone, also when it reads its units anew.
func labOnIt(h *realHost) {
	before := h.found()
	h.sh("systemd-run --quiet --unit=lab-run --property=RemainAfterExit=yes --working-directory=/var/tmp " +
		"/job/bin/injector run /job/vm --lab --services /job/bin --hostagent /job/hostagent --plain")
	const scopes = "/sys/fs/cgroup/system.slice/firedrill-*.scope"
	h.within(time.Minute, "the lab has a scope", func() bool { _, err := h.run("ls -d " + scopes); return err == nil })
	h.sh("systemctl daemon-reload")
	for _, c := range []string{"cpu", "memory"} {
		h.sh("grep -qw " + c + " " + scopes + "/cgroup.subtree_control")
	}
	h.within(3*time.Minute, "the run ends", func() bool {
		out, err := h.run("systemctl show --property=SubState --value lab-run")
		return err == nil && !strings.HasPrefix(out, "running") && !strings.HasPrefix(out, "start")
	})
	if code := strings.TrimSpace(h.sh("systemctl show --property=ExecMainStatus --value lab-run")); code != "0" {
		h.t.Errorf("exit code %s\n%s", code, h.sh("journalctl --no-pager -o cat -u lab-run | tail -60"))
	}
	if left := h.sh("ls -d " + scopes + " /run/firedrill/labs 2>/dev/null; losetup --list --noheadings"); left != "" {
		h.t.Errorf("left of the lab: %s", left)
	}
	h.sh("systemctl stop lab-run; systemctl reset-failed")
	h.clean(before)
}

// longExperiment leaves a host time to boot while its faults are in force.
var longExperiment = strings.NewReplacer("T+12s, takes: 12s", "T+45s, takes: 45s", "T+9s", "T+40s", "T+8s", "T+40s").Replace(shortExperiment)

// The host is reset, by its button, in the middle of two faults: the agent of the
// next boot knows that what was recorded is gone, and the run proves nothing.
func reset(h *realHost) {
	h.experiment("long.yaml", longExperiment)
	h.runs("spin")
	before, boot := h.found(), h.bootID()
	r := h.starving("long.yaml")
	h.t.Cleanup(func() {
		if h.t.Failed() {
			h.t.Log(r.said())
		}
	})
	h.within(20*time.Second, "the partition is in force", func() bool { return h.found().filters != before.filters })
	h.must(h.vm.Reset())
	h.bootedAfter(boot)
	h.settled()
	h.sh("systemctl start spin")
	h.clean(before)
	h.endedByPower("cpu", "partition")
	code, out := r.wait()
	if code != 2 || !strings.Contains(out, "was booted anew in the middle of the run") {
		h.t.Errorf("exit code %d, want 2, inconclusive, and why\n%s", code, out)
	}
}

// bootID is empty while the machine is down. A command that a reset overtakes is
// never answered, so none is waited for long.
func (h *realHost) bootID() string {
	id, err := vmtest.Exec(h.control, 5*time.Second, "/bin/cat", "/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return id
}

// bootedAfter waits for the next boot, which mostly takes 15 to 20 s and now and then
// over two minutes in the emulator.
func (h *realHost) bootedAfter(boot string) {
	h.t.Helper()
	h.within(4*time.Minute, "the machine is up in another boot", func() bool { now := h.bootID(); return now != "" && now != boot })
}

// endedByPower: the journal says of the last injections of these kinds how they ended.
func (h *realHost) endedByPower(kinds ...string) {
	h.t.Helper()
	var s struct {
		Ended []struct{ Kind, Phase string }
	}
	h.must(json.Unmarshal([]byte(h.sh("hostagent status --json")), &s))
	for _, kind := range kinds {
		last := ""
		for _, e := range s.Ended {
			if e.Kind == kind {
				last = e.Phase
			}
		}
		if last != "ended-by-powerloss" {
			h.t.Errorf("%s ended as %q; all: %v", kind, last, s.Ended)
		}
	}
}

// starving is a run of an experiment whose first fault is in force: spin gets little.
func (h *realHost) starving(experiment string) injection {
	h.t.Helper()
	r := h.inject(experiment)
	for end := time.Now().Add(time.Minute); h.quota() != "20000 100000"; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			_ = r.cmd.Process.Kill()
			h.t.Fatalf("spin is not starved; its quota is %q\n%s", h.quota(), r.said())
		}
	}
	return r
}

// found is what the faults change on the host.
type found struct{ quota, controllers, units, filters string }

func (h *realHost) found() found {
	return found{
		quota:       h.quota(),
		controllers: h.sh("cat /sys/fs/cgroup/system.slice/cgroup.subtree_control"),
		units:       h.sh("systemctl list-units --all --no-legend --plain 'system-*' | cut -d' ' -f1-4; ls /run/systemd/transient/* /run/systemd/system.control/* 2>/dev/null; true"),
		filters:     h.sh("tc filter show dev eth0 ingress; tc filter show dev eth0 egress; tc qdisc show dev eth0 | cut -d' ' -f2"),
	}
}

func (h *realHost) clean(before found) {
	h.t.Helper()
	if now := h.found(); now != before {
		h.t.Errorf("the host was found as\n%+v\nand left as\n%+v", before, now)
	}
	var s struct {
		Live []json.RawMessage `json:"live"`
	}
	if err := json.Unmarshal([]byte(h.sh("hostagent status --json 2>/dev/null || echo '{}'")), &s); err == nil && len(s.Live) > 0 {
		h.t.Errorf("still live: %s", s.Live)
	}
}

func (h *realHost) quota() string {
	out, err := h.run("cat /sys/fs/cgroup/system.slice/spin.service/cpu.max 2>/dev/null || echo none")
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(out)
}

// runs starts a service for as long as the test takes.
func (h *realHost) runs(service string) {
	h.t.Helper()
	h.sh("systemctl start " + service)
	h.t.Cleanup(func() { _, _ = h.run("systemctl stop " + service) }) // the machine may be gone
}

// spun is the CPU time of spin in µs.
func (h *realHost) spun() (us int64) {
	out := h.sh("cat /sys/fs/cgroup/system.slice/spin.service/cpu.stat")
	_, _ = fmt.Sscanf(out, "usage_usec %d", &us)
	return us
}

// settled waits until the agent and its guardian are there.
func (h *realHost) settled() {
	h.t.Helper()
	h.within(time.Minute, "agent and guardian run", func() bool {
		out, err := h.run("systemctl is-active hostagent && pgrep -fc 'hostagent guardian|exe guardian'")
		return err == nil && strings.HasPrefix(out, "active")
	})
}

func (h *realHost) run(line string) (string, error) {
	return vmtest.Exec(h.control, time.Minute, "/bin/sh", "-c", line)
}

func (h *realHost) sh(line string) string {
	h.t.Helper()
	out, err := h.run(line)
	h.must(err)
	return out
}

// injection is a run of the injector on its way.
type injection struct {
	cmd *exec.Cmd
	out *os.File
}

// inject runs an experiment.
func (h *realHost) inject(experiment string) injection {
	out, err := os.CreateTemp(h.dir, "out")
	h.must(err)
	r := injection{out: out}
	r.cmd = exec.Command(filepath.Join(bin, "injector"), "run", filepath.Join(h.dir, experiment), "--inventory", filepath.Join(h.dir, "hosts.yaml"),
		"--nats", h.broker, "--keys", filepath.Join(h.dir, "keys"), "--out", filepath.Join(h.dir, "runs"), "--plain")
	r.cmd.Stdout, r.cmd.Stderr = r.out, r.out
	h.must(r.cmd.Start())
	return r
}

func (r injection) wait() (int, string) {
	var exit *exec.ExitError
	if err := r.cmd.Wait(); errors.As(err, &exit) {
		return exit.ExitCode(), r.said()
	}
	return 0, r.said()
}

func (r injection) said() string {
	b, err := os.ReadFile(r.out.Name())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (h *realHost) start(name string, args ...string) {
	cmd := exec.Command(filepath.Join(bin, name), args...)
	h.must(cmd.Start())
	h.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
}

func (h *realHost) write(name, text string) {
	h.must(os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600))
}

func (h *realHost) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *realHost) within(limit time.Duration, what string, reached func() bool) {
	h.t.Helper()
	for end := time.Now().Add(limit); !reached(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
