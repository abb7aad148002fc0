package vision

import (
	"bufio"
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/internal/blobs"
	"github.com/unhinged-lab/lab/unhinged"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
)

// small is a training that takes a fraction of a second.
func small(method string) Training {
	m, err := MethodNamed(method)
	if err != nil {
		panic(err)
	}
	return Training{Method: m, Model: MLP(16, 8), Epochs: 6, Batch: 32, LearningRate: 0.1, Momentum: 0.9,
		WeightDecay: 5e-4, Seed: 1}
}

// unbounded reports whether the method's loss has no lower bound, because its prototypes are trained and its logits
// linear.
func unbounded(m Method) bool {
	_, linear := m.Criterion.(unhinged.Loss)
	return linear && m.Head.Prototypes != unhinged.ETF
}

func TestEveryMethodLearns(t *testing.T) {
	data := blobs.Data(330, 200) // 10 batches, and 10 images that are left out
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		for _, m := range Methods() {
			if unbounded(m) {
				continue
			}
			steps := 0
			training := small(m.Name)
			training.Report = func(p Progress) {
				steps++
				if p.Step != int64(steps) || p.Steps != 60 || (p.Record != nil) != (steps%10 == 0) ||
					p.Epoch != (steps-1)/10+1 {
					t.Fatalf("%s: step %d reports %+v", m.Name, steps, p)
				}
			}
			records, err := training.Run(context.Background(), backend, data)
			if err != nil {
				t.Fatal(err)
			}
			if len(records) != 6 || steps != 60 {
				t.Fatalf("%s: %d records and %d steps, should be 6 and 60", m.Name, len(records), steps)
			}
			first, last := records[0], records[5]
			if last.Epoch != 6 || last.LearningRate != 0 || last.Step != 60 {
				t.Errorf("%s: the last record is %+v", m.Name, last)
			}
			if last.ValidationAccuracy < 0.95 {
				t.Errorf("%s: validation accuracy %.3f on classes that are easily told apart", m.Name,
					last.ValidationAccuracy)
			}
			if !(last.WithinClass < first.WithinClass) {
				t.Errorf("%s: within-class variability went from %.3g to %.3g, it should fall", m.Name,
					first.WithinClass, last.WithinClass)
			}
			if m.Head.Prototypes == unhinged.ETF {
				if math.Abs(last.PrototypeMax-1) > 1e-6 || math.Abs(last.PrototypeMin-1) > 1e-6 ||
					math.Abs(float64(last.PrototypeAngle)-120) > 1e-3 {
					t.Errorf("%s: prototypes of norm %g to %g and angle %g°, should be the simplex ETF of 3 classes",
						m.Name, last.PrototypeMin, last.PrototypeMax, last.PrototypeAngle)
				}
			} else if last.PrototypeMax == first.PrototypeMax {
				t.Errorf("%s: the prototypes were not trained", m.Name)
			}
		}
	})
}

// TestFeatureRegularization checks that the λ of the sum over the batch makes the features smaller.
func TestFeatureRegularization(t *testing.T) {
	data := blobs.Data(320, 100)
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		var norms []float64
		for _, lambda := range []float64{0, 1e-3} {
			training := small("pal")
			training.Method.Head.FeatureRegularization = lambda
			records, err := training.Run(context.Background(), backend, data)
			if err != nil {
				t.Fatal(err)
			}
			norms = append(norms, records[5].FeatureNorm2)
		}
		if !(norms[1] < norms[0]/2) {
			t.Errorf("‖H‖² is %.4g without and with λ = 1e-3", norms)
		}
	})
}

func TestPlainUnhingedBlowsUp(t *testing.T) {
	data := blobs.Data(320, 100)
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		training := small("ul")
		training.Epochs, training.RecordsPerEpoch, training.Folder = 60, 2, t.TempDir()
		records, err := training.Run(context.Background(), backend, data)
		var diverged *Diverged
		if !errors.As(err, &diverged) || !strings.Contains(err.Error(), "norms blew up") ||
			strings.Contains(err.Error(), "\n") {
			t.Fatalf("error %v, should be a *Diverged that says that the norms blew up", err)
		}
		if !diverged.Last.blewUp(diverged.First) || diverged.Step >= 600 || len(records) == 0 {
			t.Errorf("%+v after %d records", diverged, len(records))
		}
		for _, r := range records {
			if !isFinite(r.TrainLoss) || !isFinite(r.FeatureNorm2) {
				t.Errorf("a record of what is not finite: %+v", r)
			}
		}
		// The failed run is final: it is not trained again, and the outcome gives the reason.
		training.Report = func(Progress) { t.Error("a step after the end") }
		again, err := training.Run(context.Background(), backend, data)
		if !errors.As(err, &diverged) || len(again) != len(records) {
			t.Errorf("run again: %d records, error %v", len(again), err)
		}
		outcomes, err := ReadOutcomes(filepath.Dir(training.Folder))
		if err != nil || len(outcomes) != 1 || outcomes[0].Diverged == nil || *outcomes[0].Diverged != *diverged ||
			len(outcomes[0].Records) != len(records) {
			t.Errorf("outcomes %+v, error %v", outcomes, err)
		}
	})
}

