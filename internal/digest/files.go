package digest

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
)

// files adds what lies in the folders, at most depth levels down: name, mode and
// the size of an image. Sizes of other files and times are left out: logs and
// journals grow by themselves.
func (l *listing) files(folders []string, depth int) {
	for _, folder := range folders {
		_ = filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return fs.SkipDir // gone, or never there: no line says so
			}
			if path == folder {
				return nil // its entries count; the folder itself may stay empty
			}
			info, err := e.Info()
			if err != nil {
				return nil // removed while we looked
			}
			words := []string{"file", path, "mode=" + fmt.Sprintf("%v", info.Mode())}
			if strings.HasSuffix(path, ".img") {
				words = append(words, "size="+strconv.FormatInt(info.Size(), 10))
			}
			l.add(words...)
			if e.IsDir() && strings.Count(strings.TrimPrefix(path, folder), "/") >= depth {
				return fs.SkipDir
			}
			return nil
		})
	}
}
