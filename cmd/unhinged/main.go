// Command unhinged reproduces the figures of "On the Dynamics Under the Unhinged Loss and Beyond", judges its
// sentences, trains networks with its methods, and computes kernels.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/unhinged-lab/lab/internal/build"
)

func main() {
	root := &cobra.Command{
		Use:           "unhinged",
		Short:         "Theory and experiments of the paper \"On the Dynamics Under the Unhinged Loss and Beyond\"",
		Version:       build.Version + " (commit " + build.Commit() + ")",
		SilenceUsage:  true, // an error is one line
		SilenceErrors: true,
	}
	root.AddCommand(
		figuresCommand(),
		claimsCommand(),
		measureCommand(),
		trainCommand(),
		kernelCommand(),
		submitCommand(),
		dataCommand(),
		labCommand(),
		doctorCommand(),
	)
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "unhinged:", advice(strings.Join(strings.Fields(err.Error()), " "))) // one line
		os.Exit(1)
	}
}
