// Package build says which source a program was built from.
package build

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
)

// module is the module line of this project's go.mod.
const module = "github.com/unhinged-lab/lab"

// Commit returns the commit of this module's source that the program was built from, followed by ", modified" if the
// source was not as committed. It is, in this order:
//
//   - what the go command recorded in the program: the commit, or the version if the module was downloaded as a
//     dependency;
//   - the commit of the checkout of this module that the program was compiled in, unless another commit was made or
//     checked out there since then. It serves go run and notebooks, for which the go command records nothing;
//   - "unknown".
//
// The repository of the working directory has no effect.
var Commit = sync.OnceValue(func() string {
	info, _ := debug.ReadBuildInfo()
	_, file, _, _ := runtime.Caller(0)
	var built time.Time
	if program, err := os.Executable(); err == nil {
		if status, err := os.Stat(program); err == nil {
			built = status.ModTime()
		}
	}
	return commit(info, file, built)
})

// commit is Commit for a program's build information, which may be nil, the path of this file when it was compiled, and
// the time when the program was made.
func commit(info *debug.BuildInfo, file string, built time.Time) string {
	if c := recorded(info); c != "" {
		return c
	}
	if filepath.IsAbs(file) { // otherwise the program was built with -trimpath
		if c := checkout(filepath.Dir(filepath.Dir(filepath.Dir(file))), built); c != "" {
			return c
		}
	}
	return "unknown"
}

// recorded returns the commit or version of this module that the go command recorded, or "".
func recorded(info *debug.BuildInfo) string {
	if info == nil {
		return ""
	}
	if info.Main.Path == module {
		settings := map[string]string{}
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
		if revision := settings["vcs.revision"]; revision != "" {
			return describe(revision, settings["vcs.modified"] == "true")
		}
		return version(info.Main)
	}
	for _, d := range info.Deps {
		if d.Path == module && d.Replace == nil {
			return version(*d)
		}
	}
	return ""
}

// version returns the version of a downloaded module, or "" for one that was compiled in a folder.
func version(m debug.Module) string {
	if m.Version == "(devel)" {
		return ""
	}
	return m.Version
}

// IsCheckout reports whether a folder is the root of this module's source.
func IsCheckout(root string) bool {
	data, err := os.ReadFile(filepath.Join(root, "go.mod"))
	return err == nil && strings.HasPrefix(string(data), "module "+module+"\n")
}

// checkout returns the commit that is checked out in a folder, or "" if the folder is not the root of a repository of
// this module, or if another commit was checked out when a program was built there at this time.
func checkout(root string, built time.Time) string {
	if !IsCheckout(root) {
		return ""
	}
	top, err := git(root, "rev-parse", "--show-toplevel")
	if err != nil || !sameFile(top, root) { // a copy of the module inside another repository has no commit of its own
		return ""
	}
	revision, err := git(root, "rev-parse", "HEAD")
	if err != nil {
		return ""
	}
	moved, err := git(root, "log", "--walk-reflogs", "-1", "--format=%gd", "--date=unix") // HEAD@{seconds since 1970}
	if at, found := strings.CutPrefix(moved, "HEAD@{"); err == nil && found {
		seconds, err := strconv.ParseInt(strings.TrimSuffix(at, "}"), 10, 64)
		if err != nil || built.Unix() < seconds {
			return ""
		}
	}
	status, err := git(root, "--no-optional-locks", "status", "--porcelain", "--untracked-files=all")
	if err != nil {
		return ""
	}
	modified := false
	for line := range strings.Lines(status) {
		line = strings.TrimSpace(line)
		// other new files are not part of the program
		if !strings.HasPrefix(line, "??") || strings.HasSuffix(line, ".go") {
			modified = modified || line != ""
		}
	}
	return describe(revision, modified)
}

func describe(revision string, modified bool) string {
	if modified {
		return revision + ", modified"
	}
	return revision
}

// git runs git on the repository that a folder is in, even if the environment names another repository.
func git(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GIT_DIR=") && !strings.HasPrefix(v, "GIT_WORK_TREE=") && !strings.HasPrefix(v,
			"GIT_INDEX_FILE=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	out, err := cmd.Output()
	return strings.TrimRight(string(out), "\n"), err
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
