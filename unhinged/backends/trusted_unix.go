//go:build unix

package backends

import (
	"os"
	"syscall"
)

// trusted reports whether a file or folder (after following links) belongs to the user or to root and no other user can
// write to it.
func trusted(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && (int(owner.Uid) == os.Getuid() || owner.Uid == 0) && info.Mode().Perm()&0o002 == 0
}
