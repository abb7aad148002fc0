package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// call runs a subcommand and returns its output.
func call(ctx context.Context, c *cobra.Command, args ...string) (string, error) {
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&out)
	c.SilenceUsage, c.SilenceErrors = true, true
	c.SetArgs(args)
	err := c.ExecuteContext(ctx)
	return out.String(), err
}

// smallData returns a folder with 60 training and 20 test images of 3×3 in 3 classes; each image has one bright row.
func smallData(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "rows")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int{"train": 60, "t10k": 20} {
		var pixels, labels []uint8
		for i := range n {
			label := i % 3
			labels = append(labels, uint8(label))
			for row := range 3 {
				for column := range 3 {
					value := uint8((i*7 + row*5 + column*3) % 40)
					if row == label {
						value += 200
					}
					pixels = append(pixels, value)
				}
			}
		}
		for kind, content := range map[string]struct {
			sizes  []int
			values []uint8
		}{"images-idx3": {[]int{n, 3, 3}, pixels}, "labels-idx1": {[]int{n}, labels}} {
			var file bytes.Buffer
			if err := datasets.WriteIDX(&file, content.sizes, content.values); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, name+"-"+kind+"-ubyte"), file.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return folder
}

// TestTablesOfImbalance checks that the tables of imbalance are drawn only from runs on classes of unequal sizes.
func TestTablesOfImbalance(t *testing.T) {
	data := smallData(t)
	for subset, want := range map[string]bool{"--imbalance=long-tailed:4": true, "--known=0,1": false} {
		out := t.TempDir()
		printed, err := call(t.Context(), trainCommand(), "--dataset", data, "--out", out, "--method", "ce", subset,
			"--epochs", "1", "--batch", "10", "--hidden", "4", "--backend", "go")
		if err != nil {
			t.Fatal(err, printed)
		}
		if _, err := os.Stat(filepath.Join(out, "table2.json")); (err == nil) != want {
			t.Errorf("%s: table 2 is drawn: %v, want %v", subset, err == nil, want)
		}
	}
}

