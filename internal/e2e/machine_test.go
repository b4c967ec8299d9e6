//go:build vm

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const machineExperiment = `experiment: one-machine
title: A machine loses its power and comes back
seed: 1
clock: {pace: [{to: T+175s, takes: 175s}]}
hypothesis:
  - {probe: web, http: {get: "http://127.0.0.1:PORT/", expect: 200}, every: 200ms, timeout: 2s, tolerance: {availability: 80%, over: 4s}}
stages:
  - {stage: off, at: T+2s, unattended: 3m, faults: [{powerloss: {mode: machine-sysrq}, on: {hosts: h1}, until: T+170s, require: exercised}]}
`

// An experiment restarts a whole machine, the agent that carries it included. The
// host's policy has the last word, and the next boot's agent is the proof. It
// leaves the machine much time to boot and is run by hand so far.
func TestMachineLosesItsPower(t *testing.T) {
	h := bootedHost(t, false)
	h.experiment("machine.yaml", machineExperiment)
	h.standUp()
	boot := h.bootID()
	if code, out := h.inject("machine.yaml").wait(); code != 5 || !strings.Contains(out, "say allow_machine_power: true") {
		t.Errorf("without the host's word: exit code %d, want 5\n%s", code, out)
	}
	h.sh("echo 'allow_machine_power: true' > /var/lib/firedrill/policy.yaml")
	r := h.inject("machine.yaml")
	h.bootedAfter(boot)
	h.standUp()
	if code, out := r.wait(); code != 0 {
		t.Errorf("exit code %d, want 0\n%s\nthe agent says:\n%s", code, out, h.sh("cat /var/log/hostagent"))
	}
	h.endedByPower("powerloss")
}

// standUp starts the service and the agent, as the first process of this machine
// starts nothing.
func (h *realHost) standUp() {
	h.t.Helper()
	h.sh("mkdir -p /var/lib/web && cp -n /job/hostagent /usr/local/bin/")
	for name, line := range map[string]string{
		"web":       "/job/bin/superapp hello --listen 0.0.0.0:8080 --dir /var/lib/web",
		"hostagent": fmt.Sprintf("hostagent serve --name h1 --keys /job --nats %s", h.fromInside()),
	} {
		h.sh(fmt.Sprintf("setsid %s > /var/log/%s 2>&1 < /dev/null &", line, name))
	}
	h.within(30*time.Second, "the agent runs", func() bool {
		out, err := h.run("hostagent status")
		return err == nil && strings.Contains(out, "running")
	})
}
