package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/spf13/cobra"

	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check which backends, tools and data sets work here, and say what to do about the others",
		Long: "Check which backends, tools and data sets work here, and say what to do about the others.\n" +
			"It fails only if the pure-Go backend does not work: theory, figures and small networks need no other.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return doctor(c.OutOrStdout()) },
	}
}

func doctor(out io.Writer) error {
	say := func(what string, problem error, found, remedy string) {
		if problem == nil {
			fmt.Fprintf(out, "ok       %-13s %s\n", what, found)
			return
		}
		fmt.Fprintf(out, "missing  %-13s %s\n", what, firstLine(problem))
		if remedy != "" {
			fmt.Fprintf(out, "         %-13s → %s\n", "", advice(remedy))
		}
	}
	checkout, notInCheckout := findCheckout()
	inLab := func(path string) string { return filepath.Join(checkout, ".lab", path) }
	fmt.Fprintf(out, "         %-13s %s, %s/%s, %d cores\n", "built with", runtime.Version(), runtime.GOOS,
		runtime.GOARCH, runtime.NumCPU())
	os.Unsetenv(compute.ConfigEnvVar) // $GOMLX_BACKEND would hide all backends but the one that it names
	goErr := computesOn("go")
	say("go", goErr, "the pure-Go backend computes", "this is a defect of the lab: please report it")
	plugin, err := xlaPlugin("")
	say("xla:cpu", err, "XLA computes, with "+plugin,
		"install a C compiler (gcc) and run make setup; until then the pure-Go backend is used, which is slow for "+
			"training")
	plugin, err = xlaPlugin("xla:cuda")
	say("xla:cuda", err, "XLA computes on the GPU, with "+plugin, "it needs an NVIDIA GPU and its driver")

	if notInCheckout != nil {
		say("notebooks", notInCheckout, "", "")
	} else {
		kernel := filepath.Join(checkout, "jupyter", "kernels", "unhinged", "kernel.json")
		say("kernel", exists(kernel), "Go (unhinged), in "+filepath.Dir(kernel), "git checkout -- jupyter")
		for _, tool := range []string{"gonb", "goimports", "gopls"} {
			say(tool, exists(inLab("bin/"+tool)), inLab("bin/"+tool), "make setup")
		}
		version, err := exec.Command(inLab("venv/bin/jupyter-lab"), "--version").Output()
		say("jupyterlab", err, strings.TrimSpace(string(version))+", in "+inLab("venv"), "make setup")
		plotly := filepath.Join(checkout, "jupyter", "labextensions", "unhinged-assets", "plotly-4.1.1.min.js")
		say("plotly.js", exists(plotly), plotly, "make setup; without it figures do not answer the mouse")
	}

	for _, set := range datasets.List() {
		missing := set.Err
		if errors.Is(missing, datasets.ErrMissing) {
			missing = fmt.Errorf("%s is in none of %s", set.Title, strings.Join(set.Searched, ", "))
		}
		say(set.Name, missing, set.Folder, "`"+strings.Join(set.HowToGet, "`, or `")+"`")
	}
	if goErr != nil {
		return fmt.Errorf("the pure-Go backend does not work: %s", firstLine(goErr))
	}
	return nil
}

// xlaPlugin returns the plugin with which XLA computes, on the CPU for the empty configuration.
func xlaPlugin(config string) (string, error) {
	if !slices.Contains(compute.List(), "xla") {
		return "",
			errors.New("this build has no XLA: it was built without cgo, or for a platform that go-xla does not know")
	}
	backend, note, err := backends.Open(config)
	if err != nil {
		return "", err
	}
	defer backend.Finalize()
	plugged, ok := backend.(interface{ PluginName() string })
	if !ok {
		return "", errors.New(note)
	}
	return plugged.PluginName(), computes(backend)
}

func computesOn(config string) error {
	backend, _, err := backends.Open(config)
	if err != nil {
		return err
	}
	defer backend.Finalize()
	return computes(backend)
}

// computes checks that the backend can multiply 2 by 3.
func computes(backend compute.Backend) error {
	product, err := graph.CallOnce(backend, graph.Mul, float32(2), float32(3))
	if err != nil {
		return err
	}
	if got := tensors.ToScalar[float32](product); got != 6 {
		return fmt.Errorf("it computes 2·3 = %v", got)
	}
	return nil
}

func exists(path string) error {
	_, err := os.Stat(path)
	return err
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
