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
	if n := int(backend.NumDevices()); !isGo(backend) && n != runtime.GOMAXPROCS(0) {
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

// Matrix products that could all run at the same time: with gomlx's default, "ops_parallel" when nothing else runs, they stand still
// in the first run, mostly.
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
	folder := t.TempDir()
	plugin := filepath.Join(folder, ".lab", "pjrt", "pjrt_c_api_cpu_plugin.so")
	if err := os.MkdirAll(filepath.Dir(plugin), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(plugin, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(folder, "notebooks")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	t.Chdir(below)
	if got := findPlugin(); got != plugin {
		t.Errorf("from %s it finds %q, should be %s", below, got, plugin)
	}
	other := t.TempDir()
	versioned := filepath.Join(other, "pjrt_c_api_cpu_v0.104.0_plugin.so")
	if err := os.WriteFile(versioned, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", other)
	if got := findPlugin(); got != versioned {
		t.Errorf("with the folder set it finds %q, should be %s", got, versioned)
	}
	// A plugin that does not load is no reason to fail.
	t.Setenv(compute.ConfigEnvVar, "")
	backend, note, err := Open("")
	if err != nil || strings.HasPrefix(Name(backend), "xla") || !strings.Contains(note, "does not load") && !strings.Contains(note, "pure-Go") {
		t.Errorf("backend %v, note %q, error %v", backend, note, err)
	}
}
