package vision

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestLockFolder: of many that want a folder one has it at a time, and at the end nothing is left there.
func TestLockFolder(t *testing.T) {
	folder := t.TempDir()
	var inside, turns atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 300 {
				unlock, err := lockFolder(folder)
				if errors.Is(err, ErrElsewhere) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d have the folder at once", n)
				}
				turns.Add(1)
				inside.Add(-1)
				unlock()
			}
		})
	}
	all.Wait()
	if turns.Load() < 10 {
		t.Errorf("the folder was locked %d times of 2400", turns.Load())
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
}

// TestFolderWithoutLocks: a folder that cannot be locked is not trained in. What a killed process left is no hindrance.
func TestFolderWithoutLocks(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, lockName)
	if err := os.Mkdir(path, 0o755); err != nil { // no file, and so no lock
		t.Fatal(err)
	}
	_, err := lockFolder(folder)
	if err == nil || errors.Is(err, ErrElsewhere) || !strings.Contains(err.Error(), folder+" cannot be locked") {
		t.Errorf("error %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	unlock, err := lockFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}
