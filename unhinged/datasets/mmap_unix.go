//go:build unix

package datasets

import (
	"os"
	"syscall"
)

// mapFile maps the first size bytes of a file into memory, for the life of the process. Changes of these bytes stay in
// this process.
func mapFile(f *os.File, size int64) ([]byte, error) {
	return syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE)
}
