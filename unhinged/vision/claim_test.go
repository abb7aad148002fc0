package vision

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhinged-lab/lab/internal/blobs"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// TestClaimFolder checks that a run that another process has claimed is not trained, and that an expired claim of a
// killed process does not prevent training.
func TestClaimFolder(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, claimName+".1")
	if err := os.WriteFile(path, []byte("held 1 1 elsewhere\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := claimFolder(folder); !errors.Is(err, ErrElsewhere) || !strings.Contains(err.Error(),
		"process 1 on elsewhere") {
		t.Errorf("error %v", err)
	}
	if err := (Training{Folder: folder}).Elsewhere(); !errors.Is(err, ErrElsewhere) {
		t.Errorf("error %v", err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if err := (Training{Folder: folder}).Elsewhere(); err != nil {
		t.Error(err)
	}
	claim, err := claimFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	claim.Release()
	if _, err := claimFolder(filepath.Join(folder, "missing")); err == nil || errors.Is(err, ErrElsewhere) ||
		!strings.Contains(err.Error(), "cannot be claimed") {
		t.Errorf("error %v", err)
	}
}

// TestTakenOver checks that a process whose run was taken over writes no more files.
func TestTakenOver(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	training := small("pal")
	training.Folder = t.TempDir()
	training.Report = func(p Progress) {
		if p.Step == 1 {
			if err := os.WriteFile(filepath.Join(training.Folder, claimName+".2"), nil, 0o644); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := training.Run(t.Context(), backend, blobs.Data(320, 10)); !errors.Is(err, ErrElsewhere) {
		t.Errorf("error %v", err)
	}
	for _, name := range []string{CheckpointFile, LogFile, OutcomeFile} {
		if _, err := os.Stat(filepath.Join(training.Folder, name)); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}
