package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/unhinged-lab/lab/deploy"
)

// submitOptions are the flags of `unhinged submit`.
type submitOptions struct {
	deploy.Job
	program string
	print   bool
}

// cluster is a batch system.
type cluster struct {
	folder  string   // of the templates
	suffix  string   // of the templates' names
	client  []string // the command that takes a filled template from its standard input
	program string   // the default one
}

var clusters = map[string]cluster{
	"slurm":      {"slurm", "sbatch", []string{"sbatch"}, ""},
	"kubernetes": {"kubernetes", "yaml", []string{"kubectl", "apply", "--filename", "-"}, "unhinged"},
}

func submitCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "submit",
		Short: "Submit trainings or kernels to Slurm or Kubernetes, as an array of tasks",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(submitToCommand("slurm"), submitToCommand("kubernetes"))
	return c
}

func submitToCommand(system string) *cobra.Command {
	var o submitOptions
	to := clusters[system]
	c := &cobra.Command{
		Use:   system + " [flags] -- train|kernel compute ARGUMENTS",
		Short: "Submit an array of tasks with " + to.client[0],
		Long: fmt.Sprintf(`Fill in the template for %s and submit it with %s. Task k of N runs the command with --task
k/N, or with --worker k/N for kernel compute. All tasks need one shared folder for the results: --out names it. If
%[2]s is not installed, the command prints the filled template and the command that submits it.

The same command can be submitted twice: a task skips what is finished and what another task has claimed.`,
			system, to.client[0]),
		Example: "  unhinged submit " + system + " --tasks 8 -- train --config small/cifar-10 --out /shared/cifar",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), to, args, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.IntVar(&o.Tasks, "tasks", 1, "number of tasks N")
	f.StringVar(&o.Name, "name", "", "name of the job (default: unhinged-train or unhinged-kernel)")
	f.IntVar(&o.CPUs, "cpus", 2, "processors of a task")
	f.StringVar(&o.Memory, "mem", "4G", "memory of a task")
	f.IntVar(&o.GPUs, "gpus", 0, "GPUs of a task")
	f.BoolVar(&o.print, "print", false, "print the filled template, and submit nothing")
	if system == "slurm" {
		f.StringVar(&o.Time, "time", "24:00:00",
			"time limit; shortly before it, a task saves its results and is queued again")
		f.StringVar(&o.Partition, "partition", "", "partition (default: Slurm's)")
		f.StringVar(&o.program, "program", "", "path of unhinged on the nodes (default: that of this program)")
	} else {
		f.StringVar(&o.Image, "image", "", "container image that contains unhinged")
		f.StringVar(&o.Claim, "claim", "unhinged",
			"PersistentVolumeClaim with access mode ReadWriteMany, mounted at /shared")
		f.StringVar(&o.program, "program", to.program, "path of unhinged in the image")
	}
	return c
}

// jobName is the form of a name that Kubernetes accepts. It is no option of a client, and it has no characters that are
// special in a path or a script.
var jobName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$`)

// plainValue is the form of the other values of a job. They are put into lines of #SBATCH as they are.
var plainValue = regexp.MustCompile(`^[A-Za-z0-9_:,.-]*$`)

// fill returns the template's text.
func (o submitOptions) fill(to cluster, args []string) (string, error) {
	what := args[0]
	if what != "train" && (what != "kernel" || len(args) < 2 || args[1] != "compute") {
		return "", fmt.Errorf("%s cannot be divided into tasks: want train or kernel compute", shellLine(args))
	}
	for _, flag := range []string{"--task", "--worker"} {
		if slices.ContainsFunc(args, func(a string) bool { return a == flag || strings.HasPrefix(a, flag+"=") }) {
			return "", fmt.Errorf("%s is set for each task: leave it out", flag)
		}
	}
	if !slices.ContainsFunc(args, func(a string) bool { return a == "--out" || strings.HasPrefix(a, "--out=") }) {
		return "", errors.New("--out is missing: the folder of the results, which all tasks share")
	}
	if o.Name == "" {
		o.Name = "unhinged-" + what
	}
	switch {
	case !jobName.MatchString(o.Name):
		return "", fmt.Errorf("--name %s: want up to 52 lower-case letters, digits and dashes, as in "+
			"unhinged-train", o.Name)
	case o.Tasks < 1 || o.Tasks > 100_000 || o.CPUs < 1 || o.GPUs < 0:
		return "", fmt.Errorf("--tasks %d, --cpus %d, --gpus %d: want 1 to 100000 tasks, at least 1 processor, and no "+
			"negative number", o.Tasks, o.CPUs, o.GPUs)
	case to.folder == "kubernetes" && o.Image == "":
		return "", errors.New("--image is missing: the image with unhinged")
	}
	for flag, value := range map[string]string{"mem": o.Memory, "time": o.Time, "partition": o.Partition} {
		if !plainValue.MatchString(value) {
			return "", fmt.Errorf("--%s %q: want letters, digits and : , . _ -", flag, value)
		}
	}
	if o.program == "" {
		var err error
		if o.program, err = os.Executable(); err != nil {
			return "", err
		}
	}
	o.Words = append([]string{o.program}, args...)
	o.Command = shellLine(o.Words)
	quote := func(v any) (string, error) {
		text, err := json.Marshal(v)
		return string(text), err
	}
	path := to.folder + "/" + what + "." + to.suffix
	doubled := func(word string) string { return strings.ReplaceAll(word, "$", "$$") } // Kubernetes expands $(NAME)
	functions := template.FuncMap{"json": quote, "doubled": doubled}
	form, err := template.New(what+"."+to.suffix).Funcs(functions).ParseFS(deploy.Files(), path)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	err = form.Execute(&text, o.Job)
	return text.String(), err
}

func (o submitOptions) run(ctx context.Context, to cluster, args []string, out, terminal io.Writer) error {
	text, err := o.fill(to, args)
	if err != nil {
		return err
	}
	client, err := exec.LookPath(to.client[0])
	if o.print || err != nil {
		fmt.Fprint(out, text)
		if !o.print {
			fmt.Fprintf(terminal, "%s is not installed here. Save the text above in a file, and where it is "+
				"installed: %s < FILE\n", to.client[0], shellLine(to.client))
		}
		return nil
	}
	submit := exec.CommandContext(ctx, client, to.client[1:]...)
	submit.Stdin, submit.Stdout, submit.Stderr = strings.NewReader(text), out, terminal
	if err := submit.Run(); err != nil {
		return fmt.Errorf("%s: %w", shellLine(to.client), err)
	}
	return nil
}
