package backends

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"
)

// Open opens the gomlx backend of this configuration, such as "go", "xla:cpu" or "xla:cuda". The empty configuration is
// $GOMLX_BACKEND or, without it, XLA on the CPU if its plugin is on this machine and the pure-Go backend otherwise.
// note is a message for the user about what was missing. "xla:cuda" takes go-xla's options, as in
// "xla:cuda,tf32=false". If its plugin is missing, Open returns an error and downloads nothing.
//
// "go" runs one operation at a time, unless the configuration has an "ops_" option. The reason is a deadlock in gomlx
// v0.28.0: if all workers run matrix products at the same time, each product waits for another worker. A large product
// uses all cores in either case.
func Open(config string) (backend compute.Backend, note string, err error) {
	if config == "" {
		config = os.Getenv(compute.ConfigEnvVar)
	}
	if openCPU != nil && (config == "" || config == "xla:cpu") {
		plugin, passed := findPlugin("cpu")
		if plugin != "" {
			if backend, err = openCPU(plugin); err == nil {
				return backend, passed, nil
			}
			if config != "" {
				return nil, "", fmt.Errorf("backend %q: %w", config, err)
			}
			note = fmt.Sprintf("XLA's plugin %s does not load (%v); ", plugin, err)
		} else if config != "" {
			return nil, "", missingPlugin(config, "CPU", passed,
				"`make setup` in a checkout of the lab fetches it for Linux on x86-64")
		} else if passed != "" {
			note = passed + "; "
		}
	}
	if config == "" {
		config = "go"
		note += "computing on the pure-Go backend, which is slower than XLA: "
		if openCPU == nil {
			note += "this build has no XLA, because it was built without a C compiler (cgo) or for a platform that " +
				"go-xla does not know"
		} else {
			note += "`make setup` in a checkout of the lab fetches XLA's plugin for Linux on x86-64; " + pluginElsewhere
		}
	}
	name, _, _ := strings.Cut(config, ":")
	if !slices.Contains(compute.List(), name) {
		return nil, "", fmt.Errorf("no backend %q in this build; there are %s", name, strings.Join(compute.List(),
			", "))
	}
	if name == "go" && !strings.Contains(config, "ops_") {
		options := strings.TrimPrefix(strings.TrimPrefix(config, "go"), ":")
		config = "go:" + strings.TrimPrefix(options+",ops_sequential", ",")
	}
	resolved := config
	if kind, options, _ := strings.Cut(config, ","); kind == "xla:cuda" {
		cuda, passed := findPlugin("cuda")
		if cuda == "" {
			return nil, "", missingPlugin(config, "CUDA", passed,
				"`UNHINGED_CUDA=1 make setup` in a checkout of the lab does that, for an NVIDIA GPU")
		}
		// go-xla shares buffers if a plugin's path contains "cpu" anywhere.
		resolved = "xla:" + cuda + ",shared_buffers=false," + options
	}
	if backend, err = compute.NewWithConfig(resolved); err != nil {
		return nil, "", fmt.Errorf("backend %q: %w", config, err)
	}
	return backend, note, nil
}

// pluginElsewhere is a hint for programs outside of a checkout, such as those of `go install`.
const pluginElsewhere = "outside of one PJRT_PLUGIN_LIBRARY_PATH=CHECKOUT/.lab/pjrt names it"

// missingPlugin is the error for a backend whose plugin was not found. passed says which plugins were not loaded and
// why, and remedy how to get one.
func missingPlugin(config, kind, passed, remedy string) error {
	if passed != "" {
		passed = " (" + passed + ")"
	}
	return fmt.Errorf("backend %q: XLA's %s plugin is not installed%s: %s; %s", config, kind, passed, remedy,
		pluginElsewhere)
}

// openCPU opens XLA's CPU plugin with this path, so that go-xla needs neither $PJRT_PLUGIN_LIBRARY_PATH nor a download.
// It is nil in a build without XLA.
var openCPU func(plugin string) (compute.Backend, error)

// Name returns the backend with its kind of device, such as "go" or "xla:cpu", without the path of its plugin.
func Name(backend compute.Backend) string {
	plugged, ok := backend.(interface{ PluginName() string })
	if !ok {
		return backend.String() // Backend.Name is "Go Backend"
	}
	plugin := strings.TrimPrefix(filepath.Base(plugged.PluginName()), "pjrt_c_api_")
	kind, _, _ := strings.Cut(strings.TrimSuffix(plugin, ".so"), "_") // pjrt_c_api_cpu_v0.83.1_plugin.so, or plain cpu
	return backend.Name() + ":" + kind
}
