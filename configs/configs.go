// Package configs holds the configuration files of `unhinged train`: the paper's settings, small ones for an evening on a CPU, and
// a medium one, a larger network with the two methods that are compared most.
package configs

import "embed"

// Files are paper/*.json, medium/*.json and small/*.json.
//
//go:embed paper/*.json medium/*.json small/*.json
var Files embed.FS
