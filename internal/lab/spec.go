package lab

import (
	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/inventory"
)

// labSpec is all that the supervisor and the power role need to know of a lab.
// They know nothing of inventories: everything is selected and expanded here.
type labSpec struct {
	ID          string
	Dir         string // the lab's folder
	RunDir      string // logs go to RunDir/logs
	Services    string
	HostAgent   string
	Plugins     string
	Hierarchies []cgroup.Hierarchy
	Scope       string // folder of the scope that the lab is in; "" without systemd
	Sites       []string
	Racks       []rackSpec
	Hosts       []hostSpec
	Lines       []lineSpec
	Owner       process // whose end takes the lab down
	Standing    bool
}

// rackSpec is a switch and what hangs from it.
type rackSpec struct {
	Name  string
	Site  int // index into labSpec.Sites
	Hosts []string
	// Clients says that the rack stands on the internet: no agent, most of the CPU.
	Clients bool
}

// hostSpec is one host.
type hostSpec struct {
	Name     string
	Number   int // from 1, through the whole lab
	Rack     int // index into labSpec.Racks
	Address  string
	Address6 string
	MAC      string
	Services []serviceSpec
}

// serviceSpec is a program that hostinit keeps running.
type serviceSpec struct {
	Name  string
	Path  string // in the host
	Args  []string
	Files []inventory.File
}

// process names a process for good: pids are used again.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
}

// bootSpec is what hostinit is told. The listener of its control socket, the
// folder for its logs and the disk images come along as descriptors.
type bootSpec struct {
	ID          string
	Host        hostSpec
	BootID      string
	Disks       []diskSpec
	Root        string // empty folder on the machine to build the host's root on
	Mgmt        string
	ServicesDir string
	HostAgent   string
	Plugins     string
	HostsFile   string
	Hierarchies []cgroup.Hierarchy
	// Services and Agent say what starts by itself: false until the first call.
	Services bool
	Agent    bool
}

// diskSpec is one file system of a host.
type diskSpec struct {
	Mount string
	Image string
}

// booted is hostinit's answer.
type booted struct {
	Error string
	Loops []string // one a disk: loopN
}

// order is what power tells a running hostinit, and what an owner tells the roles.
type order struct {
	Op string
}

// The orders.
const (
	orderServices = "services"
	orderAgents   = "agents"
	orderSettle   = "settle"
)

// outcome answers an order.
type outcome struct {
	Error string
}
