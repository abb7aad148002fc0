package lease

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestOneOwner checks that if many processes want a lease, only one has it at a time, and that no file is left in the
// folder at the end.
func TestOneOwner(t *testing.T) {
	name := filepath.Join(t.TempDir(), ".lease")
	var inside, turns atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 300 {
				l, err := Take(name)
				if errors.Is(err, ErrTaken) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d have the lease at once", n)
				}
				if err := l.Held(); err != nil {
					t.Error(err)
				}
				turns.Add(1)
				inside.Add(-1)
				l.Release()
			}
		})
	}
	all.Wait()
	if turns.Load() < 10 {
		t.Errorf("the lease was taken %d times of 2400", turns.Load())
	}
	if entries, err := os.ReadDir(filepath.Dir(name)); err != nil || len(entries) != 0 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
}

// silence stops the heartbeats of a lease without releasing it, as when a machine loses its network.
func silence(l *Lease) {
	l.end()
	l.stop = make(chan struct{})
}

// otherHost makes the lease look as if a process of another machine owned it, which cannot be looked up here.
func otherHost(t *testing.T, l *Lease) {
	t.Helper()
	text := fmt.Sprintf("%-8s %12d %10d %s\n", "held", 1, os.Getpid(), "elsewhere")
	if err := os.WriteFile(path(l.name, l.generation), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestExpiry checks that heartbeats keep a lease for longer than the expiry. Without heartbeats, one of many others
// takes it over, and the old owner can tell this before and after the takeover.
func TestExpiry(t *testing.T) {
	t.Parallel() // this test spends its time waiting
	const expiry = 1500 * time.Millisecond
	name := filepath.Join(t.TempDir(), "work")
	first, err := take(name, expiry)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * expiry); time.Now().Before(end); time.Sleep(expiry / 20) {
		if _, err := take(name, expiry); !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), "process") {
			t.Fatalf("a lease with heartbeats: %v", err)
		}
	}
	silence(first)
	otherHost(t, first)
	time.Sleep(expiry * 6 / 10)
	if _, err := take(name, expiry); !errors.Is(err, ErrTaken) {
		t.Errorf("before the expiry: %v", err)
	}
	time.Sleep(expiry * 6 / 10)
	if err := first.Held(); err != nil { // nobody has taken over, and now nobody can
		t.Errorf("expired, but not taken over: %v", err)
	}
	if _, err := take(name, expiry); !errors.Is(err, ErrTaken) {
		t.Errorf("after a late heartbeat: %v", err)
	}
	otherHost(t, first)
	time.Sleep(expiry * 12 / 10)
	var owners atomic.Int32
	var second *Lease
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if l, err := take(name, expiry); err == nil {
				owners.Add(1)
				second = l
			} else if !errors.Is(err, ErrTaken) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if owners.Load() != 1 {
		t.Fatalf("%d took the expired lease over", owners.Load())
	}
	if err := first.Held(); !errors.Is(err, ErrLost) {
		t.Errorf("after the takeover: %v", err)
	}
	first.Finish() // a second call does no harm
	if err := second.Held(); err != nil {
		t.Error(err)
	}
	second.Release()
	third, err := take(name, expiry)
	if err != nil {
		t.Fatalf("a released lease: %v", err)
	}
	third.Finish()
	if entries, err := os.ReadDir(filepath.Dir(name)); err != nil || len(entries) != 0 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
}

// TestLateHeartbeat checks that if an old owner comes back while another process takes over, at most one of them
// continues.
func TestLateHeartbeat(t *testing.T) {
	const expiry = 10 * time.Second // no process of this test is suspended for so long
	kept, taken := 0, 0
	for range 100 {
		name := filepath.Join(t.TempDir(), "work")
		old, err := take(name, expiry)
		if err != nil {
			t.Fatal(err)
		}
		silence(old)
		otherHost(t, old)
		long := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path(name, 1), long, long); err != nil {
			t.Fatal(err)
		}
		old.written = long
		var held error
		var next *Lease
		var both sync.WaitGroup
		both.Go(func() { held = old.Held() })
		both.Go(func() { next, _ = take(name, expiry) })
		both.Wait()
		if next != nil {
			taken++
		}
		if held == nil {
			kept++
			if next != nil {
				t.Error("both go on")
			}
		}
	}
	t.Logf("%d kept, %d taken over", kept, taken)
}

// TestKilled checks that the lease of a killed process of this machine is taken over at once, and that the lease of a
// running process is not.
func TestKilled(t *testing.T) {
	if name := os.Getenv("LEASE_TEST"); name != "" { // this is the other process
		if _, err := Take(name); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("taken")
		time.Sleep(time.Minute)
		os.Exit(0)
	}
	name := filepath.Join(t.TempDir(), "work")
	other := exec.Command(os.Args[0], "-test.run", "^TestKilled$")
	other.Env = append(os.Environ(), "LEASE_TEST="+name)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "taken\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := Take(name); !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), fmt.Sprintf("process %d on",
		other.Process.Pid)) {
		t.Errorf("error %v", err)
	}
	if err := Check(name); !errors.Is(err, ErrTaken) {
		t.Errorf("error %v", err)
	}
	other.Process.Kill()
	other.Wait()
	if err := Check(name); err != nil {
		t.Error(err)
	}
	l, err := Take(name)
	if err != nil {
		t.Fatal(err)
	}
	l.Finish()
}

// TestCannotClaim checks that a lease is refused where no file can be created, and that a file with any other content
// counts as a lease of an unknown owner.
func TestCannotClaim(t *testing.T) {
	folder := t.TempDir()
	if _, err := Take(filepath.Join(folder, "missing", "work")); err == nil || errors.Is(err, ErrTaken) ||
		!strings.Contains(err.Error(), "cannot be claimed") {
		t.Errorf("error %v", err)
	}
	name := filepath.Join(folder, "work")
	if err := os.WriteFile(name+".1", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Take(name); !errors.Is(err, ErrTaken) {
		t.Errorf("error %v", err)
	}
	old := time.Now().Add(-2 * Expiry)
	if err := os.Chtimes(name+".1", old, old); err != nil {
		t.Fatal(err)
	}
	l, err := Take(name)
	if err != nil {
		t.Fatal(err)
	}
	l.Finish()
}