func TestTooHighALearningRate(t *testing.T) {
	data := blobs.Data(320, 100)
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		training := small("ce")
		training.LearningRate = 1e25
		_, err := training.Run(context.Background(), backend, data)
		var diverged *Diverged
		if !errors.As(err, &diverged) || diverged.Step > 3 || !strings.Contains(err.Error(), "no longer finite") ||
			!strings.Contains(err.Error(), "lower learning rate") {
			t.Errorf("error %v, should be a *Diverged that says so at the first steps", err)
		}
	})
	// The runs are CE with a rate of 1e6 and plain UL with a rate of 10, both on Fashion-MNIST. Their norms grow very
	// large before any number overflows.
	for message, d := range map[string]Diverged{
		"lower learning rate": {First: StepSummary{2.33, 179, 0.602}, Last: StepSummary{1.68e20, 1.06e12, 2.43e10}},
		"anchor the prototypes": {First: StepSummary{-0.0404, 79.7, 0.602}, Last: StepSummary{-7.27e15, 1.17e9,
			1.27e8}},
	} {
		if !strings.Contains(d.Error(), "norms blew up") || !strings.Contains(d.Error(), message) {
			t.Errorf("%q should say %q", d.Error(), message)
		}
	}
}

// TestNotFiniteFromTheStart: either the loss is infinite in the first step, or the prototypes are infinite after it,
// which the record shows. In both cases, the error names the first step, and the outcome is written.
func TestNotFiniteFromTheStart(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	data := blobs.Data(320, 100)
	for message, change := range map[string]func(*Training){
		"too large for the numbers": func(t *Training) { t.Method.Head.FeatureRegularization = 1e38 },
		"lower learning rate":       func(t *Training) { t.LearningRate, t.RecordsPerEpoch = 3e38, 10 },
	} {
		training := small("ce")
		training.Folder = filepath.Join(t.TempDir(), "run")
		change(&training)
		for range 2 { // the first pass trains, the second reads
			_, err := training.Run(context.Background(), backend, data)
			var diverged *Diverged
			if !errors.As(err, &diverged) || diverged.Step != 1 || diverged.Epoch != 1 || !strings.Contains(err.Error(),
				message) {
				t.Errorf("error %v, should be a *Diverged of step 1 that says %q", err, message)
			}
			if outcomes, err := ReadOutcomes(filepath.Dir(training.Folder)); err != nil || len(outcomes) != 1 ||
				outcomes[0].Diverged == nil || len(outcomes[0].Records) != 0 {
				t.Errorf("outcomes %+v, error %v", outcomes, err)
			}
		}
	}
}

func TestRefusedSettings(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	for message, change := range map[string]func(*Training){
		"0 epochs":             func(t *Training) { t.Epochs = 0 },
		"batches of 41 images": func(t *Training) { t.Batch = 41 },
		"batches of 1 images":  func(t *Training) { t.Batch = 1 },
		"learning rate NaN":    func(t *Training) { t.LearningRate = math.NaN() },
		"momentum 1":           func(t *Training) { t.Momentum = 1 },
		"weight decay -1":      func(t *Training) { t.WeightDecay = -1 },
		"9 records an epoch":   func(t *Training) { t.RecordsPerEpoch = 9 },
		"8 images in 3 parts":  func(t *Training) { t.MicroBatches = 3 },
		"8 images in 8 parts":  func(t *Training) { t.MicroBatches = 8 },
		"a shift of up to -1":  func(t *Training) { t.Augmentation.Shift = -1 },
		"41 training images":   func(t *Training) { t.Probe = 41 },
	} {
		training := small("ce")
		training.Batch = 8
		change(&training)
		if _, err := training.Run(context.Background(), backend, blobs.Data(40, 10)); err == nil ||
			!strings.Contains(err.Error(), message) {
			t.Errorf("error %v, should say %q", err, message)
		}
	}
	if _, err := MethodNamed("sgd"); err == nil || !strings.Contains(err.Error(),
		"ce, pal, pal-efr, fnpal, fnpal-rlr, ul") {
		t.Errorf("error %v", err)
	}
}

