package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/unhinged-lab/lab/internal/build"
)

func labCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lab [-- JUPYTERLAB'S OPTIONS]",
		Short: "Open JupyterLab on the notebooks of this checkout, after setting it up if necessary (make lab)",
		RunE: func(_ *cobra.Command, args []string) error {
			checkout, err := findCheckout()
			if err != nil {
				return err
			}
			script := filepath.Join(checkout, "scripts", "lab")
			return fmt.Errorf("%s: %w", script, syscall.Exec(script, append([]string{script}, args...), os.Environ()))
		},
	}
}

// findCheckout returns the folder of the project's go.mod, at or above the working directory.
func findCheckout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if build.IsCheckout(dir) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("not inside a checkout of github.com/unhinged-lab/lab: clone it, and run this there")
		}
		dir = filepath.Dir(dir)
	}
}
