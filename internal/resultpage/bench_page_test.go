package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const output = `goos: linux
cpu: some processor
BenchmarkWakeError-2   	     100	         0.50 max-ms	         0.02741 p50-ms	  0.31 p99-ms	 4.0 sleep-max-ms	 0.2 sleep-p50-ms	 2.0 sleep-p99-ms
    bench_test.go:29: waited by fifo
BenchmarkPartition/firedrill/1000-2 	 5	 3.3 apply-ms	 1.6 heal-ms	 101.6 prepare-ms
BenchmarkPartition/nft/1000-2 	 5	 15.0 apply-ms	 17.0 heal-ms
BenchmarkFault/cpu/write+cpu.cfs_quota_us-2 	 20	 0.1 apply-ms	 0.02 hand-apply-ms	 0.02 hand-revert-ms	 400.0 observe-ms	 0.5 prepare-ms	 0.1 revert-ms
BenchmarkFault/cpu/stress-ng-2 	 20	 0.1 apply-ms	 40 hand-apply-ms	 400.0 observe-ms	 0.5 prepare-ms	 0.1 revert-ms
BenchmarkFault/clock/none:+date+moves+the+host-2 	 20	 1.5 apply-ms	 2.0 observe-ms	 0.5 prepare-ms	 1.1 revert-ms
BenchmarkUp30-2 	 3	 1234567890 ns/op
BenchmarkCompany-2   	       1	 25.5 %harness	 31.00 hosts	 15.86 steady-s	 0.8275 up-s
PASS
`

// The page says of each aim whether it was met, and of what was not run that it
// was not.
func TestPage(t *testing.T) {
	r, err := parse(strings.NewReader(output))
	if err != nil {
		t.Fatal(err)
	}
	page := render(about{Commit: "c1", Cores: 2, CPU: r.cpu}, sections, r)
	for _, want := range []string{
		"some processor",
		"| apply, 1,000 peers | 3.30 ms | `nft -f`: 15.0 ms | 0.22 | faster than nft | yes |",
		"| apply, 1,000 peers | 3.30 ms | not run |  |  |  |",
		"| p99 | 0.310 ms | sleep: 2.00 ms | 0.15 | < 0.2 ms | **no** |",
		"| apply, 1 peer | not run |",
		"| clock: apply (by hand none: date moves the host) | 1.50 ms |  |  |  |  |",
		"| cpu: apply | 0.100 ms | `stress-ng`: 40.0 ms | 0.0025 |",
		"| cpu: apply | 0.100 ms | `write cpu.cfs_quota_us`: 0.020 ms | 5.00 |",
		"| cpu: revert | 0.100 ms | `write cpu.cfs_quota_us`: 0.020 ms | 5.00 |",
		"| cpu: observe | 400 ms |  |  |  |  |",
		"| 30 hosts up, without services | 1235 ms |",
		"| size | 31 hosts |",
		"| all hosts up, each with an agent that answers | 0.828 s |  |  | < 5 s | yes |",
		"| all services settled | 15.9 s |  |  | < 20 s | yes |",
		"| CPU of the harness | 25.5 % |  |  | < 25 % | **no** |",
		"* Wake error: how late a fault's thread wakes at its instant: p99: 0.310 ms, aim < 0.2 ms\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(page)
	}
}

func TestShow(t *testing.T) {
	got := []string{show(0.0274, "ms"), show(3.2, "ms"), show(15.44, "ms"), show(151.4, "ms"), show(5412, "ns"), show(8, "")}
	if diff := cmp.Diff([]string{"0.027 ms", "3.20 ms", "15.4 ms", "151 ms", "5412 ns", "8.00"}, got); diff != "" {
		t.Error(diff)
	}
}
