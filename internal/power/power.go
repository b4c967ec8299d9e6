// Package power holds the messages of the power controller: the one that boots
// a host and says what a host consists of. In the lab it is a role of the lab;
// the powerloss plugin asks it for the status before a cut and tells it to
// switch a host on again. It never cuts: the plugin does every step of the cut.
package power

// Op is what the power controller is asked to do.
type Op string

// The operations of a power controller.
const (
	OpStatus Op = "status"
	OpOn     Op = "on" // boots the host with a new boot id; a host that is on stays as it is
)

// Request is one line of JSON sent over the controller's socket.
type Request struct {
	Op   Op     `json:"op"`
	Host string `json:"host"`
}

// Response is the one line of JSON that answers a Request.
type Response struct {
	Error  string `json:"error,omitempty"`
	Status Status `json:"status"`
}

// Status is what a host consists of, as seen from the machine.
type Status struct {
	Host      string   `json:"host"`
	On        bool     `json:"on"`
	BootID    string   `json:"boot_id"`
	PID1      int      `json:"pid1"`       // in the machine's pid namespace
	PID1Start uint64   `json:"pid1_start"` // field 22 of /proc/PID/stat, proc_pid_stat(5)
	NetNS     uint64   `json:"netns"`      // inode of the host's network namespace
	Cgroup    string   `json:"cgroup"`     // in the v2 hierarchy, absolute path; fresh at every power-on
	CgroupIno uint64   `json:"cgroup_ino"`
	V1Cgroups []string `json:"v1_cgroups,omitempty"` // absolute paths in the v1 hierarchies
	FabricNS  string   `json:"fabric_ns"`            // path of the fabric's network namespace
	Veth      string   `json:"veth"`                 // the fabric-side end of the host's cable
	VethIndex int      `json:"veth_index"`
	Address   string   `json:"address"` // of the host in the lab's data network, without mask
	// FileSystems are all that a power cut shuts down.
	FileSystems []FileSystem `json:"file_systems"`
}

// FileSystem is one writable file system of a host.
type FileSystem struct {
	Mount  string `json:"mount"`  // inside the host, e.g. /data
	Type   string `json:"type"`   // ext4 or xfs
	Device string `json:"device"` // loopN
	Dev    uint64 `json:"dev"`    // st_dev of the mount
	Image  string `json:"image"`  // backing file on the machine
}