func TestTrainWritesSkipsAndResumes(t *testing.T) {
	data, out := smallData(t), t.TempDir()
	args := []string{"--dataset", data, "--out", out, "--method", "ce,pal,ul", "--seeds", "2", "--epochs", "8",
		"--batch", "20", "--hidden", "8,4", "--records", "1", "--backend", "go"}
	printed, err := call(t.Context(), trainCommand(), args...)
	if err != nil {
		t.Fatal(err, printed)
	}
	for _, want := range []string{"rows: 60 training and 20 test images of 3×3", "ce-seed1, epoch 8 of 8",
		"pal-seed2, epoch 8 of 8", "comparable to CE or better: accuracy of UL (PAL) − that of CE"} {
		if !strings.Contains(printed, want) {
			t.Errorf("printed without %q:\n%s", want, printed)
		}
	}
	outcomes, err := vision.ReadOutcomes(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(outcomes) != 6 || outcomes[0].Settings.Method != "ce" || outcomes[3].Settings.Seed != 2 ||
		!strings.Contains(outcomes[0].Provenance.Command, filepath.Base(os.Args[0])) {
		t.Errorf("outcomes %+v", outcomes)
	}
	for _, o := range outcomes {
		if o.Settings.Method == "ce" && o.Records[7].ValidationAccuracy < 0.9 {
			t.Errorf("CE, seed %d: accuracy %.3f on three patterns", o.Settings.Seed, o.Records[7].ValidationAccuracy)
		}
	}
	var figure result.Figure
	content, err := os.ReadFile(filepath.Join(out, "fig2.json"))
	if err == nil {
		err = json.Unmarshal(content, &figure)
	}
	if err != nil || len(figure.Curves) != 2 || len(figure.Claims) == 0 {
		t.Errorf("fig2.json has %d curves and %d claims, error %v", len(figure.Curves), len(figure.Claims), err)
	}
	for _, name := range []string{"fig2.svg", "fig12.svg", "fig14.svg", "fig19.svg", "neural-collapse.svg"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}

	// A second call trains nothing again. A call with other settings is refused.
	if printed, err = call(t.Context(), trainCommand(), args...); err != nil || strings.Contains(printed, "epoch") ||
		!strings.Contains(printed,
			"finished before, 6 of 6 runs: ce-seed1, pal-seed1, ul-seed1, ce-seed2, pal-seed2, ul-seed2\n") {
		t.Errorf("run again, error %v, it printed:\n%s", err, printed)
	}
	if _, err = call(t.Context(), trainCommand(), append(args, "--lr", "0.2")...); err == nil ||
		!strings.Contains(err.Error(), "LearningRate was 0.1 and is now 0.2") {
		t.Errorf("error %v", err)
	}

	// A run that is cancelled before its first step is saved, and the command says so.
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = call(cancelled, trainCommand(), append(args, "--seeds", "3")...); !errors.Is(err, context.Canceled) ||
		!strings.Contains(err.Error(), "the same command goes on from there") {
		t.Errorf("error %v", err)
	}
	if _, err = call(t.Context(), trainCommand(), append(args, "--seeds", "3")...); err != nil {
		t.Error(err)
	}
}

// TestTrainTask checks that a task begins with the runs of its own share, leaves runs that others have claimed, then
// does the remaining ones, and waits for a run of its own share whose claim has not expired.
func TestTrainTask(t *testing.T) {
	data, out := smallData(t), t.TempDir()
	args := []string{"--dataset", data, "--out", out, "--method", "ce,pal", "--seeds", "2", "--epochs", "1", "--batch",
		"20", "--hidden", "4", "--backend", "go", "--task", "2/2"}
	printed, err := call(t.Context(), trainCommand(), append(args, "--list")...)
	if want := "1 of 2  ce-seed1  not finished\n2 of 2  pal-seed1  not finished\n1 of 2  ce-seed2  not finished\n" +
		"2 of 2  pal-seed2  not finished\n"; err != nil || printed != want {
		t.Errorf("error %v, printed\n%s", err, printed)
	}
	claim := func(run string) string {
		folder := filepath.Join(out, run)
		path := filepath.Join(folder, ".claim.1")
		if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(path, []byte("held 1 1 elsewhere\n"),
			0o644)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	own := claim("pal-seed1")
	claim("ce-seed2")
	finished := func(run string) bool {
		_, err := os.Stat(filepath.Join(out, run, vision.OutcomeFile))
		return err == nil
	}
	type result struct {
		printed string
		err     error
	}
	end := make(chan result)
	go func() {
		printed, err := call(t.Context(), trainCommand(), args...)
		end <- result{printed, err}
	}()
	for i := 0; !finished("pal-seed2") || !finished("ce-seed1"); i++ {
		if time.Sleep(50 * time.Millisecond); i > 400 {
			t.Fatal("what is not claimed is not finished")
		}
	}
	select {
	case r := <-end:
		t.Fatalf("it did not wait for its own run: %v\n%s", r.err, r.printed)
	case <-time.After(2 * waitForOthers):
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(own, old, old); err != nil {
		t.Fatal(err)
	}
	r := <-end
	if r.err != nil || !finished("pal-seed1") || finished("ce-seed2") ||
		!strings.Contains(r.printed, "ce-seed2: another process is training this run") {
		t.Errorf("error %v, printed\n%s", r.err, r.printed)
	}
	printed, err = call(t.Context(), trainCommand(), append(args, "--list")...)
	if err != nil || strings.Count(printed, "  finished\n") != 3 || !strings.Contains(printed,
		"1 of 2  ce-seed2  not finished\n") {
		t.Errorf("error %v, printed\n%s", err, printed)
	}
	for _, task := range []string{"0/2", "3/2", "1", "x/2"} {
		if _, err := call(t.Context(), trainCommand(), append(args, "--task", task)...); err == nil ||
			!strings.Contains(err.Error(), "--task "+task+": want k/n") {
			t.Errorf("--task %s: error %v", task, err)
		}
	}
}

// TestCtrlCSaves interrupts the command in a separate process, and then resumes it.
func TestCtrlCSaves(t *testing.T) {
	if args := os.Getenv("UNHINGED_TEST_TRAIN"); args != "" {
		c := trainCommand()
		c.SetArgs(strings.Split(args, "\n"))
		c.SilenceUsage, c.SilenceErrors = true, true
		if err := c.Execute(); err != nil {
			fmt.Println(err)
			os.Exit(3)
		}
		return
	}
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signal that a test could send")
	}
	for name, sent := range map[string]os.Signal{"Ctrl-C": os.Interrupt, "SIGTERM": syscall.SIGTERM,
		"SIGHUP": syscall.SIGHUP} {
		t.Run(name, func(t *testing.T) {
			if signal.Ignored(sent) {
				t.Skip("the test itself was started so that it ignores this signal, as nohup does")
			}
			signalSaves(t, sent)
		})
	}
}

func signalSaves(t *testing.T, sent os.Signal) {
	out := t.TempDir()
	args := []string{"--dataset", smallData(t), "--out", out, "--epochs", "150", "--batch", "20", "--hidden", "8,4",
		"--backend", "go"}
	child := exec.Command(os.Args[0], "-test.run=^TestCtrlCSaves$")
	child.Env = append(os.Environ(), "UNHINGED_TEST_TRAIN="+strings.Join(args, "\n"))
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		fmt.Fprintln(&printed, lines.Text())
		if strings.HasPrefix(lines.Text(), "pal-seed1, epoch 3 of 150") {
			if err := child.Process.Signal(sent); err != nil {
				t.Fatal(err)
			}
		}
	}
	var ended *exec.ExitError
	if err := child.Wait(); !errors.As(err, &ended) || ended.ExitCode() != 3 || !strings.Contains(printed.String(),
		"the same command goes on from there") {
		t.Fatalf("it ended with %v and printed:\n%s", err, printed.String())
	}
	var step int
	if _, after, found := strings.Cut(printed.String(), "stopped after step "); !found {
		t.Fatal(printed.String())
	} else if _, err := fmt.Sscan(after, &step); err != nil || step < 9 || step >= 450 {
		t.Fatalf("stopped at step %d, error %v", step, err)
	}
	went, err := call(t.Context(), trainCommand(), args...)
	if err != nil {
		t.Fatal(err)
	}
	if first := fmt.Sprintf("epoch %d of 150", step/3+1); !strings.Contains(went, "pal-seed1, "+first) ||
		strings.Count(went, "pal-seed1, epoch") != 150-step/3 {
		t.Errorf("after step %d it should go on with %s; it printed:\n%.500s", step, first, went)
	}
}

// TestProgress checks what is shown of a run, with a terminal and without one.
func TestProgress(t *testing.T) {
	args := []string{"--dataset", smallData(t), "--epochs", "2", "--batch", "20", "--images", "40", "--hidden", "8,4",
		"--backend", "go"}
	printed, err := call(t.Context(), trainCommand(), append(args, "--out", t.TempDir(), "--method", "ul")...)
	if err != nil || strings.Count(printed, "ul-seed1, epoch") != 4 { // one line for each of the few steps
		t.Errorf("error %v, printed:\n%s", err, printed)
	}
	if before, _, _ := strings.Cut(printed, "ul-seed1, epoch"); !strings.Contains(before,
		"1/1 ul-seed1: building the network\n") {
		t.Errorf("before the first step, which compiles, it printed:\n%s", printed)
	}
	if strings.Contains(printed, " 0 images/s") { // a speed that is not known yet must not be shown
		t.Errorf("printed:\n%s", printed)
	}

	script, err := exec.LookPath("script")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("no script of util-linux, which makes a terminal: ", err)
	}
	child := exec.CommandContext(t.Context(), script, "-qec",
		shellLine([]string{os.Args[0], "-test.run=^TestCtrlCSaves$"}), os.DevNull)
	child.Env = append(os.Environ(), "UNHINGED_TEST_TRAIN="+strings.Join(append(args, "--out", t.TempDir(), "--epochs",
		"100"), "\n"))
	began := time.Now()
	seen, err := child.Output()
	if err != nil {
		t.Fatal(err, string(seen))
	}
	// A line that changes is cut off at the terminal's edge, because \r would go back only to the last of several rows.
	moves := strings.Split(string(seen), "\r\033[K\033[?7l1/1 pal-seed1")
	if most := 2 + int(time.Since(began)/(100*time.Millisecond)); len(moves) < 2 || len(moves)-1 > most {
		t.Fatalf("it is shown %d times, should be once to %d times: %q", len(moves)-1, most, seen)
	}
	for _, line := range moves[1:] {
		if shown, _, ends := strings.Cut(line, "\033[?7h"); !ends || strings.Contains(shown, "\n") {
			t.Errorf("%q", line)
		}
	}
}

