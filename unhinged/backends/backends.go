// Package backends registers the backends of gomlx that this build can have: "go" always, and "xla" where a C compiler
// was there to build it (go-xla uses cgo). Import it for its side effect in place of gomlx's backends/default,
// which does not build with CGO_ENABLED=0.
package backends

import _ "github.com/gomlx/compute/gobackend" // registers "go"
