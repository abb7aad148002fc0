// Package lease lets one process at a time work on something in a shared folder, on one machine or on several, also on
// file systems without locks such as NFS.
//
// A lease is a file NAME.G that exists once, by O_EXCL. G counts its owners from 1. The owner writes a heartbeat into
// the file every few seconds. A lease whose heartbeat is older than Expiry, or that is released, or whose process on
// this machine has ended, is taken over by creating NAME.G+1, which only one process can do. Ages are differences of
// modification times in the folder, so that they are those of the file server's clock, and clocks of machines may
// differ.
//
// An owner asks Held before it writes results. Held is an error after a takeover. An owner that was stopped for long
// writes a heartbeat first and then looks for a new owner; a new owner creates its file first and then looks for a
// heartbeat: of the two at least one sees the other and gives up.
package lease

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unhinged-lab/lab/internal/files"
	"github.com/unhinged-lab/lab/internal/regular"
)

// Expiry is the age of a heartbeat after which others may take the lease over. Heartbeats are written six times as
// often.
const Expiry = time.Minute

// ErrTaken is the error of a lease that another process holds, or another part of this one.
var ErrTaken = errors.New("another process is at work on it")

// ErrLost is the error of an owner that must not write anything more.
var ErrLost = errors.New("another process may have taken over the work: nothing more is written")

// Lease is a lease that this process took.
type Lease struct {
	name       string // path without the generation
	generation int
	expiry     time.Duration
	file       *os.File
	stop       chan struct{}
	stopped    sync.WaitGroup

	mutex   sync.Mutex
	beats   int
	written time.Time // the last heartbeat
}

// Take takes the lease with this path, in a folder that exists. It is ErrTaken if it is held.
func Take(name string) (*Lease, error) { return take(name, Expiry) }

func take(name string, expiry time.Duration) (*Lease, error) {
	for range 100 { // others create and remove files meanwhile
		generation, err := free(name, expiry)
		if err != nil {
			return nil, err
		}
		l, err := create(name, generation, expiry)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("the work of %s cannot be claimed, and another process could do it, too: %w; "+
				"choose a folder where files can be written", name, err)
		}
		if l != nil {
			return l, nil
		}
	}
	return nil, ErrTaken
}

// Check returns ErrTaken if the lease is held, and otherwise nil, or why that is not known. It takes nothing.
func Check(name string) error {
	_, err := free(name, Expiry)
	return err
}

// free returns the generation that may be created, or ErrTaken.
func free(name string, expiry time.Duration) (generation int, err error) {
	generation = 1
	for {
		_, err := os.Stat(path(name, generation))
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		if err != nil {
			return 0, err
		}
		generation++
	}
	if generation == 1 {
		return 1, nil
	}
	if err := over(name, generation-1, expiry); errors.Is(err, os.ErrNotExist) {
		return free(name, expiry) // it was removed after it was found
	} else if err != nil {
		return 0, err
	}
	return generation, nil
}

// over returns nil if a generation is released, expired or of an ended process, and otherwise ErrTaken.
func over(name string, generation int, expiry time.Duration) error {
	o, err := read(path(name, generation))
	if err != nil || o.released || o.dead() {
		return err
	}
	age, err := o.age(filepath.Dir(name))
	if err != nil || age > expiry {
		return err
	}
	machine, _, _ := strings.Cut(o.host, "/")
	return fmt.Errorf("%w: process %d on %s, whose heartbeat is %v old", ErrTaken, o.process, machine,
		age.Round(time.Second))
}

