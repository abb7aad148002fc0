package deploy_test

import (
	"bytes"
	"fmt"
	"strings"
	"text/template"

	"github.com/janpfeifer/must"

	"github.com/unhinged-lab/lab/deploy"
)

// A template becomes a batch script for an array of four tasks.
func ExampleFiles() {
	script := must.M1(template.ParseFS(deploy.Files(), "slurm/train.sbatch"))
	var text bytes.Buffer
	must.M(script.Execute(&text, deploy.Job{Name: "unhinged-train", Tasks: 4, CPUs: 2, Memory: "4G", Time: "24:00:00",
		Command: "unhinged train --config small/cifar-10 --out /shared/cifar"}))
	for line := range strings.Lines(text.String()) {
		if strings.Contains(line, "array=1") || strings.HasPrefix(line, "unhinged") {
			fmt.Print(line)
		}
	}
	// Output:
	// #SBATCH --array=1-4
	// unhinged train --config small/cifar-10 --out /shared/cifar --task "$SLURM_ARRAY_TASK_ID/4" &
}
