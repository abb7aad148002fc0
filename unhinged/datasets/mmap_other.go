//go:build !unix

package datasets

import (
	"io"
	"os"
)

// mapFile reads the first size bytes of a file: memory is mapped on Unix only.
func mapFile(f *os.File, size int64) ([]byte, error) {
	content := make([]byte, size)
	_, err := io.ReadFull(io.NewSectionReader(f, 0, size), content)
	return content, err
}
