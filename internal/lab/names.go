package lab

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
)

// newID returns the name of a new lab. It is short because the names of links,
// which carry it, have at most 15 bytes.
func newID() string { return strings.ToLower(rand.Text()[:6]) }

// newBootID returns a random UUID, as /proc/sys/kernel/random/boot_id is.
func newBootID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see its documentation
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Names of the objects. All carry the lab's id.
func groupName(id string) string            { return "firedrill-" + id }
func coreBridge(id string) string           { return "c" + id }
func siteBridge(id string, site int) string { return fmt.Sprintf("s%s-%d", id, site+1) }
func rackBridge(id string, rack int) string { return fmt.Sprintf("r%s-%d", id, rack+1) }
func vethName(id string, host int) string   { return fmt.Sprintf("v%s-%d", id, host) }

// upName names the two ends of the cable between a bridge and the one above it.
func upName(id string, level string, n int) (string, string) {
	return fmt.Sprintf("u%s%s-%da", level, id, n+1), fmt.Sprintf("u%s%s-%db", level, id, n+1)
}

func mgmtDir(dir string) string     { return filepath.Join(dir, "mgmt") }
func imagesDir(dir string) string   { return filepath.Join(dir, "images") }
func powerSocket(dir string) string { return filepath.Join(dir, "power.sock") }
func roleSocket(dir, role string) string {
	return filepath.Join(dir, "orders-"+role+".sock")
}
func hostSocket(dir, host string) string { return filepath.Join(dir, "hosts", host+".sock") }
func image(dir, host, disk string) string {
	return filepath.Join(imagesDir(dir), host, disk+".img")
}
func hostsFile(dir string) string    { return filepath.Join(dir, "hosts.txt") }
func rootDir(dir string) string      { return filepath.Join(dir, "root") }
func agentRoot(dir, r string) string { return filepath.Join(dir, "agents", r) }
func logDir(runDir, h string) string { return filepath.Join(runDir, "logs", h) }
func agentName(rack string) string   { return "oob-" + rack }
