// Package configs holds the configuration files of `unhinged train`: the paper's settings, fast ones that reach
// accuracies of that class on two cores, small ones for an evening on a CPU, and a medium one, a larger network with
// two methods.
package configs

import (
	"embed"
	"io/fs"
)

//go:embed paper/*.json fast/*.json medium/*.json small/*.json
var files embed.FS

// Files has the folders paper, fast, medium and small with their *.json.
func Files() fs.FS { return files }
