package tiles

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// inspect reads a whole store, as `unhinged kernel inspect` does, and reports whether it is complete.
func inspect(dir string) (complete bool, err error) {
	s, err := Open(dir)
	if err != nil {
		return false, err
	}
	complete = true
	for _, name := range s.Kernel.Arrays {
		a, err := s.Array(name)
		if err != nil {
			return false, err
		}
		if err := a.Verify(context.Background()); err != nil {
			return false, err
		}
		complete = complete && len(a.Missing()) == 0
	}
	return complete, nil
}

// complete computes a store that has every kind of file.
func complete(t *testing.T) (*Store, Kernel) {
	k := Kernel{Arrays: []string{"k", "l"}, DType: Float32, Rows: 7, Cols: 7, Tile: 3, Symmetric: true,
		Labels:     []int{0, 1, 2, 0, 1, 2, 3},
		ColsLabels: []int{1, 2, 3, 4, 5, 6, 7}, Identity: map[string]string{"inputs": "abc"},
		About: map[string]string{"command": "first"}}
	s, _ := kernelOf[float32](t, k)
	if whole, err := inspect(s.Dir); !whole || err != nil {
		t.Fatal(whole, err)
	}
	return s, k
}

// TestDamage checks that any damage to any file of a store gives an error that names the file and the remedy, wherever
// the file is read, and that no calculation resumes from it. After the remedy, the store is as it was before.
func TestDamage(t *testing.T) {
	t.Parallel() // this test spends its time waiting for the disk
	s, k := complete(t)
	content, damages := contents(t, s.Dir), damagesTo(t, s.Dir)
	for name := range content {
		for what, damage := range damages {
			path := filepath.Join(s.Dir, name)
			if err := damage(path, content[name]); err != nil {
				t.Fatal(err)
			}
			refused := func(how string, err error) {
				t.Helper()
				if err == nil || !strings.Contains(err.Error(), s.Dir) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s in place of %s, %s: error %v", what, name, how, err)
				}
			}
			_, err := inspect(s.Dir)
			refused("inspect", err)
			opened, err := Create(s.Dir, k)
			if err == nil {
				var calls atomic.Int64
				err = Compute(t.Context(), opened, entries[float32](k, &calls), Options{})
				if calls.Load() > 0 {
					t.Errorf("%s in place of %s: %d tiles are computed", what, name, calls.Load())
				}
			}
			refused("compute", err)
			if opened, err = Open(s.Dir); err == nil {
				var errs []error
				for _, name := range k.Arrays {
					_, err := array(t, opened, name).Tensor()
					errs = append(errs, err)
				}
				if err = errs[0]; err == nil {
					err = errs[1]
				}
			}
			refused("read", err)
			if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, content[name], 0o644)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if whole, err := inspect(s.Dir); !whole || err != nil {
		t.Error(whole, err)
	}
}

// damagesTo returns ways to damage a file of a store in the folder, by their names. Each is given the path and the
// content of the file.
func damagesTo(t *testing.T, folder string) map[string]func(path string, content []byte) error {
	random := rand.New(rand.NewPCG(8, 1))
	damages := map[string]func(path string, content []byte) error{
		"a longer file": func(path string, content []byte) error {
			return os.WriteFile(path, append(slices.Clone(content), byte(random.Uint32())), 0o644)
		},
		"a cut file": func(path string, content []byte) error {
			return os.Truncate(path, random.Int64N(int64(len(content))))
		},
		"an empty file": func(path string, _ []byte) error { return os.Truncate(path, 0) },
		"zeros": func(path string, content []byte) error {
			return os.WriteFile(path, make([]byte, len(content)), 0o644)
		},
		"another file": func(path string, content []byte) error {
			other := content
			for string(other) == string(content) {
				names := slices.Sorted(maps.Keys(contents(t, folder)))
				other = contents(t, folder)[names[random.IntN(len(names))]]
			}
			return os.WriteFile(path, other, 0o644)
		},
		"a folder": func(path string, _ []byte) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) },
		"a pipe": func(path string, _ []byte) error {
			return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o644))
		},
	}
	for range 12 {
		bit := random.Uint64()
		damages["bit "+string(rune('a'+len(damages)))] = func(path string, content []byte) error {
			flipped := slices.Clone(content)
			at := bit % uint64(8*len(content))
			flipped[at/8] ^= 1 << (at % 8)
			return os.WriteFile(path, flipped, 0o644)
		}
	}
	return damages
}

