// Package faults knows the kinds of fault that an experiment may name: those
// built into the host agent, and those of a folder of third-party plugins.
package faults

import (
	"fmt"

	"github.com/firedrill-io/firedrill/internal/pluginfolder"
	"github.com/firedrill-io/firedrill/plugins"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Known returns what is known of each kind and, of those that are not built in,
// the path of the executable. folder may be empty.
func Known(folder string) (infos map[fault.Kind]fault.Info, paths map[fault.Kind]string, err error) {
	if infos, err = plugins.Catalogue(); err != nil {
		return nil, nil, fmt.Errorf("read fault catalogue: %w", err)
	}
	paths = map[fault.Kind]string{}
	if folder == "" {
		return infos, paths, nil
	}
	programs, err := pluginfolder.List(folder)
	if err != nil {
		return nil, nil, err
	}
	for kind, p := range programs {
		if _, taken := infos[kind]; taken {
			return nil, nil, fmt.Errorf("plugin %s: there is a built-in fault of its kind; give it another name", p.Path)
		}
		infos[kind], paths[kind] = p.Info, p.Path
	}
	return infos, paths, nil
}
