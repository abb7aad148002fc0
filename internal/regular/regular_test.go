package regular

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestOpen(t *testing.T) {
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	if err := errors.Join(os.WriteFile(at("file"), []byte("text"), 0o644), os.Symlink(at("file"), at("link")),
		syscall.Mkfifo(at("pipe"), 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"file", "link"} {
		f, err := Open(at(name))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(f); string(text) != "text" || err != nil {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		f.Close()
	}
	for path, want := range map[string]string{at("pipe"): "is a named pipe: want a regular file", folder: "is a folder",
		"/dev/zero": "is a device"} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path+" "+want) {
			t.Errorf("%s: error %v, want %q", path, err, want)
		}
	}
	if _, err := Open(at("none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if text, err := ReadFile(at("file"), 4); string(text) != "text" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := ReadFile(at("file"), 3); err == nil || !strings.Contains(err.Error(), "more than 3 bytes") {
		t.Errorf("too large: %v", err)
	}
}
