package vision

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/internal/blobs"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// damages are changes of a file that a disk, a full file system or a user's mistake can cause.
func damages(whole []byte, random *rand.Rand) map[string][]byte {
	flipped := bytes.Clone(whole)
	flipped[random.IntN(len(whole))] ^= 1 << random.IntN(8)
	other := bytes.Clone(whole)
	for i := range min(64, len(other)) {
		other[i] = byte(random.Uint32())
	}
	return map[string][]byte{
		"one bit": flipped, "cut off": whole[:random.IntN(len(whole))], "emptied": nil,
		"doubled":       append(bytes.Clone(whole), whole...),
		"another start": other,
	}
}

// TestDamagedRunIsRefused checks that after any damage to any file of a run, the run is not resumed, does not count as
// finished, and is not drawn, and that the error names the file and the remedy.
func TestDamagedRunIsRefused(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	data := blobs.Data(320, 20)
	random := rand.New(rand.NewPCG(3, 1))
	for _, interrupted := range []bool{false, true} {
		training := small("pal")
		training.Epochs, training.Folder = 2, filepath.Join(t.TempDir(), "run")
		ctx, cancel := context.WithCancel(context.Background())
		training.Report = func(p Progress) {
			if interrupted && p.Step == 13 {
				cancel()
			}
		}
		if _, err := training.Run(ctx, backend, data); (err != nil) != interrupted {
			t.Fatal(err)
		}
		training.Report = nil
		kinds := []string{CheckpointFile}
		if !interrupted {
			kinds = append(kinds, LogFile, OutcomeFile)
		}
		for _, name := range kinds {
			path := filepath.Join(training.Folder, name)
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for range 40 {
				for damage, content := range damages(whole, random) {
					if err := os.WriteFile(path, content, 0o644); err != nil {
						t.Fatal(err)
					}
					_, err := training.Run(context.Background(), backend, data)
					if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "emove ") {
						t.Fatalf("%s, %s: error %v", name, damage, err)
					}
					if name == CheckpointFile {
						continue
					}
					if _, err := ReadOutcomes(filepath.Dir(training.Folder)); err == nil {
						t.Fatalf("%s, %s: its outcome can be read", name, damage)
					}
				}
			}
			if err := os.WriteFile(path, whole, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := training.Run(context.Background(), backend, data); err != nil {
			t.Errorf("mended, but %v", err)
		}
	}
}

// TestRunKnowsItsData checks that a run is resumed, and counts as finished, only with the images and labels that it
// began with. Runs on data of the same name and size that differ in one value are two setups.
func TestRunKnowsItsData(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	training := small("pal")
	training.Epochs, training.Folder = 2, filepath.Join(root, "first")
	ctx, cancel := context.WithCancel(context.Background())
	training.Report = func(p Progress) {
		if p.Step == 13 {
			cancel()
		}
	}
	if _, err := training.Run(ctx, backend, blobs.Data(320, 20)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	training.Report = nil
	relabelled, repainted, retested := blobs.Data(320, 20), blobs.Data(320, 20), blobs.Data(320, 20)
	relabelled.Train.Labels[7] = (relabelled.Train.Labels[7] + 1) % 3
	repainted.Train.Pixels[5]++
	retested.Test.Labels[3] = (retested.Test.Labels[3] + 1) % 3
	renamed := blobs.Data(320, 20)
	renamed.Folder, renamed.Classes = "elsewhere", []string{"x", "y", "z"}
	refused := func() {
		for i, other := range []*struct{ run func() error }{
			{func() error { _, err := training.Run(context.Background(), backend, relabelled); return err }},
			{func() error { _, err := training.Run(context.Background(), backend, repainted); return err }},
			{func() error { _, err := training.Run(context.Background(), backend, retested); return err }},
		} {
			if err := other.run(); err == nil || !strings.Contains(err.Error(), "Data was ") {
				t.Errorf("data %d: error %v", i, err)
			}
		}
	}
	refused()
	if _, err := training.Run(context.Background(), backend, renamed); err != nil {
		t.Fatal(err)
	}
	refused()
	training.Folder = filepath.Join(root, "second")
	if _, err := training.Run(context.Background(), backend, relabelled); err != nil {
		t.Fatal(err)
	}
	outcomes, err := ReadOutcomes(root)
	if err != nil || len(outcomes) != 2 { // two separate runs, and not a repeated one
		t.Errorf("%d outcomes, error %v", len(outcomes), err)
	}
}

// TestOldCheckpointIsRefused checks that a checkpoint of the version without checksums is refused with a reason.
func TestOldCheckpointIsRefused(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	training := small("pal")
	training.Folder = t.TempDir()
	path := filepath.Join(training.Folder, CheckpointFile)
	// A checkpoint without a checksum begins with these bytes of gob.
	if err := os.WriteFile(path, append([]byte("\x0f\x7f\x03\x01\x01\x06header\x01\xff\x80"), make([]byte, 200)...),
		0o644); err != nil {
		t.Fatal(err)
	}
	_, err = training.Run(context.Background(), backend, blobs.Data(320, 20))
	if err == nil || !strings.Contains(err.Error(), "an earlier version wrote this checkpoint, without a checksum") ||
		strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}
