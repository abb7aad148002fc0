package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A build can have one backend or both. For each backend, doctor must report what the test's own attempt finds, and it
// must succeed if at least one works.
func TestDoctor(t *testing.T) {
	var out strings.Builder
	if err := doctor(&out); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"ok       go ", "xla:cpu ", "xla:cuda ", "ok       kernel ", "mnist ",
		"fashion-mnist "} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in\n%s", line, out.String())
		}
	}
	for config, line := range map[string]string{"": "ok       xla:cpu", "xla:cuda": "ok       xla:cuda"} {
		if _, err := xlaPlugin(config); (err == nil) != strings.Contains(out.String(), line) {
			t.Errorf("XLA's error is %v, yet doctor says\n%s", err, out.String())
		}
	}
}

func TestDoctorOutsideTheCheckout(t *testing.T) {
	t.Chdir(t.TempDir())
	var out strings.Builder
	if err := doctor(&out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "missing  notebooks") {
		t.Errorf("no word about the missing checkout in\n%s", out.String())
	}
}

func TestFindCheckout(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := findCheckout(); err != nil || got != root {
		t.Errorf("from cmd/unhinged: %q, %v; want %q", got, err, root)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "go.mod"), []byte("module example.org/other\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(other)
	if got, err := findCheckout(); err == nil {
		t.Errorf("in another module: %q, want an error", got)
	}
}