// create creates a generation. It returns nil if the generation before it, or another one, changed meanwhile.
func create(name string, generation int, expiry time.Duration) (*Lease, error) {
	file, err := os.OpenFile(path(name, generation), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	l := &Lease{name: name, generation: generation, expiry: expiry, file: file, stop: make(chan struct{})}
	err = l.beat()
	free := !exists(path(name, generation+1)) && (generation == 1 || over(name, generation-1, expiry) == nil)
	if err != nil || !free {
		file.Close()
		os.Remove(path(name, generation))
		return nil, err
	}
	l.stopped.Go(func() {
		for {
			select {
			case <-l.stop:
				return
			case <-time.After(expiry / 6):
				_ = l.beat() // Held tries again
			}
		}
	})
	return l, nil
}

// beat writes the owner and the number of the heartbeat into the file.
func (l *Lease) beat() error {
	err := l.write("held")
	if err == nil {
		l.mutex.Lock()
		l.written = time.Now()
		l.mutex.Unlock()
	}
	return err
}

func (l *Lease) write(state string) error {
	l.mutex.Lock()
	l.beats++
	text := fmt.Sprintf("%-8s %12d %10d %s\n", state, l.beats, os.Getpid(), host())
	l.mutex.Unlock()
	if _, err := l.file.WriteAt([]byte(text), 0); err != nil {
		return err
	}
	return l.file.Sync()
}

// Held returns ErrLost if this process may no longer write results.
func (l *Lease) Held() error {
	l.mutex.Lock()
	written := l.written
	l.mutex.Unlock()
	// the difference without the monotonic clock counts the time in which the machine slept
	if max(time.Since(written), time.Now().Round(0).Sub(written.Round(0))) > l.expiry/2 {
		if err := l.beat(); err != nil {
			return fmt.Errorf("%w: the heartbeat could not be written: %w", ErrLost, err)
		}
	}
	if exists(path(l.name, l.generation+1)) || !exists(path(l.name, l.generation)) {
		return ErrLost
	}
	return nil
}

// Release lets others take the lease at once. The files of a lease with one owner are removed.
func (l *Lease) Release() {
	l.end()
	if l.Held() == nil {
		if l.generation == 1 {
			os.Remove(path(l.name, 1))
		} else { // others may have read the files before it as expired
			_ = l.write("released") // without it the lease expires
		}
	}
	l.file.Close()
}

// Finish removes the lease after its work is complete, so that who takes the lease sees that nothing is left to do.
func (l *Lease) Finish() {
	l.end()
	if l.Held() == nil {
		for g := range l.generation {
			os.Remove(path(l.name, g+1))
		}
	}
	l.file.Close()
}

func (l *Lease) end() {
	close(l.stop)
	l.stopped.Wait()
}

func path(name string, generation int) string { return name + "." + strconv.Itoa(generation) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// owner is the content of a lease's file.
type owner struct {
	released bool
	process  int
	host     string
	modified time.Time
}

// read reads a lease's file. An owner that has not written its name yet is on an unknown machine.
func read(path string) (o owner, err error) {
	content, err := regular.ReadFile(path, 4096)
	if err != nil {
		return o, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return o, err
	}
	o.modified = info.ModTime()
	if fields := strings.Fields(string(content)); len(fields) == 4 && strings.HasSuffix(string(content), "\n") {
		o.released = fields[0] == "released"
		o.process, _ = strconv.Atoi(fields[2])
		o.host = fields[3]
	}
	return o, nil
}

// dead reports whether the owner was a process of this machine that has ended.
func (o owner) dead() bool { return o.host == host() && o.process > 0 && files.Ended(o.process) }

// age returns the time since the last heartbeat by the clock of the folder's file system.
func (o owner) age(folder string) (time.Duration, error) {
	now, err := os.CreateTemp(folder, files.Temporary("now"))
	if err != nil {
		return 0, err
	}
	defer os.Remove(now.Name())
	_, err1 := now.Write([]byte{0})
	err2 := now.Sync()
	info, err3 := now.Stat()
	if err := errors.Join(err1, err2, err3, now.Close()); err != nil {
		return 0, err
	}
	return info.ModTime().Sub(o.modified), nil
}

// host identifies the machine, or the container, whose process numbers this process sees: its name, and on Linux the
// number of its start and that of the process numbers' namespace.
var host = sync.OnceValue(func() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid") // "pid:[4026531836]"
	return strings.Join([]string{files.Host(), strings.TrimSpace(string(boot)), space}, "/")
})
