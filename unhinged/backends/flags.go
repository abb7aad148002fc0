package backends

import (
	"bytes"
	"io"
	"os"
	"strings"
)

// ynnFusions is the flag that selects which operations XLA's CPU plugin computes with the library YNNPACK.
const ynnFusions = "xla_cpu_experimental_ynn_fusion_type"

// avoidYNNConvolutions sets $XLA_FLAGS so that the plugin, which reads it when it is loaded, computes convolutions with
// XLA's own code and not with YNNPACK: the gradient of a 3×3 convolution of [64, 32, 32, 64] by its weights takes
// YNNPACK 15 times as long (1250 ms instead of 80 ms on two cores). A setting of the flag by the user is kept. The flag
// is not set if the plugin does not know it, because XLA ends the process at an unknown flag.
func avoidYNNConvolutions(plugin string) {
	const convolution = "LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION"
	flags := os.Getenv("XLA_FLAGS")
	if !strings.Contains(flags, ynnFusions) && contains(plugin, ynnFusions) && contains(plugin, convolution) {
		os.Setenv("XLA_FLAGS", strings.TrimSpace(flags+" --"+ynnFusions+"=-"+convolution))
	}
}

// contains reports whether a file has this text in it.
func contains(path, text string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	buffer := make([]byte, 1<<20)
	kept := 0 // bytes of the last part with which the text may begin
	for {
		n, err := io.ReadFull(file, buffer[kept:])
		part := buffer[:kept+n]
		if bytes.Contains(part, []byte(text)) {
			return true
		}
		if err != nil {
			return false
		}
		kept = copy(buffer, part[len(part)-len(text)+1:])
	}
}