// TestTrainFromAFile trains what a configuration file says, changed by flags: first one method, then all.
func TestTrainFromAFile(t *testing.T) {
	data, out := smallData(t), t.TempDir()
	file := filepath.Join(t.TempDir(), "rows.json")
	if err := os.WriteFile(file, fmt.Appendf(nil, `{"dataset": %q, "model": "mlp-8-4", "epochs": 5, "batch": 20, "augmentation": {"shift": 1, "flip": false},
		"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 5e-4, "seeds": 2, "methods": [{"name": "ce"}, {"name": "ce", "efr": 1e-3}, {"name": "pal-efr", "efr": 1e-4}]}`, data), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"--config", file, "--out", out, "--backend", "go", "--epochs", "2"}
	runs := func(want string) {
		t.Helper()
		outcomes, err := vision.ReadOutcomes(out)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range outcomes {
			s := o.Settings
			got = append(got, fmt.Sprintf("%s-%d-%g", s.Method, s.Seed, s.Head.FeatureRegularization))
			if s.Epochs != 2 || s.Model != "mlp-8-4" || s.Shift != 1 || s.Batch != 20 {
				t.Errorf("settings %+v", s)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("runs %v, should be %s", got, want)
		}
	}
	for _, step := range []struct {
		flags   []string
		trained int
		runs    string
	}{
		{[]string{"--method", "pal-efr", "--seed", "2"}, 1, "pal-efr-2-0.0001"},
		{[]string{"--method", "pal-efr0.0001,ce-efr0.001", "--seed", "1"}, 2,
			"ce-1-0.001 pal-efr-1-0.0001 pal-efr-2-0.0001"},
		{[]string{"--method", "ce", "--efr", "0", "--seed", "1"}, 1,
			"ce-1-0 ce-1-0.001 pal-efr-1-0.0001 pal-efr-2-0.0001"},
		{nil, 2, "ce-1-0 ce-1-0.001 ce-2-0 ce-2-0.001 pal-efr-1-0.0001 pal-efr-2-0.0001"},
	} {
		if printed, err := call(t.Context(), trainCommand(), append(args, step.flags...)...); err != nil ||
			strings.Count(printed, "epoch 2 of 2") != step.trained {
			t.Fatalf("error %v, printed:\n%s", err, printed)
		}
		runs(step.runs)
	}
}

// TestTrainKnowsItsData checks that a run counts as unfinished if the folder of the same name has other images, or if a
// label in it was corrected.
func TestTrainKnowsItsData(t *testing.T) {
	first, second, out := smallData(t), smallData(t), t.TempDir()
	args := func(data string) []string {
		return []string{"--dataset", data, "--out", out, "--epochs", "1", "--batch", "20", "--hidden", "4", "--backend",
			"go"}
	}
	if _, err := call(t.Context(), trainCommand(), args(first)...); err != nil {
		t.Fatal(err)
	}
	if printed, err := call(t.Context(), trainCommand(), args(second)...); err != nil || !strings.Contains(printed,
		"finished before, 1 of 1") {
		t.Fatalf("a copy of the data is other data: %v, %s", err, printed)
	}
	path := filepath.Join(second, "train-labels-idx1-ubyte")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)-1] = (content[len(content)-1] + 1) % 3
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := call(t.Context(), trainCommand(), args(second)...); err == nil || !strings.Contains(err.Error(),
		"Data was ") {
		t.Errorf("a label was changed: error %v", err)
	}
}

