//go:build unix && !aix && !solaris

package vision

import (
	"errors"
	"os"
	"syscall"
)

// lockFolder keeps a folder for this run until unlock, or the end of the process however it comes. It leaves no file.
func lockFolder(path string) (unlock func() error, err error) {
	folder, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		folder.Close()
		return nil, ErrElsewhere
	} // any other error: a file system without locks
	return folder.Close, nil
}