// TestLostFiles checks that a missing small file is an error, that a missing chunk counts as not computed, and that a
// missing checksum is reported as damage. Computing again repairs the last two.
func TestLostFiles(t *testing.T) {
	t.Parallel() // this test spends its time waiting for the disk
	s, k := complete(t)
	content := contents(t, s.Dir)
	for name := range content {
		path := filepath.Join(s.Dir, name)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		whole, err := inspect(s.Dir)
		folder := strings.Split(strings.TrimPrefix(name, ".sums/"), "/")[0]
		tile := slices.Contains(k.Arrays, folder) && !strings.HasSuffix(name, ".zarray")
		if whole || (err == nil) != (tile && !strings.HasPrefix(name, ".sums")) {
			t.Errorf("without %s: complete %v, error %v", name, whole, err)
		}
		if tile {
			opened, err := Create(s.Dir, k)
			if err != nil {
				t.Fatal(err)
			}
			var calls atomic.Int64
			if err := Compute(t.Context(), opened, entries[float32](k, &calls), Options{}); err != nil ||
				calls.Load() != 1 {
				t.Errorf("without %s: %d tiles are computed, error %v", name, calls.Load(), err)
			}
			same(t, contents(t, s.Dir), content)
		} else if err := os.WriteFile(path, content[name], 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForeignTiles checks that a tile of another kernel of the same form is refused even if its checksum comes with it,
// and that a store without checksums is refused.
func TestForeignTiles(t *testing.T) {
	s, k := complete(t)
	k.Identity = map[string]string{"inputs": "abd"}
	other, _ := kernelOf[float32](t, k)
	for _, name := range []string{"k/1.0", ".sums/k/1.0"} {
		content, err := os.ReadFile(filepath.Join(other.Dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(s.Dir, name), content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := inspect(s.Dir); err == nil || !strings.Contains(err.Error(), "k/1.0 is damaged") {
		t.Errorf("error %v", err)
	}
	if err := os.RemoveAll(filepath.Join(s.Dir, ".sums")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.Dir); err == nil || !strings.Contains(err.Error(), "from a version without checksums") {
		t.Errorf("error %v", err)
	}
}

// TestOtherLabels checks that a folder is not resumed with other labels, or without labels.
func TestOtherLabels(t *testing.T) {
	s, k := complete(t)
	for _, labels := range [][]int{nil, {0, 1, 2, 0, 1, 2, 4}} {
		other := k
		other.Labels = labels
		if _, err := Create(s.Dir, other); err == nil || !strings.Contains(err.Error(),
			"the examples there have other labels") {
			t.Errorf("labels %v: error %v", labels, err)
		}
	}
}

// TestSha256sum checks that the program sha256sum can read the checksums, as the documentation says.
func TestSha256sum(t *testing.T) {
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip("no sha256sum")
	}
	s, _ := complete(t)
	check := func() error {
		command := exec.Command("sh", "-c", "sha256sum --check --quiet .sums/index .sums/*/*")
		command.Dir = s.Dir
		return command.Run()
	}
	if err := check(); err != nil {
		t.Errorf("of a good store: %v", err)
	}
	if err := os.Truncate(filepath.Join(s.Dir, "k", "0.0"), 3); err != nil {
		t.Fatal(err)
	}
	if err := check(); err == nil {
		t.Error("nothing found in a damaged store")
	}
}
