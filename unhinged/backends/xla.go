//go:build cgo && !noxla && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package backends

import _ "github.com/gomlx/go-xla/compute/xla" // registers "xla"
