package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/unhinged-lab/lab/unhinged/datasets"
)

func dataCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "data",
		Short: "List, get and verify the data sets",
		Long: `List, get and verify the data sets. They are looked for in $UNHINGED_DATA (or unhinged-lab in the user's
cache folder), where get puts them, and where package managers do.`,
		Args: cobra.NoArgs, // an unknown command is an error and does not print the help text
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(dataListCommand(), dataGetCommand(), dataVerifyCommand())
	return c
}

func dataListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the data sets, with their folder on this machine or how to get them",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, s := range datasets.List() {
				where := "in " + s.Folder
				switch {
				case errors.Is(s.Err, datasets.ErrMissing):
					where = fmt.Sprintf("missing; get it with `%s` (from %s)",
						strings.Join(s.HowToGet, "`, or with `"),
						strings.Join(s.Mirrors, " or "))
				case s.Err != nil:
					where = s.Err.Error()
				}
				fmt.Fprintf(c.OutOrStdout(), "%-14s %s\n%15s%s\n", s.Name, s.Title, "", where)
			}
			return nil
		},
	}
}

func dataGetCommand() *cobra.Command {
	return &cobra.Command{
		Use: "get NAME…", Short: "Download data sets, continuing where an earlier call stopped",
		ValidArgs: datasets.Names(),
		Long: fmt.Sprintf(`Download data sets (%s), unless they are already on this machine. They are written to
$UNHINGED_DATA, or to unhinged-lab in the user's cache folder. An interrupted download continues where it stopped.
Every file is compared with its published checksum. The command uses $HTTPS_PROXY, $HTTP_PROXY and $NO_PROXY.`,
			strings.Join(datasets.Names(), ", ")),
		Args: func(_ *cobra.Command, names []string) error {
			if len(names) == 0 {
				return fmt.Errorf("name the data sets to get: there are %s", strings.Join(datasets.Names(), ", "))
			}
			return nil
		},
		RunE: func(c *cobra.Command, names []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			for _, name := range names {
				progress := showBytes(c.ErrOrStderr())
				folder, err := datasets.Get(ctx, name, progress)
				if progress != nil {
					fmt.Fprint(c.ErrOrStderr(), "\r\033[K")
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%s: complete and verified in %s\n", name, folder)
			}
			return nil
		},
	}
}

func dataVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "verify [NAME…]",
		Short: "Compare the files of data sets with their published checksums, and their content with " +
			"known properties", ValidArgs: datasets.Names(),
		Long: `Read all files of data sets again and check them. The command compares the files with their published
checksums, the numbers of images, in all and in each class, and the mean and the standard deviation of each channel
with the known values, and the images that were decoded earlier with the files. Without names it checks all data sets
on this machine.`,
		RunE: func(c *cobra.Command, names []string) error {
			if len(names) == 0 {
				for _, s := range datasets.List() {
					if !errors.Is(s.Err, datasets.ErrMissing) {
						names = append(names, s.Name)
					}
				}
			}
			if len(names) == 0 {
				return fmt.Errorf("no data set is on this machine; `unhinged data list` says how to get them")
			}
			var failed []string
			for _, name := range names {
				d, err := datasets.Verify(name, showBytes(c.ErrOrStderr()))
				if err != nil {
					if len(names) == 1 {
						return err
					}
					failed = append(failed, name)
					fmt.Fprintf(c.OutOrStdout(), "%s: NOT VERIFIED: %v\n", name, err)
					continue
				}
				norm := d.Train.Normalisation()
				fmt.Fprintf(c.OutOrStdout(),
					"%s: every file in %s is as published: %d + %d images of %d×%d×%d in %d classes, channel "+
						"means %.4f, standard deviations %.4f\n",
					name, d.Folder, d.Train.Len(), d.Test.Len(), d.Train.Height, d.Train.Width, d.Train.Channels,
					len(d.Classes), norm.Mean, norm.Std)
			}
			if failed != nil {
				return fmt.Errorf("%d of %d data sets could not be verified: %s", len(failed), len(names),
					strings.Join(failed, ", "))
			}
			return nil
		},
	}
}

// showBytes returns a function that shows the progress of a download or another task in one line of the terminal, ten
// times a second, until it is done. It returns nil if there is no terminal.
func showBytes(terminal io.Writer) datasets.Progress {
	if !isTerminal(terminal) {
		return nil
	}
	var shown time.Time
	return func(what string, done, total int64) {
		if done == total {
			fmt.Fprint(terminal, "\r\033[K")
		}
		if done == total || time.Since(shown) < 100*time.Millisecond {
			return
		}
		shown = time.Now()
		of := ""
		if total >= 0 {
			of = fmt.Sprintf(" of %.1f", float64(total)/1e6)
		}
		fmt.Fprintf(terminal, "\r\033[K%s: %.1f%s MB", what, float64(done)/1e6, of)
	}
}
