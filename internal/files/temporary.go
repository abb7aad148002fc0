package files

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Temporary is the pattern, for os.CreateTemp and os.MkdirTemp, of the name under which a file or folder is written
// before it gets its own. It holds the machine and the process, so that others can tell whether it is still being
// written.
func Temporary(name string) string {
	return fmt.Sprintf(".%s@%s@%d@*.tmp", name, Host(), os.Getpid())
}

// Host is the name of this machine, as Temporary has it.
func Host() string {
	name, err := os.Hostname()
	if err != nil || strings.ContainsAny(name, "@/*") {
		return "unknown"
	}
	return name
}

// longAgo is the age at which a temporary file of another machine counts as left behind.
const longAgo = time.Hour

// RemoveStale removes temporary files and folders that killed processes left in the folder, those for the given name
// or, with "", for any name. It keeps those of running processes, and those of other machines that are younger than an
// hour.
func RemoveStale(folder, name string) {
	entries, _ := os.ReadDir(folder) // a folder that cannot be read is left as it is
	for _, entry := range entries {
		parts := strings.Split(entry.Name(), "@")
		if len(parts) != 4 || !strings.HasPrefix(parts[0], ".") || !strings.HasSuffix(parts[3], ".tmp") || name != "" &&
			parts[0] != "."+name {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			continue
		}
		if time.Since(info.ModTime()) > longAgo || parts[1] == Host() && dead(parts[2]) {
			os.RemoveAll(filepath.Join(folder, entry.Name()))
		}
	}
}

// dead reports whether no process of this machine has the id, as far as the system can tell.
func dead(id string) bool {
	pid, err := strconv.Atoi(id)
	return err == nil && Ended(pid)
}

// Ended reports whether no process of this machine has the id, as far as the system can tell.
func Ended(pid int) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return true
	}
	defer process.Release()
	return errors.Is(process.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
