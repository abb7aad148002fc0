package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// submit runs `unhinged submit` with a PATH that has only the given programs, which are scripts by name.
func submit(t *testing.T, programs map[string]string, args ...string) (string, error) {
	t.Helper()
	folder := t.TempDir()
	for name, script := range programs {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", folder)
	return call(t.Context(), submitCommand(), args...)
}

// TestSubmit checks that the client gets the filled template, and that without a client the template is printed.
func TestSubmit(t *testing.T) {
	train := []string{"--tasks", "7", "--", "train", "--method", "ce,pal", "--out", "/shared/it's $(here)"}
	echo := "echo submitted \"$@\"; while read -r line; do echo \"$line\"; done\n"
	printed, err := submit(t, map[string]string{"sbatch": echo}, append([]string{"slurm", "--gpus", "2", "--partition",
		"long"}, train...)...)
	for _, want := range []string{"submitted\n", "#SBATCH --array=1-7\n", "#SBATCH --gres=gpu:2\n",
		"#SBATCH --partition=long\n", "#SBATCH --requeue\n", "#SBATCH --signal=B:TERM@90\n",
		` train --method ce,pal --out '/shared/it'\''s $(here)' --task "$SLURM_ARRAY_TASK_ID/7" &`} {
		if err != nil || !strings.Contains(printed, want) {
			t.Errorf("error %v, printed without %q:\n%s", err, want, printed)
		}
	}
	printed, err = submit(t, map[string]string{"kubectl": echo}, append([]string{"kubernetes", "--image", "lab:1"},
		train...)...)
	for _, want := range []string{"submitted apply --filename -\n", "completions: 7\n", `image: "lab:1"`,
		`- "/shared/it's $$(here)"`, `--task "$$((JOB_COMPLETION_INDEX + 1))/7"`} {
		if err != nil || !strings.Contains(printed, want) {
			t.Errorf("error %v, printed without %q:\n%s", err, want, printed)
		}
	}
	if strings.Contains(printed, "nvidia.com/gpu") {
		t.Error("a GPU that nobody asked for")
	}
	printed, err = submit(t, nil, "slurm", "--", "kernel", "compute", "--out", "k")
	for _, want := range []string{`--worker "$SLURM_ARRAY_TASK_ID/1"`, "#SBATCH --job-name=unhinged-kernel\n",
		"sbatch is not installed here"} {
		if err != nil || !strings.Contains(printed, want) {
			t.Errorf("error %v, printed without %q:\n%s", err, want, printed)
		}
	}
	if _, err = submit(t, map[string]string{"sbatch": "exit 3\n"}, append([]string{"slurm"},
		train...)...); err == nil ||
		!strings.Contains(err.Error(), "sbatch: exit status 3") {
		t.Errorf("a client that fails: %v", err)
	}
}

func TestSubmitRefuses(t *testing.T) {
	out := []string{"--out", "x"}
	for want, args := range map[string][]string{
		"cannot be divided into tasks": {"slurm", "--", "figures"},
		"want train or kernel compute": append([]string{"slurm", "--", "kernel", "inspect"}, out...),
		"--task is set for each task":  append([]string{"slurm", "--", "train", "--task=1/2"}, out...),
		"--out is missing":             {"slurm", "--", "train"},
		"--image is missing":           append([]string{"kubernetes", "--", "train"}, out...),
		"--name A: want":               append([]string{"slurm", "--name", "A", "--", "train"}, out...),
		"--tasks 0":                    append([]string{"slurm", "--tasks", "0", "--", "train"}, out...),
		`--mem "1G\n#SBATCH --x": want`: append([]string{"slurm", "--mem", "1G\n#SBATCH --x", "--", "train"},
			out...),
	} {
		if _, err := submit(t, nil, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", args, err, want)
		}
	}
}

// TestBatchScripts runs the batch scripts with programs that end in different ways. A task is queued again after a
// signal and before the time limit, but not after an error and not when it is cancelled.
func TestBatchScripts(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	const wait = "kill -TERM $PPID; while :; do :; done" // it sends a signal to the script
	for name, c := range map[string]struct {
		program  string // replaces unhinged
		restarts string
		state    string // the state that squeue prints
		code     int
		requeued bool
	}{
		"finished":              {"exit 0", "0", "RUNNING", 0, false},
		"an error":              {"exit 1", "0", "RUNNING", 1, false},
		"killed":                {"kill -9 $$", "9", "RUNNING", 0, true},
		"killed too often":      {"kill -9 $$", "10", "RUNNING", 137, false},
		"time limit":            {"trap 'exit 1' TERM; " + wait, "10", "RUNNING", 0, true},
		"finished at the limit": {"trap 'exit 0' TERM; " + wait, "0", "RUNNING", 0, false},
		"cancelled":             {"trap 'exit 1' TERM; " + wait, "0", "COMPLETING", 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			script := func(name, text string) string {
				path := filepath.Join(folder, name)
				if err := os.WriteFile(path, []byte("#!"+bash+"\n"+text+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
				return path
			}
			program := script("unhinged", `[ "$*" = "train --out x --task 3/4" ] || exit 99`+"\n"+c.program)
			script("squeue", "echo "+c.state)
			script("scontrol", "echo \"$@\" > "+folder+"/requeued")
			text, err := call(t.Context(), submitCommand(), "slurm", "--print", "--tasks", "4", "--program", program,
				"--", "train", "--out", "x")
			if err != nil {
				t.Fatal(err)
			}
			run := exec.CommandContext(t.Context(), bash)
			run.Stdin = strings.NewReader(text)
			run.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "SLURM_ARRAY_JOB_ID=5",
				"SLURM_ARRAY_TASK_ID=3", "SLURM_RESTART_COUNT="+c.restarts)
			printed, _ := run.CombinedOutput()
			requeued, _ := os.ReadFile(filepath.Join(folder, "requeued"))
			again := string(requeued) == "requeue 5_3\n"
			if code := run.ProcessState.ExitCode(); code != c.code || again != c.requeued {
				t.Errorf("exit %d, want %d; requeued %q, want %v\n%s", code, c.code, requeued, c.requeued, printed)
			}
		})
	}
}