// TestFewFeaturesForTheClasses checks that features of two dimensions are accepted for the simplex of three classes,
// and features of one dimension are refused.
func TestFewFeaturesForTheClasses(t *testing.T) {
	data := smallData(t)
	for width, want := range map[string]bool{"1": true, "2": false} {
		printed, err := call(t.Context(), trainCommand(), "--dataset", data, "--out", t.TempDir(), "--epochs", "1",
			"--batch", "20", "--hidden", width, "--backend", "go")
		if err != nil || strings.Contains(printed, "hold no simplex ETF") != want {
			t.Errorf("width %s: error %v, printed %s", width, err, printed)
		}
	}
}

func TestTrainRefuses(t *testing.T) {
	t.Setenv("UNHINGED_DATA", t.TempDir())
	data := smallData(t)
	for message, args := range map[string][]string{
		"\"devices\" is 7":                 {"--dataset", data, "--batch", "20", "--devices", "7"},
		"2 devices; backend go has 1":      {"--dataset", data, "--batch", "20", "--devices", "2", "--backend", "go"},
		"no method is called \"sgd\"":      {"--dataset", data, "--method", "ce,sgd"},
		"no data set is called \"cifar\"":  {"--dataset", "cifar"},
		"\"seeds\" is 0":                   {"--dataset", data, "--seeds", "0"},
		"\"images\" is -1":                 {"--dataset", data, "--images", "-1"},
		"no network is called \"mlp-8-0\"": {"--dataset", data, "--hidden", "8,0"},
		"--seed 2: there are seeds 1 to 1": {"--dataset", data, "--seed", "2"},
		"--seed 4: there are seeds 1 to 3": {"--dataset", data, "--seed", "1,4", "--seeds", "3"},
		"no folder of images":              {"--dataset", "imagenet-100", "--size", "224"},
		"there is no such file, nor is it one of those in the program: fast/cifar-10-imbalanced, fast/cifar-10, " +
			"fast/fashion-mnist-imbalanced, fast/fashion-mnist-losses, medium/cifar-10-resnet18, " +
			"paper/cifar-10, ": {"--config", "small/cifar"},
		"small/cifar-10: --method palm: there is no " +
			"such method": {"--config",
			"small/cifar-10", "--method", "pal,palm"},
		"batches of 256 images":   {"--dataset", data},
		"\"epochs\" is 0":         {"--dataset", data, "--batch", "20", "--epochs", "0"},
		"no backend \"abacus\"":   {"--dataset", data, "--backend", "abacus"},
		"unknown command \"pal\"": {"pal"},

		// Values that no machine can handle and values that make no sense are refused at once.
		"mlp-60000-60000 has 3.6e+09 parameters": {"--dataset", data, "--batch", "20", "--model", "mlp-60000-60000"},
		"resnet18-1000000 has":                   {"--dataset", data, "--batch", "20", "--model", "resnet18-1000000"},
		"\"seeds\" is 1e+09":                     {"--dataset", data, "--seeds", "1000000000"},
		"\"epochs\" is 4.6":                      {"--dataset", data, "--epochs", "4611686018427387904"},
		"images of 3×3 can be shifted by 0 to 2": {"--dataset", data, "--batch", "20", "--shift", "1000000"},
		"\"learning_rate\" is +Inf":              {"--dataset", data, "--lr", "inf"},
		"\"learning_rate\" is NaN":               {"--dataset", data, "--lr", "nan"},
		"\"efr\" is +Inf":                        {"--dataset", data, "--efr", "inf"},
		"\"weight_decay\" is 1e+39":              {"--dataset", data, "--weight-decay", "1e39"},
		"no more than there are, 60":             {"--dataset", data, "--images", "61"},
		"at least one of each of the 3 classes":  {"--dataset", data, "--images", "2"},
		"is a device: want a regular file":       {"--config", "/dev/zero"},
	} {
		if printed, err := call(t.Context(), trainCommand(), append(args, "--out", t.TempDir())...); err == nil ||
			!strings.Contains(err.Error(), message) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: error %v, should be one line that says %q; printed %q", args, err, message, printed)
		}
	}
}

