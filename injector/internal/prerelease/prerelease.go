// Package prerelease writes the experiments that a service should pass before it
// is released, for a service of one's own: a lab file with its replicas in three
// zones, and one experiment a fault.
package prerelease

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

//go:embed templates/*.yaml
var templates embed.FS

// Limits of Service.Replicas. The lab gives a host of a zone one number of an
// address, and thirty hosts are what one machine carries well.
const (
	LeastReplicas = 2
	MostReplicas  = 30
)

// zones is how many zones the replicas are spread over, as far as they reach.
const zones = 3

// Services is the folder beside the files in which Write places the service's
// program, and where run and lab up look for programs first.
const Services = "services"

// Service is what the experiments are tried on.
type Service struct {
	Name     string   // of small letters, digits and -
	Replicas int      // from LeastReplicas to MostReplicas
	Program  string   // absolute path; empty: one of those beside the injector
	Copy     bool     // Program is copied, not linked to: a new build is not what runs then
	Exec     string   // the program's bare name
	Args     []string // may hold ${ip}, ${host} and the like, of the lab file
	Port     int      // that each replica serves on
	// Ready is the path that a ready replica answers with 200; empty: it is ready
	// when it takes a connection.
	Ready string
}

// Zone is a site with one rack on a power source of its own.
type Zone struct{ Name, Rack, Feed string }

// Replica is one host of the service.
type Replica struct {
	Name    string
	Zone    Zone
	Address string
}

// Zones are the zones that hold a replica.
func (s Service) Zones() (out []Zone) {
	for i := range min(zones, s.Replicas) {
		letter := string(rune('a' + i))
		out = append(out, Zone{Name: "zone-" + letter, Rack: "rack-" + letter, Feed: "feed-" + letter})
	}
	return out
}

// Hosts are the replicas, zone by zone in turn.
func (s Service) Hosts() (out []Replica) {
	all := s.Zones()
	for i := range s.Replicas {
		z := i % len(all)
		out = append(out, Replica{Name: fmt.Sprint("r", i+1), Zone: all[z], Address: fmt.Sprintf("10.77.%d.%d", z+1, i/len(all)+1)})
	}
	return out
}

// Probe is the check of a probe that tries the first n replicas in order, as a
// client with a list of servers does.
func (s Service) Probe(n int) (string, error) {
	var at []string
	for _, h := range s.Hosts()[:n] {
		a := fmt.Sprintf("%s:%d", h.Address, s.Port)
		if s.Ready != "" {
			a = "http://" + a + s.Ready
		}
		at = append(at, a)
	}
	list, err := quote(at)
	if s.Ready != "" {
		return "http: {get: " + list + ", expect: 200}", err
	}
	return "tcp: {connect: " + list + "}", err
}

// Write writes lab file, experiments and the program into dir, and
// returns the experiments' names. It overwrites nothing.
func Write(dir string, s Service) ([]string, error) {
	files, err := render(s)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(files))
	links := filepath.Join(dir, Services)
	for _, path := range append(slices.Clone(names), Services) {
		if _, err := os.Lstat(filepath.Join(dir, path)); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("write %s: it exists; choose another folder", filepath.Join(dir, path))
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create folder: %w", err)
	}
	if s.Program != "" {
		if err := os.Mkdir(links, 0o755); err != nil {
			return nil, fmt.Errorf("create folder: %w", err)
		}
		if err := s.place(filepath.Join(links, s.Exec)); err != nil {
			return nil, fmt.Errorf("place program: %w", err)
		}
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), files[name], 0o644); err != nil {
			return nil, fmt.Errorf("write files: %w", err)
		}
	}
	return slices.DeleteFunc(names, func(n string) bool { return n == LabFile }), nil
}

// place puts the service's program at a path.
func (s Service) place(at string) error {
	if !s.Copy {
		return os.Symlink(s.Program, at)
	}
	content, err := os.ReadFile(s.Program)
	if err != nil {
		return err
	}
	return os.WriteFile(at, content, 0o755)
}

// LabFile is the name of the lab file among the written ones.
const LabFile = "lab.yaml"

// render returns all files by name.
func render(s Service) (map[string][]byte, error) {
	all, err := template.New("").Funcs(template.FuncMap{"quote": quote}).ParseFS(templates, "templates/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	out := map[string][]byte{}
	for _, t := range all.Templates() {
		if filepath.Ext(t.Name()) == "" || strings.HasPrefix(t.Name(), "_") {
			continue // a part of the others
		}
		var b bytes.Buffer
		if err := t.Execute(&b, s); err != nil {
			return nil, fmt.Errorf("write %s: %w", t.Name(), err)
		}
		out[t.Name()] = b.Bytes()
	}
	return out, nil
}

// quote writes a value in YAML's flow style, of which JSON is a part.
func quote(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}
