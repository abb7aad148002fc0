package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func labCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lab [-- JUPYTERLAB'S OPTIONS]",
		Short: "Open JupyterLab on the notebooks of this checkout, set up first where need be (make lab)",
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

// findCheckout goes up from the working directory to the project's go.mod.
func findCheckout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module github.com/unhinged-lab/lab\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("not inside a checkout of github.com/unhinged-lab/lab: clone it, and run this there")
		}
		dir = filepath.Dir(dir)
	}
}
