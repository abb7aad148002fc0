// Package deploy holds the templates of `unhinged submit`: batch scripts for Slurm and jobs for Kubernetes.
package deploy

import (
	"embed"
	"io/fs"
)

//go:embed slurm/*.sbatch kubernetes/*.yaml
var files embed.FS

// Files has the text templates slurm/*.sbatch and kubernetes/*.yaml. A Job fills them in.
func Files() fs.FS { return files }

// Job has the values that fill in a template.
type Job struct {
	Name      string
	Tasks     int      // N; the tasks are 1/N to N/N
	Command   string   // of the program, quoted for a shell, without --task or --worker
	Words     []string // the same, one by one
	Time      string   // limit of one try, as Slurm reads it
	CPUs      int
	Memory    string // of a task, such as 8G
	GPUs      int
	Partition string // of Slurm; may be empty
	Image     string // of Kubernetes
	Claim     string // of Kubernetes: the PersistentVolumeClaim that is mounted at /shared, ReadWriteMany
}
