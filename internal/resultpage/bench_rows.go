package main

// row is one line of the page.
type row struct {
	what   string
	ours   figure
	unit   string  // as shown; the same for both
	hand   figure  // zero: there is nothing one would do by hand
	handIs string  // what one would do by hand
	aim    string  // empty: none
	below  float64 // the aim is met by a value below it; 0: by a ratio
	ratio  float64 // the aim is met by a ratio to by hand below it
}

// section is one table of the page.
type section struct {
	title string
	note  string
	rows  []row
	find  func(results) []row // in place of rows: those of what was run
}

const (
	nft      = "`nft -f`"
	iptables = "`iptables-restore`"
	wake     = "BenchmarkWakeError"
	rack     = "BenchmarkRackCut"
	idle     = "BenchmarkIdle"
	company  = "BenchmarkCompany"
)

var sections = []section{
	{
		title: "Partition: cut a host off from peers",
		note: "Medians. The start of a stage waits only for *apply*: Firedrill loads its program and fills in the peers in " +
			"*prepare*, before the start, while the tools do all their work at the start. Each apply by hand is one run of the " +
			"tool with rules that were written before; heal by hand is one run that removes them.",
		rows: partition(),
	},
	{
		title: "Faults",
		note: "Medians of the calls of each fault, and of the same done by hand, in turn: one run of a tool, or one write of a file, for apply and one for revert. " +
			"By hand nothing is recorded, refused, spared or looked at: what *prepare* does before the start, and *observe* while the fault is there. " +
			"A write returns at once; apply of `pause` waits until all processes stand still. Observing takes as long as the meter watches. " +
			"`powerloss` has a section of its own.",
		find: faultRows,
	},
	{
		title: "Cost of a partition for packets it does not concern",
		note:  "CPU time of the sending thread for one 32-byte datagram to a peer that is not cut off, in ns, medians. By hand: none at all, then an `nft` set of the same peers.",
		rows:  packet(),
	},
	{
		title: "Power cut of a rack of 10 hosts",
		note: "Milliseconds from the first step until the phase was over on all 10 hosts, each with a process that writes and syncs; " +
			"medians. Effect skew: from the first step to the last host dark. By hand there is only the network: nobody shuts a file system " +
			"down without flushing by hand. Every file system that is cut off makes the kernel print two lines; on a serial console that takes more than half of the time until shutdown.",
		rows: []row{
			{what: "dark", ours: figure{rack, "dark-ms"}, unit: "ms", hand: figure{rack, "hand-dark-ms"}, handIs: "`ip link set … down`, host by host"},
			{what: "effect skew", ours: figure{rack, "skew-ms"}, unit: "ms", hand: figure{rack, "hand-skew-ms"}, handIs: "the same", aim: "< 5 ms", below: 5},
			{what: "effect skew, worst round", ours: figure{rack, "skew-max-ms"}, unit: "ms"},
			{what: "frozen", ours: figure{rack, "frozen-ms"}, unit: "ms"},
			{what: "file systems shut down", ours: figure{rack, "shutdown-ms"}, unit: "ms"},
			{what: "dead", ours: figure{rack, "dead-ms"}, unit: "ms", aim: "< 60 ms", below: 60},
			{what: "dead, worst round", ours: figure{rack, "dead-max-ms"}, unit: "ms"},
			{what: "disks and cables released", ours: figure{rack, "released-ms"}, unit: "ms"},
			{what: "load average during the cuts", ours: figure{rack, "loadavg"}},
		},
	},
	{
		title: "Wake error: how late a fault's thread wakes at its instant",
		note:  "By hand: a program that sleeps until the instant and goes on. Both in turn, in one run.",
		rows: []row{
			{what: "p50", ours: figure{wake, "p50-ms"}, unit: "ms", hand: figure{wake, "sleep-p50-ms"}, handIs: "sleep"},
			{what: "p99", ours: figure{wake, "p99-ms"}, unit: "ms", hand: figure{wake, "sleep-p99-ms"}, handIs: "sleep", aim: "< 0.2 ms", below: 0.2},
			{what: "worst", ours: figure{wake, "max-ms"}, unit: "ms", hand: figure{wake, "sleep-max-ms"}, handIs: "sleep"},
		},
	},
	{
		title: "Idle: what an agent costs a host while nothing is injected",
		note:  "Agent and guardian together, as built by `make build`, connected to a broker. PSS: proportional set size, of smaps_rollup in proc(5).",
		rows: []row{
			{what: "memory", ours: figure{idle, "MB-PSS"}, unit: "MB", aim: "< 20 MB", below: 20},
			{what: "CPU, of one core", ours: figure{idle, "%CPU"}, unit: "%"},
		},
	},
	{
		title: "Lab",
		rows: []row{
			{what: "30 hosts up, without services", ours: figure{"BenchmarkUp30", "ns/op"}, unit: "ns"},
		},
	},
	{
		title: "The company: a whole data centre on this machine",
		note: "The layout stretched of the data-centre fire with all its services, in a run in which nothing fails. Times count from the " +
			"first step; *settled* is when every probe has met its tolerance for 5 s, these 5 s included. CPU over one steady minute, of the whole " +
			"machine, all cores. The harness is everything that is not a service: injector, probes and ledgers, agents with their " +
			"guardians, supervisor, power controller, pid 1 of each host. Busy: the machine, whoever else used it too.",
		rows: []row{
			{what: "size", ours: figure{company, "hosts"}, unit: "hosts"},
			{what: "all hosts up, each with an agent that answers", ours: figure{company, "up-s"}, unit: "s", aim: "< 5 s", below: 5},
			{what: "all services settled", ours: figure{company, "steady-s"}, unit: "s", aim: "< 20 s", below: 20},
			{what: "CPU of the harness", ours: figure{company, "%harness"}, unit: "%", aim: "< 25 %", below: 25},
			{what: "of it probes and ledgers", ours: figure{company, "%clients"}, unit: "%"},
			{what: "of it agents and guardians", ours: figure{company, "%agents"}, unit: "%"},
			{what: "of it the rest", ours: figure{company, "%lab"}, unit: "%"},
			{what: "CPU of the services", ours: figure{company, "%services"}, unit: "%"},
			{what: "CPU of the machine, busy", ours: figure{company, "%busy"}, unit: "%"},
			{what: "memory of the harness", ours: figure{company, "MB-PSS"}, unit: "MB"},
		},
	},
}

