package files

import (
	"fmt"
	"os"
	"syscall"
)

// Open opens a regular file for reading, also through a link. A folder, a pipe, a socket or a device is refused at once:
// reading one could wait for ever, or never end.
func Open(path string) (*os.File, error) {
	in, _, err := openRegular(path)
	return in, err
}

// openRegular also gives the file's size.
func openRegular(path string) (*os.File, int64, error) {
	in, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // without O_NONBLOCK, opening a pipe waits for a writer
	if err != nil {
		return nil, 0, err
	}
	info, err := in.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file but has mode %v; only regular files are read", path, info.Mode())
	}
	if err != nil {
		in.Close()
		return nil, 0, err
	}
	return in, info.Size(), nil
}