func TestData(t *testing.T) {
	t.Setenv("UNHINGED_DATA", t.TempDir())
	printed, err := call(t.Context(), dataCommand(), "list")
	if err != nil || !strings.Contains(printed, "mnist") || !strings.Contains(printed, "fashion-mnist") {
		t.Errorf("error %v, printed %q", err, printed)
	}
	if _, err = call(t.Context(), dataCommand(), "verify", "cifar"); err == nil || !strings.Contains(err.Error(),
		"there are mnist, fashion-mnist") {
		t.Errorf("error %v", err)
	}
	if _, err = call(t.Context(), dataCommand(), "get"); err == nil {
		t.Error("get without a name")
	}
	t.Chdir(t.TempDir()) // here is no folder node_modules
	if _, err = call(t.Context(), dataCommand(), "verify", "mnist"); !errors.Is(err, datasets.ErrMissing) ||
		!strings.Contains(err.Error(), "npm install") {
		t.Errorf("error %v", err)
	}
}

// TestShellLine checks that a shell reads the same words from the line.
func TestShellLine(t *testing.T) {
	words := []string{"unhinged", "train", "--method", "ce,pal-efr1e-05", "--out", "my results", "", "it's", `a"b\c`, "$HOME", "`x`", "*", "~", "a\nb", "λ=5", "#", "&&", "{1,2}", "!"}
	if line := shellLine(words[:4]); line != "unhinged train --method ce,pal-efr1e-05" {
		t.Errorf("%s: plain words need no quotes", line)
	}
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no POSIX shell:", err)
	}
	out, err := exec.Command("sh", "-c", "printf '%s|' "+shellLine(words)).Output()
	if want := strings.Join(words, "|") + "|"; err != nil || string(out) != want {
		t.Errorf("read again: %q, should be %q; error %v", out, want, err)
	}
}