func partition() (rows []row) {
	for _, n := range []string{"1", "100", "1000", "10000"} {
		ours, hand := "BenchmarkPartition/firedrill/"+n, "BenchmarkPartition/nft/"+n
		apply := row{what: "apply, " + peers(n), ours: figure{ours, "apply-ms"}, unit: "ms", hand: figure{hand, "apply-ms"}, handIs: nft}
		if n == "1000" {
			apply.aim, apply.ratio = "faster than nft", 1
		}
		tables := apply
		tables.hand, tables.handIs, tables.aim, tables.ratio = figure{"BenchmarkPartition/iptables-restore/" + n, "apply-ms"}, iptables, "", 0
		heal := row{what: "heal, " + peers(n), ours: figure{ours, "heal-ms"}, unit: "ms", hand: figure{hand, "heal-ms"}, handIs: nft}
		healTables := heal
		healTables.hand, healTables.handIs = figure{tables.hand.bench, "heal-ms"}, iptables
		rows = append(rows, apply, tables, heal, healTables,
			row{what: "prepare, " + peers(n), ours: figure{ours, "prepare-ms"}, unit: "ms"})
	}
	return rows
}

func packet() (rows []row) {
	for _, n := range []string{"1", "1000", "10000"} {
		bench := "BenchmarkPacket/peers=" + n
		none := row{what: "cut from " + peers(n), ours: figure{bench, "ns-with"}, unit: "ns", hand: figure{bench, "ns-without"}, handIs: "nothing", aim: "within 10 %", ratio: 1.1}
		withNft := none
		withNft.hand, withNft.handIs, withNft.aim, withNft.ratio = figure{bench, "ns-nft"}, "`nft`", "", 0
		rows = append(rows, none, withNft)
	}
	return rows
}

func peers(n string) string {
	switch n {
	case "1":
		return "1 peer"
	case "1000":
		return "1,000 peers"
	case "10000":
		return "10,000 peers"
	}
	return n + " peers"
}
