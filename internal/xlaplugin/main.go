// Command xlaplugin FOLDER puts XLA's CPU plugin into a folder, by go-xla's own installer: in the version that go-xla
// is pinned to, from github.com/gomlx/pjrt-cpu-binaries. scripts/setup runs it on request on systems for which there is
// no wheel with the plugin. The installer checks no checksum.
package main

import (
	"fmt"
	"os"

	"github.com/gomlx/go-xla/installer"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: xlaplugin FOLDER")
		os.Exit(2)
	}
	if err := installer.CPUAutoInstall(os.Args[1], false, installer.Quiet); err != nil {
		fmt.Fprintln(os.Stderr, "xlaplugin:", err)
		os.Exit(1)
	}
}
