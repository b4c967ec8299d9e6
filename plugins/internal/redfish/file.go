package redfish

import (
	"fmt"
	"io"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"syscall"

	"github.com/goccy/go-yaml"
)

// Controller says where the controller of a machine is and who may use it. It
// comes from a file of the acting host that root alone can read, never from an
// experiment.
type Controller struct {
	URL      string `yaml:"url"`  // https://address[:port]
	CA       string `yaml:"ca"`   // file with the certificate of who signed the controller's; empty: the system's
	User     string `yaml:"user"` // needs the privilege ConfigureComponents
	Password string `yaml:"password"`
	System   string `yaml:"system"` // Id of the machine; may be left out where the controller has one
	// Ping is an address of the machine itself that answers echo requests. With it
	// the controller's word is checked by somebody else's.
	Ping netip.Addr `yaml:"ping"`
}

// Read finds the controller of a host in the file of controllers. An example with
// all its lines is hostagent/bmc.example.yaml.
func Read(path, host string) (Controller, error) {
	text, err := readOwned(path, 0o077)
	if err != nil {
		return Controller{}, err
	}
	var file struct {
		Hosts map[string]Controller `yaml:"hosts"`
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		// Not with the source, which the parser shows: it holds passwords.
		return Controller{}, fmt.Errorf("%w: read %s: %s", ErrConfig, path, yaml.FormatError(err, false, false))
	}
	at, ok := file.Hosts[host]
	if !ok {
		return at, fmt.Errorf("%w: %s has no host %q; it has %v", ErrConfig, path, host, slices.Sorted(maps.Keys(file.Hosts)))
	}
	u, err := url.Parse(at.URL)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" || u.User != nil:
		return at, fmt.Errorf("%w: url of host %s in %s: write it like https://10.9.0.1", ErrConfig, host, path)
	case at.User == "" || at.Password == "":
		return at, fmt.Errorf("%w: host %s in %s needs user and password", ErrConfig, host, path)
	}
	return at, nil
}

// readOwned reads a file that belongs to root and that nobody else may open in
// the ways of the mask.
func readOwned(path string, mask os.FileMode) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	owner, ok := st.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid != 0 || !st.Mode().IsRegular() || st.Mode().Perm()&mask != 0 {
		return nil, fmt.Errorf("%w: %s must be a file of root with mode %04o or less, it is %s", ErrConfig, path, 0o666&^mask, st.Mode())
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%w: read %s: %w", ErrConfig, path, err)
	}
	return text, nil
}