func TestCheckpointOfAnotherRunIsRefused(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	training := small("pal")
	training.Epochs, training.Folder = 1, t.TempDir()
	if _, err := training.Run(context.Background(), backend, blobs.Data(320, 10)); err != nil {
		t.Fatal(err)
	}
	training.LearningRate, training.Epochs = 0.2, 2
	_, err = training.Run(context.Background(), backend, blobs.Data(320, 10))
	if err == nil || !strings.Contains(err.Error(), "Epochs was 1 and is now 2, LearningRate was 0.1 and is now 0.2") {
		t.Errorf("error %v", err)
	}
	path := filepath.Join(training.Folder, CheckpointFile)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	training = small("pal")
	training.Epochs, training.Folder = 1, filepath.Dir(path)
	// With the outcome, the checkpoint would not be read.
	if err := os.Remove(filepath.Join(training.Folder, OutcomeFile)); err != nil {
		t.Fatal(err)
	}
	training.WeightDecay = 0
	if _, err := training.Run(context.Background(), backend, blobs.Data(320, 10)); err == nil ||
		!strings.Contains(err.Error(),
			CheckpointFile+" is of a run with other settings: WeightDecay was 0.0005 and is now 0") {
		t.Errorf("error %v", err)
	}
	training.WeightDecay = 5e-4
	for _, broken := range [][]byte{nil, content[:100], content[:len(content)-1]} {
		os.WriteFile(path, broken, 0o644)
		if _, err := training.Run(context.Background(), backend, blobs.Data(320, 10)); err == nil ||
			!strings.Contains(err.Error(), "to start the run again") {
			t.Errorf("a checkpoint cut to %d bytes: error %v", len(broken), err)
		}
	}
}

// TestFinishedRunNeedsNoCheckpoint checks that a folder in its published form, without the checkpoint, is not trained
// again.
func TestFinishedRunNeedsNoCheckpoint(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	training := small("pal")
	training.Epochs, training.Folder = 2, t.TempDir()
	want, err := training.Run(context.Background(), backend, blobs.Data(320, 10))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(training.Folder, CheckpointFile)); err != nil {
		t.Fatal(err)
	}
	training.Report = func(Progress) { t.Error("a step after the end") }
	done, err := training.Finished(backend, blobs.Data(320, 10))
	if err != nil || done == nil || len(done.Records) != 2 {
		t.Fatalf("outcome %+v, error %v", done, err)
	}
	got, err := training.Run(context.Background(), backend, blobs.Data(320, 10))
	if err != nil || len(got) != 2 || got[1].TrainLoss != want[1].TrainLoss {
		t.Errorf("records %+v, error %v", got, err)
	}
	training.WeightDecay = 0
	if _, err := training.Run(context.Background(), backend, blobs.Data(320, 10)); err == nil ||
		!strings.Contains(err.Error(), "WeightDecay was 0.0005 and is now 0") {
		t.Errorf("error %v", err)
	}
}

// TestRunIsTrainedOnce checks that while one training runs in a folder, a second one is refused there, but no longer
// after the first has ended. Until then, the folder has no finished run.
func TestRunIsTrainedOnce(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	data := blobs.Data(320, 10)
	training := small("pal")
	training.Epochs, training.Folder = 1, t.TempDir()
	second := training
	steps := 0
	training.Report = func(p Progress) {
		steps++
		if _, err := second.Run(context.Background(), backend, data); !errors.Is(err, ErrElsewhere) {
			t.Fatalf("step %d: error %v", steps, err)
		}
		if done, err := second.Finished(backend, data); done != nil || err != nil {
			t.Fatalf("step %d: finished %+v, error %v", steps, done, err)
		}
	}
	want, err := training.Run(context.Background(), backend, data)
	if err != nil || steps != 10 {
		t.Fatalf("%d steps, error %v", steps, err)
	}
	if got, err := second.Run(context.Background(), backend, data); err != nil || len(got) != 1 ||
		got[0].TrainLoss != want[0].TrainLoss {
		t.Errorf("records %+v, error %v", got, err)
	}
	// A refused run leaves no file.
	second.Epochs, second.Folder = 0, filepath.Join(second.Folder, "none")
	if _, err := second.Run(context.Background(), backend, data); err == nil {
		t.Error("no epochs, no error")
	}
	if _, err := os.Stat(second.Folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder: %v", err)
	}
}

