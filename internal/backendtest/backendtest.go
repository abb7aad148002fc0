// Package backendtest runs a test of graph code on every backend of the project and in both precisions.
package backendtest

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// Each runs test on the backends "go" and "xla:cpu", or in its place the one that $GOMLX_BACKEND names, such as
// "xla:cuda". The second one is skipped if XLA's plugin is missing, and with go test -short.
func Each(t *testing.T, test func(t *testing.T, backend compute.Backend)) {
	t.Run("go", func(t *testing.T) {
		backend, err := goBackend()
		if err != nil {
			t.Fatal(err)
		}
		test(t, backend)
	})
	t.Run("xla", func(t *testing.T) {
		if testing.Short() {
			t.Skip("-short: XLA takes seconds to compile each graph")
		}
		backend, err := xlaBackend()
		if err != nil {
			t.Skipf("no XLA backend, tested on the Go backend only: %v", err)
		}
		test(t, backend)
	})
}

// EachDType is Each in float32 and in float64. tolerance is the rounding error that a short calculation on numbers of
// size one may have in that precision.
func EachDType(t *testing.T, test func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64)) {
	Each(t, func(t *testing.T, backend compute.Backend) {
		t.Run("float32", func(t *testing.T) { test(t, backend, dtypes.Float32, 2e-5) })
		t.Run("float64", func(t *testing.T) { test(t, backend, dtypes.Float64, 1e-12) })
	})
}

var (
	goBackend = sync.OnceValues(func() (compute.Backend, error) {
		backend, _, err := backends.Open("go")
		return backend, err
	})
	xlaBackend = sync.OnceValues(func() (compute.Backend, error) {
		quickCompilation()
		name := "xla:cpu" // with the checkout's plugin, if make lab has placed it
		if other := os.Getenv(compute.ConfigEnvVar); strings.HasPrefix(other, "xla:") {
			name = other
		}
		backend, _, err := backends.Open(name)
		return backend, err
	})
)

// quickCompilation makes XLA, which has not been opened yet, compile faster: tests spend most of their time in its
// compiler. Without LLVM's optimisations, without the fusion emitters (which generate their code by MLIR) and with one
// LLVM module for each graph, it needs a tenth of the time. XLA's own passes over the graph stay. The flags are not set
// if $XLA_FLAGS names an optimisation level: CI tests with level 3, XLA's default, and so what users run. A plugin that
// does not know one of the flags ends the program with the flag's name; $XLA_FLAGS with a level helps then, too.
func quickCompilation() {
	const level = "--xla_backend_optimization_level"
	if flags := os.Getenv("XLA_FLAGS"); !strings.Contains(flags, level) {
		os.Setenv("XLA_FLAGS", strings.TrimSpace(flags+" "+level+
			"=0 --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"))
	}
}
