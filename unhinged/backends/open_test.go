package backends

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

func TestOpen(t *testing.T) {
	t.Setenv(compute.ConfigEnvVar, "")
	backend, note, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	isGo := func(b compute.Backend) bool { return b != nil && Name(b) == "go" }
	if isGo(backend) != strings.Contains(note, "pure-Go") {
		t.Errorf("backend %s with note %q", Name(backend), note)
	}
	if n := backend.NumDevices(); !isGo(backend) && n != runtime.GOMAXPROCS(0) {
		t.Errorf("%d devices for %d cores", n, runtime.GOMAXPROCS(0))
	}
	if backend, _, err = Open("go"); err != nil || !isGo(backend) {
		t.Errorf("backend %v, error %v", backend, err)
	}
	t.Setenv(compute.ConfigEnvVar, "go")
	if backend, _, err = Open(""); err != nil || !isGo(backend) {
		t.Errorf("with $%s = go: backend %v, error %v", compute.ConfigEnvVar, backend, err)
	}
	if _, _, err = Open("abacus"); err == nil || !strings.Contains(err.Error(), "no backend \"abacus\"") {
		t.Errorf("error %v", err)
	}
}

// Many matrix products could run at the same time. With gomlx's default, which selects "ops_parallel" when nothing else
// runs, they usually deadlock in the first call.
func TestGoDoesNotWaitForItself(t *testing.T) {
	for _, config := range []string{"go", "go:parallelism=4"} {
		backend, _, err := Open(config)
		if err != nil {
			t.Fatal(err)
		}
		exec := graph.MustNewExec(backend, func(x *graph.Node) *graph.Node {
			total := graph.ZerosLike(x)
			for i := range 32 {
				total = graph.Add(total, graph.MatMul(graph.AddScalar(x, float64(i)), x))
			}
			return total
		})
		const n = 256
		x := tensors.FromShape(shapes.Make(dtypes.Float32, n, n))
		done := make(chan error, 1)
		go func() {
			for range 2 {
				if _, err := exec.Call(x); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: 64 products of %d×%d take more than a minute", config, n, n)
		}
	}
}

func TestFindPlugin(t *testing.T) {
	for _, kind := range []string{"cpu", "cuda"} {
		t.Run(kind, func(t *testing.T) {
			folder, home, other := checkout(t), t.TempDir(), t.TempDir()
			installed := plugin(t, filepath.Join(home, ".local", "lib", "go-xla", "nvidia",
				"pjrt_c_api_"+kind+"_plugin.so"))
			if kind == "cpu" {
				installed = plugin(t, filepath.Join(home, ".local", "lib", "go-xla",
					"pjrt_c_api_cpu_v0.104.0_plugin.so"))
			}
			below := filepath.Join(folder, "notebooks")
			if err := os.Mkdir(below, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
			t.Setenv("HOME", home)
			t.Chdir(below)
			if got, _ := findPlugin(kind); got != installed {
				t.Errorf("with go-xla's alone it finds %q, should be %s", got, installed)
			}
			plugin(t, filepath.Join(folder, ".lab", "pjrt", "pjrt_c_api_other_plugin.so"))
			set := plugin(t, filepath.Join(folder, ".lab", "pjrt", "pjrt_c_api_"+kind+"_plugin.so"))
			if got, passed := findPlugin(kind); got != set || passed != "" {
				t.Errorf("from %s it finds %q, should be %s; it says %q", below, got, set, passed)
			}
			versioned := plugin(t, filepath.Join(other, "pjrt_c_api_"+kind+"_v0.104.0_plugin.so"))
			t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", other)
			if got, _ := findPlugin(kind); got != versioned {
				t.Errorf("with the folder set it finds %q, should be %s", got, versioned)
			}
			empty := t.TempDir()
			t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", empty)
			if got, passed := findPlugin(kind); got != set || !strings.Contains(passed,
				"names "+empty+", where there is no") {
				t.Errorf("with a folder without one it finds %q, should be %s; it says %q", got, set, passed)
			}
		})
	}
}

// TestStrangersPluginsAreNotLoaded checks that a plugin is not loaded if its folder is no checkout of this module, or
// is writable by everybody, or belongs to another user. The log reports this, unless the folder has nothing to do with
// the lab.
func TestStrangersPluginsAreNotLoaded(t *testing.T) {
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	t.Setenv("HOME", t.TempDir())
	t.Chdir(t.TempDir())
	if found, _ := findPlugin("cpu"); found != "" {
		t.Skip("there is a plugin in /usr/local")
	}
	for name, c := range map[string]struct {
		make func(root string)
		says string
	}{
		"no checkout": {func(root string) { os.Remove(filepath.Join(root, "go.mod")) }, ""},
		"of another module": {func(root string) {
			os.WriteFile(filepath.Join(root, "go.mod"), []byte("module example.com/other\n"), 0o644)
		}, ""},
		"open to all, root": {func(root string) { os.Chmod(root, 0o777) }, "was not loaded"},
		"open to all, folder": {func(root string) { os.Chmod(filepath.Join(root, ".lab", "pjrt"), 0o777) },
			"was not loaded"},
		"open to all, file": {func(root string) {
			os.Chmod(filepath.Join(root, ".lab", "pjrt", "pjrt_c_api_cpu_plugin.so"), 0o666)
		}, "was not loaded"},
		"another user's": {func(root string) {
			if os.Lchown(filepath.Join(root, ".lab", "pjrt", "pjrt_c_api_cpu_plugin.so"), 12345, 12345) != nil {
				os.Chmod(root, 0o777) // only root can give files to another user
			}
		}, "was not loaded"},
	} {
		t.Run(name, func(t *testing.T) {
			root := checkout(t)
			path := plugin(t, filepath.Join(root, ".lab", "pjrt", "pjrt_c_api_cpu_plugin.so"))
			t.Chdir(root)
			if got, _ := findPlugin("cpu"); got != path {
				t.Fatalf("before, it finds %q", got)
			}
			c.make(root)
			if got, passed := findPlugin("cpu"); got != "" || !strings.Contains(passed, c.says) || c.says == "" &&
				passed != "" {
				t.Errorf("it finds %q and says %q", got, passed)
			}
		})
	}
}

// checkout makes a folder that looks like a checkout of this module to code that reads its go.mod.
func checkout(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte("module github.com/unhinged-lab/lab\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

// plugin writes a file that is not a valid plugin.
func plugin(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// A CPU plugin that fails to load is not an error. Without a plugin, a message says how to get one, and the pure-Go
// backend is used.
func TestOpenWithoutCPUPlugin(t *testing.T) {
	t.Setenv(compute.ConfigEnvVar, "")
	t.Setenv("HOME", t.TempDir())
	t.Chdir(t.TempDir())
	broken := filepath.Dir(plugin(t, filepath.Join(t.TempDir(), "pjrt_c_api_cpu_plugin.so")))
	for _, c := range []struct{ folder, want string }{{broken, "does not load"}, {"", "`make setup`"}} {
		if openCPU == nil {
			c.want = "this build has no XLA"
		}
		t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", c.folder)
		if found, _ := findPlugin("cpu"); c.folder == "" && found != "" {
			t.Skip("there is a plugin in /usr/local")
		}
		backend, note, err := Open("")
		if err != nil || Name(backend) != "go" || !strings.Contains(note, c.want) {
			t.Errorf("backend %v, note %q without %q, error %v", backend, note, c.want, err)
		}
	}
}

// Without a plugin, the error of "xla:cuda" says how to get one, without using a network. With a plugin, go-xla gets
// its path and the options.
func TestOpenCUDA(t *testing.T) {
	if openCPU == nil {
		t.Skip("this build is without XLA")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	t.Chdir(t.TempDir())
	if found, _ := findPlugin("cuda"); found != "" {
		t.Skip("there is a CUDA plugin in /usr/local")
	}
	for _, config := range []string{"xla:cuda", "xla:cuda,tf32=false"} {
		_, _, err := Open(config)
		for _, want := range []string{`backend "` + config + `"`, "`UNHINGED_CUDA=1 make setup`", "PJRT_PLUGIN_LIBRARY_PATH"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, without %q", config, err, want)
			}
		}
	}
	if found, _ := findPlugin("cpu"); found == "" {
		t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "/nonexistent")
		if _, _, err := Open("xla:cpu"); err == nil || !strings.Contains(err.Error(), "/nonexistent") ||
			!strings.Contains(err.Error(), "`make setup`") {
			t.Errorf("xla:cpu: error %v", err)
		}
		t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	}
	folder := checkout(t)
	path := plugin(t, filepath.Join(folder, ".lab", "pjrt", "pjrt_c_api_cuda_plugin.so"))
	t.Chdir(folder)
	for config, want := range map[string]string{
		"xla:cuda": path,
		"xla:cuda,tf32=false,shared_buffers=true": path,
		"xla:cuda,sunshine":                       "unknown plugin options [sunshine]",
	} {
		if _, _, err := Open(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, without %q", config, err, want)
		}
	}
}
