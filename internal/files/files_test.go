package files

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

const title = "test 1"

func seal(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := WriteSealed(path, title, func(out io.Writer) error {
		_,
			err := out.Write(content)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func unseal(path string) ([]byte, error) {
	in, err := OpenSealed(path, title)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(in)
}

// Reading a sealed file returns what was written, or an error after any change of a byte, any truncation and any
// addition.
func TestSealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	random := rand.New(rand.NewPCG(1, 0))
	for _, n := range []int{0, 1, 31, 33, 3000} {
		content := make([]byte, n)
		for i := range content {
			content[i] = byte(random.Uint32())
		}
		seal(t, path, content)
		if got, err := unseal(path); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("%d bytes: %v", n, err)
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		refused := func(what string, changed []byte) {
			if err := os.WriteFile(path, changed, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := unseal(path); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrUnsealed) {
				t.Errorf("%d bytes, %s: %v", n, what, err)
			}
		}
		for range 200 {
			changed := bytes.Clone(whole)
			changed[random.IntN(len(whole))] ^= 1 << random.IntN(8)
			refused("one bit", changed)
			refused("truncated", whole[:random.IntN(len(whole))])
			refused("longer", append(bytes.Clone(whole), byte(random.Uint32())))
		}
	}
}

// A write that fails leaves the old file unchanged and no other file.
func TestWriteFails(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	seal(t, path, []byte("old"))
	wrong := errors.New("wrong")
	if err := Write(path, func(out io.Writer) error { out.Write([]byte("new")); return wrong }); !errors.Is(err,
		wrong) {
		t.Errorf("got %v", err)
	}
	if got, err := unseal(path); err != nil || string(got) != "old" {
		t.Errorf("%q, %v", got, err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

// Only the temporary files of killed processes are removed.
func TestRemoveTemporary(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"log.jsonl", "log.jsonl.123.tmp", "checkpoint.gob.7.tmp"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	RemoveTemporary(folder)
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 || entries[0].Name() != "log.jsonl" {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestWriteTogether checks that if several goroutines write one path at the same time, each succeeds, and the file has
// the content of one of them.
func TestWriteTogether(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 20 {
				if err := WriteBytes(path, bytes.Repeat([]byte{byte(i)}, 100_000)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	got, err := os.ReadFile(path)
	if err != nil || len(got) != 100_000 || !bytes.Equal(got, bytes.Repeat(got[:1], len(got))) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}
