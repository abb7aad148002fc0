package configs_test

import (
	"fmt"
	"io/fs"

	"github.com/janpfeifer/must"

	"github.com/unhinged-lab/lab/configs"
)

// The configurations with the paper's own settings.
func ExampleFiles() {
	for _, path := range must.M1(fs.Glob(configs.Files(), "paper/*.json")) {
		fmt.Println(path)
	}
	// Output:
	// paper/cifar-10.json
	// paper/cifar-100.json
	// paper/imagenet-100.json
}
