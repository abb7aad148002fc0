// Package configs holds the configuration files of `unhinged train`: the paper's settings, fast ones that reach
// accuracies of that class on two cores, small ones for an evening on a CPU, and a medium one, a larger network with
// two methods.
package configs

import "embed"

// Files are paper/*.json, fast/*.json, medium/*.json and small/*.json.
//
//go:embed paper/*.json fast/*.json medium/*.json small/*.json
var Files embed.FS
