//go:build cgo && !noxla && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package backends

import (
	"runtime"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla" // registers "xla"
	"github.com/gomlx/go-xla/pjrt"
)

// The plugin is set to one device for each core. By default it has four devices and at least as many threads: on a
// machine with fewer cores, threads that wait for work would slow down those that have work.
func init() {
	openCPU = func(plugin string) (compute.Backend, error) {
		avoidYNNConvolutions(plugin)
		return xla.NewWithOptions(plugin, pjrt.NamedValuesMap{"cpu_device_count": int64(runtime.GOMAXPROCS(0))})
	}
}
