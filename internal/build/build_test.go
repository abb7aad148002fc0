package build

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// repository makes a repository with one commit, whose go.mod has the given module line, and returns its folder and the
// commit.
func repository(t *testing.T, moduleLine string) (dir, head string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	dir = t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module "+moduleLine+"\n\ngo 1.26\n")
	for _, args := range [][]string{{"init", "-q"}, {"add", "go.mod"},
		{"-c", "user.name=n", "-c", "user.email=e@example.org", "commit", "-qm", "m"}} {
		if out, err := git(dir, args...); err != nil {
			t.Fatal(args, err, out)
		}
	}
	head, err := git(dir, "rev-parse", "HEAD")
	if err != nil || len(head) != 40 {
		t.Fatal(head, err)
	}
	return dir, head
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func source(root string) string { return filepath.Join(root, "internal", "build", "build.go") }

// TestCheckout checks that a program without a recorded commit reports the commit of the checkout in which it was
// compiled, and never the commit of another repository.
func TestCheckout(t *testing.T) {
	dir, head := repository(t, module)
	other, _ := repository(t, "example.org/other")
	expect := func(what, file, want string) {
		t.Helper()
		if got := commit(nil, file, time.Now()); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	t.Chdir(other) // a repository of another project
	t.Setenv("GIT_DIR", filepath.Join(other, ".git"))
	expect("clean", source(dir), head)
	if got := commit(nil, source(dir), time.Now().Add(-time.Hour)); got != "unknown" {
		t.Errorf("a program that is older than the commit: %q", got)
	}
	write(t, filepath.Join(dir, "figures", "fig1.json"), "{}")
	expect("new data", source(dir), head)
	write(t, filepath.Join(dir, "new.go"), "package lab\n")
	expect("a new Go file", source(dir), head+", modified")
	if err := os.Remove(filepath.Join(dir, "new.go")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.mod"), "module "+module+"\n\ngo 1.25\n")
	expect("an edited file", source(dir), head+", modified")

	expect("another module", source(other), "unknown")
	write(t, filepath.Join(other, "lab", "go.mod"), "module "+module+"\n")
	expect("a copy inside another repository", source(filepath.Join(other, "lab")), "unknown")
	expect("a folder that is gone", source(filepath.Join(dir, "gone")), "unknown")
	expect("trimmed paths", module+"/internal/build/build.go", "unknown")
	t.Chdir(dir)
	expect("trimmed paths in a checkout", module+"/internal/build/build.go", "unknown")
}

// TestRecorded checks that a commit recorded by the go command has priority.
func TestRecorded(t *testing.T) {
	dir, head := repository(t, module)
	stamp := func(revision, modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: revision},
			{Key: "vcs.modified", Value: modified}}
	}
	here := debug.Module{Path: module, Version: "(devel)"}
	for _, c := range []struct {
		what string
		info debug.BuildInfo
		want string
	}{
		{"stamped", debug.BuildInfo{Main: here, Settings: stamp("abc", "false")}, "abc"},
		{"stamped, not as committed", debug.BuildInfo{Main: here, Settings: stamp("abc", "true")}, "abc, modified"},
		{"without a stamp", debug.BuildInfo{Main: here}, head},
		{"installed by version", debug.BuildInfo{Main: debug.Module{Path: module, Version: "v0.3.0"}}, "v0.3.0"},
		{"a dependency of another program, whose stamp is not ours",
			debug.BuildInfo{Main: debug.Module{Path: "example.org/theirs"},
				Deps: []*debug.Module{{Path: module, Version: "v0.3.0"}}, Settings: stamp("theirs", "false")},
			"v0.3.0"},
		{"a dependency that is replaced by a folder", debug.BuildInfo{Main: debug.Module{Path: "example.org/theirs"},
			Deps:     []*debug.Module{{Path: module, Version: "v0.3.0", Replace: &debug.Module{Path: dir}}},
			Settings: stamp("theirs", "false")}, head},
		{"a cell of a notebook", debug.BuildInfo{Main: debug.Module{Path: "gonb_1"},
			Deps: []*debug.Module{{Path: module, Version: "(devel)"}}}, head},
	} {
		if got := commit(&c.info, source(dir), time.Now()); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// TestProgram builds a program of this module with a stamp, without a stamp and without paths, and runs it inside
// another repository.
func TestProgram(t *testing.T) {
	other, theirs := repository(t, "example.org/other")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	head, err := git(root, "rev-parse", "HEAD")
	if err != nil || checkout(root, time.Now()) == "" {
		t.Skip("these sources are not in a checkout")
	}
	program := filepath.Join(t.TempDir(), "program")
	for _, c := range []struct {
		flags []string
		want  string
	}{{[]string{"-buildvcs=true"}, head}, {[]string{"-buildvcs=false"}, head},
		{[]string{"-buildvcs=false", "-trimpath"},
			"unknown"}} {
		args := append(append([]string{"build", "-o", program}, c.flags...), "./testdata/program")
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		run := exec.Command(program)
		run.Dir = other
		out, err := run.Output()
		got := strings.TrimSuffix(strings.TrimSpace(string(out)), ", modified")
		if err != nil || got != c.want || got == theirs {
			t.Errorf("%v: %q, want %q (%v)", c.flags, got, c.want, err)
		}
	}
}
