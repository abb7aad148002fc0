// Package configs holds the configuration files of `unhinged train`: the paper's settings, and small ones for a CPU.
package configs

import "embed"

// Files are paper/*.json and small/*.json.
//
//go:embed paper/*.json small/*.json
var Files embed.FS
