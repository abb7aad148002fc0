package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/npy"
	"github.com/unhinged-lab/lab/unhinged/paper"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// figures runs the subcommand and returns its output.
func figures(t testing.TB, args ...string) (said string, err error) {
	t.Helper()
	var b bytes.Buffer
	cmd := figuresCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetErr(&b)
	cmd.SetOut(&b)
	err = cmd.Execute()
	return b.String(), err
}

// TestFiguresList checks that --list prints a line for every item, and for a named item its code, its runs and its
// verdicts.
func TestFiguresList(t *testing.T) {
	said, err := figures(t, "--list")
	if err != nil || strings.Count(said, "\n") != len(paper.Items()) {
		t.Errorf("printed %q, error %v", said, err)
	}
	said, err = figures(t, "--list", "fig13")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"unhinged/paper/training.Figure12", "`unhinged train --config paper/cifar-100`",
		"1 needs data", "feature norms grow"} {
		if !strings.Contains(said, part) {
			t.Errorf("%q is not in\n%s", part, said)
		}
	}
	if _, err := figures(t, "--list", "fig99"); err == nil || !strings.Contains(err.Error(), "fig99") {
		t.Errorf("error %v", err)
	}
}

func TestFiguresWritesEverything(t *testing.T) {
	out := filepath.Join(t.TempDir(), "deep", "out")
	said, err := figures(t, "fig1", "fig9", "--p", "6", "--C", "4", "--N", "2", "--steps", "100", "--out", out)
	if err != nil {
		t.Fatal(err, said)
	}
	for _, id := range []string{"fig1", "fig9"} {
		data, err := os.ReadFile(filepath.Join(out, id+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var f result.Figure
		if err := json.Unmarshal(data, &f); err != nil {
			t.Fatal(err)
		}
		if f.ID != id || len(f.Curves) == 0 || len(f.Claims) == 0 || f.Settings["C"] != 4. || f.Provenance.Go == "" {
			t.Errorf("%s.json: %d curves, %d claims, settings %v", id, len(f.Curves), len(f.Claims), f.Settings)
		}
		for _, name := range []string{"step", "loss", "accuracy", "distance", "norm_h", "norm_w", "norm_z"} {
			if len(f.Curves[0].Series[name]) == 0 {
				t.Errorf("%s.json: no series %q", id, name)
			}
		}
		if svg, err := os.ReadFile(filepath.Join(out, id+".svg")); err != nil || !bytes.Contains(svg, []byte("<svg")) {
			t.Errorf("%s.svg: %v", id, err)
		}
	}
	if page, err := os.ReadFile(filepath.Join(out, "index.html")); err != nil || !bytes.Contains(page,
		[]byte("fig9.json")) {
		t.Errorf("index.html: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(out, ".*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// A flag that none of the chosen figures uses is refused, and not ignored.
func TestFiguresRefusesFlagsOfOthers(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	for message, args := range map[string][]string{
		"--C is not used by theorem8":         {"theorem8", "--C", "3"},
		"--steps is not used by theorem8, dr": {"theorem8", "drift", "--steps", "3"},
		"--widths is not used by fig1":        {"fig1", "--widths", "8"},
		"--networks 0: must be positive":      {"theorem8", "--networks", "0"},
	} {
		if _, err := figures(t, append(args, "--out", out)...); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%v: error %v, should say %q", args, err, message)
		}
	}
}

func TestFiguresOfOwnFeatures(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	s := dynamics.Gaussian(5, 3, 4, 1)
	for name, err := range map[string]error{
		"H": npy.WriteMatrix(file("H.npy"), s.H.T()), "y": npy.WriteIntegers(file("y.npy"), s.Labels()),
		"W": npy.WriteMatrix(file("W.npy"), s.W.T()), "bad": npy.WriteIntegers(file("bad.npy"), []int{0, 1, 2, 3, 0, 1,
			2, 0, 1, 2, 0, 1}),
	} {
		if err != nil {
			t.Fatal(name, err)
		}
	}
	for id, want := range map[string]string{"fig1": "H.npy: unconstrained", "fig7": "mine: "} {
		args := []string{id, "--steps", "50", "--features", file("H.npy"), "--labels", file("y.npy"), "--prototypes",
			file("W.npy"), "--out", file("out")}
		if id == "fig7" {
			args = append(args, "--title", "mine")
		}
		if said, err := figures(t, args...); err != nil {
			t.Fatal(err, said)
		}
		var fig result.Figure
		text, err := os.ReadFile(file("out/" + id + ".json"))
		if err == nil {
			err = json.Unmarshal(text, &fig)
		}
		if err != nil || !strings.HasPrefix(fig.Title, want) {
			t.Errorf("the title is %q, error %v, and should begin with %q", fig.Title, err, want)
		}
		if id == "fig1" { // C = 3, so that the limit is 2
			var names []string
			for _, c := range fig.Curves {
				names = append(names, c.Name)
			}
			if want := []string{"γ = 0", "γ = 1/(C−1)", "γ = 1.9", "γ = 2.1"}; !slices.Equal(names, want) {
				t.Errorf("the curves are %q, and should be %q", names, want)
			}
		} else if len(fig.Panels) != 5 {
			t.Errorf("there are %d panels, and should be 5: the erratum's are the paper's only", len(fig.Panels))
		}
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"go together", []string{"--features", file("H.npy")}},
		{"cannot be used with --features", []string{"--p", "5", "--features", file("H.npy"), "--labels", file("y.npy"),
			"--prototypes", file("W.npy")}},
		{"label", []string{"--features", file("H.npy"), "--labels", file("bad.npy"), "--prototypes", file("W.npy")}},
		{"no such file", []string{"--features", file("none.npy"), "--labels", file("y.npy"), "--prototypes",
			file("W.npy")}},
		{"table1, fig1, fig2", []string{"fig20"}},
		{"must be positive", []string{"--p", "0"}},
		{"must be positive", []string{"--steps=-4"}},
		{"at least 2", []string{"fig1", "--C", "1"}},
		{"γ = NaN", []string{"fig1", "--gamma", "NaN"}},
		{"invalid", []string{"--gamma", ""}},
	} {
		_, err := figures(t, append(c.args, "--out", file("out"))...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.args, err, c.want)
		}
	}
}

// FuzzFiguresFlags checks that any flags lead to a figure or to an error, and never to a panic.
func FuzzFiguresFlags(f *testing.F) {
	f.Add("--gamma 0.1,1e300 --eta 0.5", "3", "4", "2", "7")
	f.Add("--gamma 0,-0 --eta 1e-320", "1", "2", "1", "1")
	f.Add("--gamma +Inf --lambda nan --seed 18446744073709551615", "0", "-1", "x", "1e3")
	out := f.TempDir()
	f.Fuzz(func(t *testing.T, flags, p, c, n, steps string) {
		args := []string{"fig1", "fig4"}
		for _, a := range strings.Fields(flags) {
			if strings.HasPrefix(a, "--out") || strings.HasPrefix(a, "--o") { // outputs stay in the test's folder
				return
			}
			args = append(args, a)
		}
		for _, size := range []string{p, c, n, steps} {
			if len(size) > 2 { // sizes are small, since a fuzz run is not a benchmark
				return
			}
		}
		said, err := figures(t, append(args, "--p="+p, "--C="+c, "--N="+n, "--steps="+steps, "--out="+out)...)
		if err == nil && !strings.Contains(said, "index.html") && !strings.Contains(said, "Usage") {
			t.Errorf("%v: neither a figure nor an error: %q", args, said)
		}
	})
}
