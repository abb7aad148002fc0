package backends

import (
	"bytes"
	"io"
	"os"
	"strings"
)

// ynnFusions is the flag that says what XLA's CPU plugin gives to YNNPACK.
const ynnFusions = "xla_cpu_experimental_ynn_fusion_type"

// avoidYNNConvolutions makes the plugin, when it is loaded, keep convolutions from YNNPACK, by $XLA_FLAGS: the gradient
// of a 3×3 convolution of [64, 32, 32, 64] by its weights takes it 15 times as long as XLA's own code (1250 ms against
// 80 on two cores). A user's own setting of the flag stays, and so does a plugin without the flag: XLA ends the process
// at a flag unknown to it.
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
	kept := 0 // bytes of the last part that may begin the text
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
