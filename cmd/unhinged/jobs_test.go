package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/vision"
)

// runMain is the environment variable that makes the test's program behave as the command, so that no test has to build
// the command.
const runMain = "UNHINGED_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestJobs checks that two processes share the runs of a command, that each run has the same bits as in one process,
// and that after a signal to the command both processes save their runs.
func TestJobs(t *testing.T) {
	folder := t.TempDir()
	t.Setenv(runMain, "1")
	train := func(out, epochs string, jobs ...string) *exec.Cmd {
		args := append([]string{"train", "--dataset", smallData(t), "--method", "ce,pal,fnpal", "--model", "mlp-8",
			"--batch", "20", "--epochs", epochs, "--backend", "go", "--out", out}, jobs...)
		return exec.CommandContext(t.Context(), os.Args[0], args...)
	}
	alone, shared := filepath.Join(folder, "alone"), filepath.Join(folder, "shared")
	if out, err := train(alone, "3").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := train(shared, "3", "--jobs", "2").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("[1] ")) || !bytes.Contains(out, []byte("[2] ")) {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, run := range []string{"ce-seed1", "pal-seed1", "fnpal-seed1"} {
		want, err := os.ReadFile(filepath.Join(alone, run, vision.LogFile))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(shared, run, vision.LogFile)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: the log is not that of one process (%v)", run, err)
		}
	}

	stopped := filepath.Join(folder, "stopped")
	command := train(stopped, "100000", "--jobs", "2")
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errors bytes.Buffer
	command.Stderr = &errors
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	at := map[string]bool{}
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if line := lines.Text(); strings.Contains(line, "epoch") && len(at) < 2 {
			if at[line[:3]] = true; len(at) == 2 {
				if err := command.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := command.Wait(); err == nil || strings.Count(errors.String(), "Saved in") < 2 {
		t.Errorf("after a signal: %v\n%s", err, errors.String())
	}
}
