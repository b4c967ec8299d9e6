// Package plugins is the catalogue of built-in faults: what is known of each
// without running it. The injector reads it, so that an experiment file can be
// checked without any host.
package plugins

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

//go:embed */describe.json
var descriptions embed.FS

// Catalogue returns the description of every built-in fault, by kind. It fails
// only if a committed describe.json is wrong.
func Catalogue() (map[fault.Kind]fault.Info, error) { return read(descriptions) }

func read(fsys fs.FS) (map[fault.Kind]fault.Info, error) {
	files, err := fs.Glob(fsys, "*/describe.json")
	if err != nil {
		return nil, fmt.Errorf("list built-in faults: %w", err)
	}
	infos := make(map[fault.Kind]fault.Info, len(files))
	for _, f := range files {
		b, err := fs.ReadFile(fsys, f)
		if err != nil {
			return nil, fmt.Errorf("read description: %w", err)
		}
		var info fault.Info
		if err := json.Unmarshal(b, &info); err != nil {
			return nil, fmt.Errorf("read %s: %w; run make generate", f, err)
		}
		if folder := path.Dir(f); string(info.Kind) != folder {
			return nil, fmt.Errorf("read %s: the kind is %q; give fault and folder one name", f, info.Kind)
		}
		infos[info.Kind] = info
	}
	return infos, nil
}
