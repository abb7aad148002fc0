// Package regular opens regular files only: a read from a named pipe may wait forever, and a device may never end.
package regular

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Open opens a file for reading, or a link to one. It is an error, at once, if it is a folder, a named pipe, a socket
// or a device.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err // the error names the path
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is %s: want a regular file", path, kind(info.Mode()))
	}
	return os.Open(path)
}

// ReadFile reads a whole file of at most so many bytes.
func ReadFile(path string, most int64) ([]byte, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > most {
		return nil, fmt.Errorf("%s has more than %d bytes, which is too many for such a file", path, most)
	}
	return content, nil
}

func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "not a file with content"
}
