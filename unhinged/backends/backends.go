// Package backends registers the backends of gomlx that this build can have, and opens the best one: "go" always, and
// "xla" if the program was built with a C compiler (go-xla uses cgo). gomlx's own backends/default does not build with
// CGO_ENABLED=0.
package backends

import _ "github.com/gomlx/compute/gobackend" // registers "go"
