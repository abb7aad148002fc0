package backends

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/unhinged-lab/lab/internal/build"
)

// findPlugin looks for XLA's plugin for a kind of device, "cpu" or "cuda". Loading a plugin runs its code, so it is
// taken only from places that the user has named or that nobody else can write to. These are, in this order:
//
//   - the folders in $PJRT_PLUGIN_LIBRARY_PATH;
//   - the program's own folder, and .lab/pjrt, which `make setup` fills, of a checkout of this module at or above the
//     working directory or the program, if checkout, folder and plugin belong to the user or to root and nobody else
//     can write to them;
//   - the folders that go-xla installs to, in the user's home and in /usr/local/lib.
//
// It returns an absolute path, or "". passed is a message for the user about plugins that were found but not taken.
func findPlugin(kind string) (path, passed string) {
	var notes []string
	for _, folder := range filepath.SplitList(os.Getenv(pluginVariable)) {
		if found := pluginIn(folder, kind); found != "" {
			return found, ""
		}
		notes = append(notes, fmt.Sprintf("$%s names %s, where there is no pjrt_c_api_%s*plugin.so", pluginVariable,
			folder, kind))
	}
	var folders []string
	take := func(folder string, with ...string) {
		found := pluginIn(folder, kind)
		if found == "" {
			return
		}
		if stranger := firstStranger(append(with, folder, found)...); stranger != "" {
			notes = append(notes,
				fmt.Sprintf("%s was not loaded, because %s belongs to another user or can be changed by one; "+
					"set $%s=%s to load it anyway", found, stranger, pluginVariable, folder))
			return
		}
		folders = append(folders, folder)
	}
	if program, err := os.Executable(); err == nil {
		take(filepath.Dir(program))
	}
	for _, start := range []func() (string, error){os.Getwd, os.Executable} {
		path, err := start()
		if err != nil {
			continue
		}
		for root := path; root != filepath.Dir(root); root = filepath.Dir(root) {
			if build.IsCheckout(root) {
				take(filepath.Join(root, ".lab", "pjrt"), root)
			}
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		local := filepath.Join(home, ".local", "lib", "go-xla")
		folders = append(folders, local, filepath.Join(local, "nvidia"))
	}
	folders = append(folders, "/usr/local/lib/go-xla", "/usr/local/lib/go-xla/nvidia")
	passed = strings.Join(notes, "; ")
	for _, folder := range folders {
		if found := pluginIn(folder, kind); found != "" {
			return found, passed
		}
	}
	return "", passed
}

// pluginVariable is the environment variable with the folders of plugins. go-xla reads it, too.
const pluginVariable = "PJRT_PLUGIN_LIBRARY_PATH"

// pluginIn returns the absolute path of the plugin for this kind of device in a folder, or "". If there are several, it
// is the last one by name, because the names of go-xla's plugins contain their version.
func pluginIn(folder, kind string) string {
	found, err := filepath.Glob(filepath.Join(folder, "pjrt_c_api_"+kind+"*plugin.so"))
	if err != nil || len(found) == 0 {
		return ""
	}
	path, err := filepath.Abs(found[len(found)-1])
	if err != nil {
		return ""
	}
	return path
}

// firstStranger returns the first of these paths that does not belong to the user or to root, or that others can write
// to.
func firstStranger(paths ...string) string {
	for _, path := range paths {
		if !trusted(path) {
			return path
		}
	}
	return ""
}
