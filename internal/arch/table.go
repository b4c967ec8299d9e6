package arch

// Rule says what the packages matched by Pattern may import of this module.
// A pattern ending in /* matches one more path element.
type Rule struct {
	Pattern string
	May     []string // patterns; nil: nothing of ours
	Why     string
}

// Rules is the import table. The first pattern that matches a package counts.
// Test files are read against it too, with the extras of TestMay.
var Rules = []Rule{
	{"experiments", []string{"experiments/condition", "experiments/strict"}, "the experiment file is read by tools that know nothing of agents"},
	{"experiments/condition", nil, "the language of stop conditions; agents never link it"},
	{"experiments/strict", nil, "strict YAML with positions, for every file people write"},

	{"injector", []string{"experiments", "experiments/strict", "injector/internal/*", "internal/conformance", "internal/lab", "internal/inventory", "internal/power", "internal/control", "internal/evidence", "internal/netns", "internal/cgroup", "internal/digest", "internal/proc", "internal/durable", "internal/pluginfolder", "plugins", "plugins/fault"}, "commands tie packages together; it never sees the agent's packages"},
	{"injector/internal/plan", []string{"experiments", "internal/inventory", "plugins/fault"}, "pure: same input, same plan"},
	{"injector/internal/load", []string{"experiments", "experiments/strict", "injector/internal/plan", "internal/inventory", "plugins/fault"}, "reads and plans all layouts before anything is touched; the runner and the commands share it"},
	{"injector/internal/report", []string{"experiments", "injector/internal/plan"}, "pure: gets the run, returns bytes"},
	{"injector/internal/judge", []string{"experiments", "injector/internal/crowd", "injector/internal/ledger", "injector/internal/plan", "injector/internal/probe", "injector/internal/report", "internal/inventory"}, "pure: gets what was measured, returns the verdict"},
	{"injector/internal/probe", []string{"experiments"}, "runs inside the clients host"},
	{"injector/internal/ledger", []string{"experiments", "injector/internal/probe"}, "runs inside the clients host"},
	{"injector/internal/crowd", []string{"injector/internal/probe"}, "runs inside the clients host"},
	{"injector/internal/clients", []string{"experiments", "experiments/condition", "injector/internal/crowd", "injector/internal/ledger", "injector/internal/probe"}, "the clients process and the side that listens to it"},
	{"injector/internal/broker", []string{"internal/control", "internal/durable", "internal/evidence"}, "the only importer of nats-server: agents stay small without it"},
	{"injector/internal/prerelease", nil, "writes lab file and experiments for a service of one's own, from templates; the parser alone says what they mean"},
	{"injector/internal/live", []string{"experiments", "injector/internal/crowd", "injector/internal/ledger", "injector/internal/plan", "injector/internal/probe", "injector/internal/report", "internal/evidence", "internal/inventory"}, "draws what the runner tells it; neither imports the other"},
	{"injector/internal/faults", []string{"internal/pluginfolder", "plugins", "plugins/fault"}, "what an experiment may name; the runner and the commands share it"},
	{"injector/internal/faultlist", []string{"plugins/fault"}, "pure: gets descriptions, returns text"},
	{"injector/internal/halt", []string{"internal/control", "plugins/fault"}, "ends runs from outside"},
	{"injector/internal/preflight", []string{"internal/cgroup", "internal/lab"}, "tries out what this machine can do"},
	{"injector/internal/scaffold", nil, "writes text"},
	{"injector/internal/plugintest", []string{"internal/conformance", "internal/lab", "internal/pluginfolder", "internal/pluginhost", "plugins/fault"}, "tries plugins of other people in a lab host"},
	{"injector/internal/runner", []string{"experiments", "experiments/condition", "injector/internal/*", "internal/control", "internal/digest", "internal/durable", "internal/evidence", "internal/inventory", "internal/lab", "internal/power", "internal/proc", "plugins", "plugins/fault"}, "drives one run from file to report"},

	{"docs/example", []string{"internal/dose"}, "compares pages with code and with what was measured"},
	{"docs/example/mtu", []string{"plugins/fault"}, "the example imports what any plugin may"},
	{"docs/example/mtu/alone", []string{"docs/example/mtu", "plugins/fault"}, "a plugin in one line"},

	{"hostagent", []string{"hostagent/internal/*", "internal/control", "internal/journal", "internal/lab", "internal/pluginfolder", "internal/durable", "internal/evidence", "internal/failpoint", "internal/proc", "internal/cgroup", "internal/digest", "internal/pluginhost", "plugins/*"}, "ties packages together and lists the built-in plugins; it never sees the injector's packages"},
	{"hostagent/internal/agent", []string{"hostagent/internal/guardian", "internal/cgroup", "internal/control", "internal/digest", "internal/durable", "internal/evidence", "internal/failpoint", "internal/journal", "internal/pluginhost", "internal/proc", "plugins/fault"}, "the injection state machine: one of three callers of plugins"},
	{"hostagent/internal/guardian", []string{"internal/cgroup", "internal/control", "internal/digest", "internal/durable", "internal/evidence", "internal/failpoint", "internal/journal", "internal/proc", "plugins/fault"}, "fencing and cold revert: no network, no process of its own to start"},
	{"hostagent/internal/mock", []string{"plugins/fault"}, "a fault that misbehaves on order, for tests of the agent"},

	{"internal/arch", nil, "reads the others as text"},
	{"internal/cgroup", nil, "plugins import it"},
	{"internal/conformance", []string{"internal/digest", "internal/inventory", "internal/lab", "internal/netns", "internal/pluginhost", "internal/proc", "plugins/fault"}, "runs plugins as real processes in a lab host: one of three callers of plugins"},
	{"internal/control", []string{"internal/durable", "internal/evidence", "internal/failpoint", "plugins/fault"}, "messages, signing and carriage"},
	{"internal/digest", []string{"plugins/fault"}, "reads the host, changes nothing"},
	{"internal/digest/digesttest", []string{"internal/digest", "internal/need", "internal/proc"}, "compares the machine before and after a test binary"},
	{"internal/dose", nil, "measured doses, on their way from tests to pages"},
	{"internal/durable", nil, "the only writer of state files"},
	{"internal/e2e", nil, "runs only the built binaries"},
	{"internal/evidence", nil, "one type"},
	{"internal/failpoint", nil, "kills its own process on order, in test builds"},
	{"internal/inventory", []string{"experiments", "experiments/strict"}, "shares selectors and the strict reading of files with positions"},
	{"internal/journal", []string{"internal/durable", "internal/failpoint", "plugins/fault"}, "undo records on disk"},
	{"internal/lab", []string{"internal/cgroup", "internal/durable", "internal/inventory", "internal/netns", "internal/power", "internal/proc", "internal/systemd"}, "raises hosts; knows nothing of probes, faults or experiments"},
	{"internal/need", nil, "what tests need of the machine"},
	{"internal/need/notrun", []string{"internal/need"}, "reads test results"},
	{"internal/netns", nil, "plugins import it"},
	{"internal/pluginfolder", []string{"plugins/fault"}, "reads what is installed; starts nothing"},
	{"internal/pluginhost", []string{"internal/cgroup", "internal/proc", "plugins/fault"}, "starts plugin processes through go-plugin"},
	{"internal/power", nil, "plugins import it"},
	{"internal/proc", nil, "the only starter of processes"},
	{"internal/systemd", nil, "asks for units, for the lab and for faults on services"},
	{"internal/redfishtest", nil, "a management controller of machines, for the tests of those who switch some"},
	{"internal/vmtest", []string{"internal/proc"}, "boots a typical host; knows nothing of what is tested there"},
	{"internal/vmtest/vmrun", []string{"internal/proc", "internal/vmtest"}, "runs test binaries there"},
	{"internal/resultpage", []string{"internal/dose"}, "turns the output of go test and the reports of runs into pages"},

	{"plugins", []string{"plugins/fault"}, "embeds the descriptions and nothing else"},
	{"plugins/fault", []string{"plugins/internal/faultpb"}, "the contract; protobuf stops here"},
	{"plugins/faulttest", []string{"internal/cgroup", "internal/conformance", "internal/digest", "internal/digest/digesttest", "internal/dose", "internal/need", "internal/lab", "internal/proc", "plugins/fault"}, "the suite as a Go test, and what measures and times faults"},
	{"plugins/internal/connection", []string{"plugins/fault", "plugins/internal/network"}, "lists and ends TCP connections, for the faults that do"},
	{"plugins/internal/container", []string{"internal/cgroup", "internal/netns", "plugins/fault", "plugins/internal/process"}, "finds containers by id, for the faults that may act on one"},
	{"plugins/internal/containertest", []string{"internal/cgroup", "internal/need", "internal/netns", "internal/proc", "plugins/faulttest", "plugins/internal/container", "plugins/internal/process", "plugins/internal/processtest", "plugins/internal/scope"}, "containers for the tests of faults that act on one"},
	{"plugins/internal/network", []string{"internal/netns", "plugins/fault", "plugins/internal/container", "plugins/internal/process"}, "the host's network namespace or a container's, for the faults on one"},
	{"plugins/internal/scope", []string{"internal/cgroup", "internal/systemd", "plugins/fault", "plugins/internal/container", "plugins/internal/process"}, "reads which part of a host is meant, for all faults that ask"},
	{"plugins/internal/group", []string{"internal/cgroup", "internal/systemd", "plugins/fault", "plugins/internal/pressure", "plugins/internal/process", "plugins/internal/scope"}, "one setting of a control group, for the faults that change one"},
	{"plugins/internal/grouptest", []string{"internal/cgroup", "internal/digest/digesttest", "internal/need", "internal/proc", "internal/systemd", "plugins/fault", "plugins/faulttest"}, "groups, units and programs for the tests of such faults"},
	{"plugins/internal/overlap", []string{"internal/cgroup", "internal/conformance", "plugins/internal/filesystem"}, "tries all faults together, as hostagent runs them"},
	{"plugins/internal/peers", []string{"plugins/fault"}, "reads addresses and ports, for all faults that choose by them"},
	{"plugins/internal/traffic", []string{"internal/cgroup", "internal/netns", "plugins/fault", "plugins/internal/bpf", "plugins/internal/group", "plugins/internal/network", "plugins/internal/peers", "plugins/internal/scope"}, "one rule table a device, for all network faults"},
	{"plugins/internal/traffictest", []string{"internal/cgroup", "internal/need", "internal/netns", "plugins/fault", "plugins/faulttest", "plugins/internal/containertest", "plugins/internal/processtest", "plugins/internal/scope"}, "a cable with two hosts, for the tests of network faults"},
	{"plugins/internal/filesystem", []string{"plugins/fault", "plugins/internal/process"}, "names and spares file systems, for the faults that act on one"},
	{"plugins/internal/filesystemtest", []string{"internal/digest/digesttest", "internal/need", "internal/proc", "plugins/faulttest"}, "file systems for the tests of such faults"},
	{"plugins/internal/process", []string{"internal/systemd", "plugins/fault"}, "names, lists and spares processes, for the faults that act on some"},
	{"plugins/internal/processtest", []string{"internal/cgroup", "internal/digest/digesttest", "internal/need", "internal/netns", "internal/proc"}, "programs for the tests of such faults"},
	{"plugins/internal/keep", []string{"plugins/fault", "plugins/internal/process"}, "what faults do in the background of their process"},
	{"plugins/internal/rounds", []string{"plugins/fault", "plugins/internal/keep", "plugins/internal/process"}, "what faults do that destroy at an instant, once or again and again"},
	{"plugins/internal/redfish", []string{"plugins/fault"}, "switches a machine at its management controller"},
	{"plugins/internal/unit", []string{"internal/systemd", "plugins/fault", "plugins/internal/group"}, "holds services of systemd down, for the faults that end them"},
	{"plugins/internal/*", nil, "shared by plugins"},
	{"plugins/service", []string{"internal/cgroup", "internal/systemd", "plugins/fault", "plugins/internal/group", "plugins/internal/keep", "plugins/internal/process", "plugins/internal/rounds"}, "stops units through the service manager"},
	{"plugins/*", []string{"plugins/fault", "plugins/internal/*", "internal/netns", "internal/cgroup", "internal/power"}, "one folder, one fault"},
}

