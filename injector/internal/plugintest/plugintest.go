// Package plugintest tries a plugin that is an executable, in any language, in
// the conformance suite, and says history by history what came of it.
package plugintest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/firedrill-io/firedrill/internal/conformance"
	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/pluginfolder"
	"github.com/firedrill-io/firedrill/internal/pluginhost"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// What keeps a plugin from being tried.
var (
	ErrBadInput = errors.New("nothing was tried")         // the executable or its parameters
	ErrLacking  = errors.New("this machine cannot do it") // no root, no lab, or a kernel feature is missing
)

// Options say what to try.
type Options struct {
	Path      string
	Params    []byte // YAML or JSON; nil: the examples of the plugin's own schema
	Tolerance float64
	Only      []string // names of histories; empty: all
}

// Describe starts the executable, asks it what it is, and ends it.
func Describe(ctx context.Context, path string) (info fault.Info, contract int, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return info, 0, fmt.Errorf("%w: %w", ErrBadInput, err)
	}
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() || st.Mode().Perm()&0o111 == 0 {
		return info, 0, fmt.Errorf("%w: %s is no file that can be executed", ErrBadInput, path)
	}
	dir, err := os.MkdirTemp("", "fd")
	if err != nil {
		return info, 0, fmt.Errorf("describe plugin: %w", err)
	}
	defer os.RemoveAll(dir)
	p, err := pluginhost.Launch(ctx, pluginhost.Config{Kind: fault.Kind(filepath.Base(path)), Path: path, Dir: dir, Lock: filepath.Join(dir, "lock")})
	if err != nil {
		return info, 0, fmt.Errorf("%w: %w", ErrBadInput, err)
	}
	defer p.Kill()
	if info, err = p.Describe(ctx); err != nil {
		return info, 0, fmt.Errorf("%w: %w", ErrBadInput, err)
	}
	if info.Kind == "" || len(info.Params) == 0 || info.PluginVersion == "" || info.Destroys == "" {
		return info, 0, fmt.Errorf("%w: the plugin's description has gaps: kind, plugin_version, destroys and params are needed", ErrBadInput)
	}
	return info, p.Contract(), nil
}

// Manifest is the manifest that pins the executable as it is now.
func Manifest(ctx context.Context, path string) ([]byte, error) {
	info, contract, err := Describe(ctx, path)
	if err != nil {
		return nil, err
	}
	digest, err := pluginfolder.Digest(path)
	if err != nil {
		return nil, err
	}
	m := pluginfolder.Manifest{
		Executable: filepath.Base(path), SHA256: digest, Contracts: []int{contract},
		Capabilities: info.Needs.Capabilities, Info: info,
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	return append(b, '\n'), nil
}

// Run tries the plugin and tells out as it goes. It returns how many histories
// went wrong.
func Run(ctx context.Context, o Options, out io.Writer) (failed int, err error) {
	if err := lab.Allowed(); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrLacking, err)
	}
	histories, err := pick(o.Only)
	if err != nil {
		return 0, err
	}
	info, contract, err := Describe(ctx, o.Path)
	if err != nil {
		return 0, err
	}
	params, err := paramsOf(o.Params, info)
	if err != nil {
		return 0, err
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return 0, fmt.Errorf("find plugin: %w", err)
	}
	fmt.Fprintf(out, "%s %s, contract %d: %s\nwith %s, as root with %s\n", info.Kind, info.PluginVersion, contract, info.Summary, params, capabilities(info))
	c := conformance.Case{Params: params, Strange: true, Tolerance: o.Tolerance}
	s, err := conformance.New(conformance.Subject{Info: info, Path: path, Confined: true, Carry: hidden(path)}, c)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := begin(ctx, s); err != nil {
		return 0, err
	}
	tried := 0
	for _, h := range histories {
		if err := ctx.Err(); err != nil {
			return failed, err
		}
		if why := h.Untried(c); why != "" {
			fmt.Fprintf(out, "--             %s: not tried: %s\n", h.Name, why)
			continue
		}
		tried++
		began := time.Now()
		wrong := s.Try(ctx, h)
		tell(out, h.Name, time.Since(began), wrong)
		if len(wrong) > 0 {
			failed++
		}
	}
	fmt.Fprintf(out, "%d histories: %d passed, %d failed\n", tried, tried-failed, failed)
	return failed, nil
}

// begin raises the lab and looks whether the plugin takes its parameters there.
func begin(ctx context.Context, s *conformance.Suite) error {
	if err := s.Ready(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrLacking, err)
	}
	err := s.Prepares(ctx)
	var refused *fault.RefusedError
	switch {
	case errors.Is(err, fault.ErrUnsupported):
		return fmt.Errorf("%w: %w", ErrLacking, err)
	case errors.As(err, &refused):
		return fmt.Errorf("%w: %w; give other parameters with --params", ErrBadInput, err)
	}
	return nil // whatever else is wrong, the histories say it
}

func tell(out io.Writer, name string, took time.Duration, wrong []string) {
	result := "ok  "
	if len(wrong) > 0 {
		result = "FAIL"
	}
	fmt.Fprintf(out, "%s %6.2fs  %s\n", result, took.Seconds(), name)
	for _, w := range wrong {
		fmt.Fprintf(out, "               %s\n", strings.ReplaceAll(w, "\n", "\n               "))
	}
}

func capabilities(info fault.Info) string {
	if len(info.Needs.Capabilities) == 0 {
		return "no capabilities"
	}
	return strings.Join(info.Needs.Capabilities, ", ") + " only"
}

func pick(names []string) ([]conformance.History, error) {
	all := conformance.Histories()
	if len(names) == 0 {
		return all, nil
	}
	var picked []conformance.History
	for _, name := range names {
		found := false
		for _, h := range all {
			if h.Name == name {
				picked, found = append(picked, h), true
			}
		}
		if !found {
			return nil, fmt.Errorf("%w: no history %q", ErrBadInput, name)
		}
	}
	return picked, nil
}

// paramsOf reads parameters or, without any, takes the examples of those that
// the plugin's schema needs.
func paramsOf(text []byte, info fault.Info) (json.RawMessage, error) {
	if text != nil {
		b, err := yaml.YAMLToJSON(text)
		if err != nil {
			return nil, fmt.Errorf("%w: read parameters: %w", ErrBadInput, err)
		}
		return json.RawMessage(strings.TrimSpace(string(b))), nil
	}
	var schema struct {
		Required   []string `json:"required"`
		Properties map[string]struct {
			Examples []json.RawMessage `json:"examples"`
			Default  json.RawMessage   `json:"default"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(info.Params, &schema); err != nil {
		return nil, fmt.Errorf("%w: read the plugin's schema of parameters: %w", ErrBadInput, err)
	}
	params := map[string]json.RawMessage{}
	for _, name := range schema.Required {
		p := schema.Properties[name]
		switch {
		case len(p.Examples) > 0:
			params[name] = p.Examples[0]
		case len(p.Default) > 0:
			params[name] = p.Default
		default:
			return nil, fmt.Errorf("%w: the plugin needs %s and its schema has no example; give --params FILE", ErrBadInput, strings.Join(schema.Required, ", "))
		}
	}
	return json.Marshal(params)
}

// hidden says whether a lab host has a folder of its own where path is.
func hidden(path string) bool {
	for _, own := range []string{"/tmp/", "/run/", "/var/tmp/", "/dev/shm/", "/data/", "/state/"} {
		if strings.HasPrefix(path, own) {
			return true
		}
	}
	return false
}
