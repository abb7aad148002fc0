// Program prints the commit it was built from.
package main

import (
	"fmt"

	"github.com/unhinged-lab/lab/internal/build"
)

func main() { fmt.Println(build.Commit()) }