// TestMay is what any test file may import besides: the lab is the test bench
// of everything that touches a kernel.
var TestMay = []string{"internal/lab", "internal/need", "internal/digest", "internal/digest/digesttest", "internal/netns", "internal/inventory", "internal/power", "internal/proc", "plugins/fault", "plugins/faulttest", "injector/internal/broker", "experiments", "experiments/condition", "internal/control", "plugins", "plugins/internal/grouptest", "plugins/internal/traffictest", "plugins/internal/filesystemtest", "plugins/internal/processtest", "plugins/internal/containertest", "internal/redfishtest", "internal/vmtest"}

// Forbidden are imports from outside that only the named packages may have.
var Forbidden = []Rule{
	{"os/exec", []string{"internal/proc"}, "no shell, no command lines: processes are started in one place"},
	{"github.com/nats-io/nats-server/v2/*", []string{"injector/internal/broker"}, "the agent stays small"},
	{"google.golang.org/protobuf/*", []string{"plugins/internal/faultpb"}, "protobuf stops at the contract"},
	{"github.com/google/renameio/v2", []string{"internal/durable"}, "the only writer of state files"},
}

// Starters are the packages that may import internal/proc to start a process.
var Starters = map[string]string{
	"internal/lab":                    "hosts, agents and services of a lab",
	"internal/pluginhost":             "plugins",
	"internal/vmtest":                 "qemu and the maker of its disk; in the machine, the test",
	"internal/vmtest/vmrun":           "the command that a machine is booted for",
	"hostagent":                       "the guardian",
	"hostagent/internal/agent":        "the guardian",
	"hostagent/internal/guardian":     "none: it kills by pidfd",
	"injector":                        "mkfs probe of preflight, the terminal's keeper",
	"injector/internal/runner":        "the path of its own executable",
	"internal/digest/digesttest":      "none: it reads start times",
	"internal/conformance":            "plugins under test",
	"plugins/faulttest":               "the path of its own executable",
	"plugins/internal/grouptest":      "programs that tests limit",
	"plugins/internal/filesystemtest": "mkfs.ext4, for a file system to fill or stall",
	"plugins/internal/processtest":    "programs that tests kill and lie to",
	"plugins/internal/containertest":  "runc, for containers to act on",
}
