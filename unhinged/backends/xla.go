//go:build cgo && !noxla && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package backends

import (
	"runtime"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla" // registers "xla"
	"github.com/gomlx/go-xla/pjrt"
)

// One device for each core. Left to itself the plugin has four, and never fewer threads than devices: where there are
// fewer cores, threads that look for work keep it from those that have some.
func init() {
	openCPU = func(plugin string) (compute.Backend, error) {
		avoidYNNConvolutions(plugin)
		return xla.NewWithOptions(plugin, pjrt.NamedValuesMap{"cpu_device_count": int64(runtime.GOMAXPROCS(0))})
	}
}