// state returns the end of a run, bit by bit: its log and every variable.
func state(t *testing.T, folder string) string {
	t.Helper()
	var all bytes.Buffer
	log, err := os.ReadFile(filepath.Join(folder, LogFile))
	if err != nil {
		t.Fatal(err)
	}
	all.Write(log)
	c, err := loadCheckpoint(filepath.Join(folder, CheckpointFile))
	if err != nil || c == nil {
		t.Fatalf("checkpoint %v, error %v", c, err)
	}
	fmt.Fprintln(&all, c.Step, c.Paths)
	for _, path := range c.Paths {
		var value bytes.Buffer
		if err := c.variables[path].GobSerialize(gob.NewEncoder(&value)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s %x\n", path, value.Bytes())
	}
	return all.String()
}

func TestCancelledRunGoesOn(t *testing.T) {
	data := blobs.Data(320, 50)
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		whole, parts := small("ce"), small("ce")
		whole.Folder, parts.Folder = t.TempDir(), t.TempDir()
		whole.RecordsPerEpoch, parts.RecordsPerEpoch = 3, 3
		whole.MicroBatches, parts.MicroBatches = 2, 2
		whole.Augmentation.Shift, parts.Augmentation.Shift = 1, 1
		want, err := whole.Run(context.Background(), backend, data)
		if err != nil {
			t.Fatal(err)
		}
		var last int64
		stops := []int64{1, 17, 40}  // at the start, between two records, at an epoch's end
		if backend.Name() == "xla" { // XLA compiles for seconds
			stops = stops[1:2]
		}
		for _, stop := range stops {
			ctx, cancel := context.WithCancel(context.Background())
			parts.Report = func(p Progress) {
				if p.Step != last+1 {
					t.Fatalf("step %d follows step %d", p.Step, last)
				}
				if last = p.Step; last == stop {
					cancel()
				}
			}
			if _, err := parts.Run(ctx, backend, data); !errors.Is(err, context.Canceled) ||
				!strings.Contains(err.Error(), fmt.Sprintf("after step %d of 60", stop)) {
				t.Fatalf("error %v", err)
			}
		}
		// If the run is cancelled again before a step, the checkpoint stays the same.
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := parts.Run(ctx, backend, data); !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v", err)
		}
		got, err := parts.Run(context.Background(), backend, data)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d records, error %v", len(got), err)
		}
		if state(t, parts.Folder) != state(t, whole.Folder) {
			t.Errorf("a run stopped after steps %d ends with other bits", stops)
		}
	})
}

// TestKilledRunEndsWithTheSameBits repeatedly kills a process of this test's program, at random moments and without a
// chance to save, until one process finishes.
func TestKilledRunEndsWithTheSameBits(t *testing.T) {
	if folder := os.Getenv("UNHINGED_TEST_RUN"); folder != "" {
		runToBeKilled(t, folder)
		return
	}
	seed := rand.Uint64()
	t.Logf("moments drawn from seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		// start runs a child until it has reported the given number of steps, and then kills it. With a negative
		// number, the child runs to its end.
		start := func(folder string, steps int) (reported int) {
			child := exec.Command(os.Args[0], "-test.run=^TestKilledRunEndsWithTheSameBits$")
			child.Env = append(os.Environ(), "UNHINGED_TEST_RUN="+folder, "UNHINGED_TEST_BACKEND="+backend.Name())
			var stderr bytes.Buffer
			child.Stderr = &stderr
			stdout, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			for lines := bufio.NewScanner(stdout); lines.Scan(); {
				if !strings.HasPrefix(lines.Text(), "step ") {
					continue
				}
				if reported++; reported == steps {
					if err := child.Process.Kill(); err != nil { // SIGKILL
						t.Fatal(err)
					}
					break
				}
			}
			io.Copy(io.Discard, stdout)
			if err := child.Wait(); steps < 0 && err != nil {
				t.Fatalf("the child ended with %v: %s", err, stderr.String())
			}
			return reported
		}
		whole, killed := t.TempDir(), t.TempDir()
		total := start(whole, -1)
		if total != 200 {
			t.Fatalf("%d steps, should be 200", total)
		}
		kills := 3
		if backend.Name() == "xla" { // XLA compiles for seconds
			kills = 1
		}
		for range kills {
			start(killed, 10+rng.IntN(150/kills)) // the first checkpoint is written at step 10
		}
		if left := start(killed, -1); left >= total {
			t.Errorf("the last process did all %d steps: nothing was resumed", left)
		}
		if state(t, killed) != state(t, whole) {
			t.Errorf("a run killed %d times ends with other bits", kills)
		}
	})
}

func runToBeKilled(t *testing.T, folder string) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		if backend.Name() != os.Getenv("UNHINGED_TEST_BACKEND") {
			return
		}
		training := small("pal-efr")
		training.Model = resNet("tiny", 2, 3, plainBlock, 1) // includes convolutions and batch normalisation of images
		training.Augmentation = datasets.Augmentation{Shift: 1, Flip: true}
		training.Epochs, training.Folder = 20, folder
		training.Report = func(p Progress) { fmt.Println("step", p.Step) }
		if _, err := training.Run(context.Background(), backend, blobs.Data(320, 50)); err != nil {
			t.Fatal(err)
		}
	})
}
