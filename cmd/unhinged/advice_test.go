package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A message that names commands says how to start them, unless unhinged is on PATH.
func TestAdvice(t *testing.T) {
	const plain, named = "no such file", "no runs; `unhinged train` makes them"
	folder := t.TempDir()
	t.Setenv("PATH", folder)
	defer func(before string) { os.Args[0] = before }(os.Args[0])
	for started, want := range map[string]string{
		"bin/unhinged":                             "bin/unhinged",
		"/tmp/go-build123/b001/exe/unhinged":       "go run ./cmd/unhinged",
		"C:\\go-build123\\b001\\exe\\unhinged.exe": "go run ./cmd/unhinged",
	} {
		os.Args[0] = started
		if got := advice(plain); got != plain {
			t.Errorf("%q", got)
		}
		if got := advice(named); got != named+" (unhinged is not on PATH here: write "+want+" in its place)" {
			t.Errorf("%q", got)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "unhinged"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := advice(named); got != named {
		t.Errorf("%q", got)
	}
}
