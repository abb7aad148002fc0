package tiles

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// temporary is the pattern of the name under which a file or folder is written before it gets its own: with the machine
// and process, so that others can tell whether it is still being written.
func temporary(name string) string {
	return fmt.Sprintf(".%s@%s@%d@*.tmp", name, host(), os.Getpid())
}

func host() string {
	name, err := os.Hostname()
	if err != nil || strings.ContainsAny(name, "@/*") {
		return "unknown"
	}
	return name
}

// writeBeside writes a file under another name in the folder where it is to lie, synchronised to the disk, and returns
// that name.
func writeBeside(path string, write func(io.Writer) error) (name string, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), temporary(filepath.Base(path)))
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(file.Name())
		}
	}()
	w := bufio.NewWriterSize(file, 1<<20)
	if err := write(w); err != nil {
		return "", err
	}
	if err := w.Flush(); err != nil {
		return "", err
	}
	if err := file.Chmod(0o644); err != nil { // CreateTemp makes files that only their owner can read
		return "", err
	}
	if err := file.Sync(); err != nil {
		return "", err
	}
	return file.Name(), file.Close()
}

// longAgo is when what a process of another machine writes must have been finished.
const longAgo = time.Hour

// removeStale removes what killed processes left in the folder, of the given name or, with "", of any.
func removeStale(folder, name string) {
	entries, _ := os.ReadDir(folder) // what cannot be read cannot be cleaned
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
		if time.Since(info.ModTime()) > longAgo || parts[1] == host() && dead(parts[2]) {
			os.RemoveAll(filepath.Join(folder, entry.Name()))
		}
	}
}

// dead says whether no process of this machine has the id, as far as the system can tell.
func dead(id string) bool {
	pid, err := strconv.Atoi(id)
	if err != nil {
		return false
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return true
	}
	defer process.Release()
	return errors.Is(process.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
