package main

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/unhinged-lab/lab/unhinged/datasets"
)

func dataCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "data",
		Short: "List, get and verify the data sets",
		Long: `List, get and verify the data sets. They are looked for in $UNHINGED_DATA (or unhinged-lab in the user's cache
folder), where get puts them, and where package managers do.`,
		Args: cobra.NoArgs, // another command is an error, not a help text
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		&cobra.Command{
			Use: "list", Short: "Say which data sets are on this machine, and how to get the others", Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				for _, s := range datasets.List() {
					if s.Folder != "" {
						fmt.Fprintf(c.OutOrStdout(), "%-14s %s\n%15sin %s\n", s.Name, s.Title, "", s.Folder)
					} else {
						fmt.Fprintf(c.OutOrStdout(), "%-14s %s\n%15smissing; get it with `%s`\n", s.Name, s.Title, "", strings.Join(s.HowToGet, "`, or with `"))
					}
				}
				return nil
			},
		},
		&cobra.Command{
			Use: "get NAME…", Short: "Download data sets, going on where an earlier call stopped", Args: cobra.MinimumNArgs(1), ValidArgs: datasets.Names(),
			RunE: func(c *cobra.Command, names []string) error {
				ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
				defer stop()
				for _, name := range names {
					var progress func(string, int64, int64)
					if isTerminal(c.ErrOrStderr()) {
						var shown time.Time
						progress = func(file string, done, total int64) {
							if done == total || time.Since(shown) > 100*time.Millisecond {
								shown = time.Now()
								fmt.Fprintf(c.ErrOrStderr(), "\r\033[K%s: %.1f of %.1f MB", file, float64(done)/1e6, float64(total)/1e6)
							}
						}
					}
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
		},
		&cobra.Command{
			Use: "verify [NAME…]", Short: "Check the files of data sets against their published checksums, and their content against what is known of it", ValidArgs: datasets.Names(),
			RunE: func(c *cobra.Command, names []string) error {
				if len(names) == 0 {
					for _, s := range datasets.List() {
						if s.Folder != "" {
							names = append(names, s.Name)
						}
					}
				}
				if len(names) == 0 {
					return fmt.Errorf("no data set is on this machine; `unhinged data list` says how to get them")
				}
				for _, name := range names {
					d, err := datasets.Verify(name)
					if err != nil {
						return err
					}
					norm := d.Train.Normalisation()
					fmt.Fprintf(c.OutOrStdout(), "%s: every file in %s is as published: %d + %d images of %d×%d×%d in %d classes, channel means %.4f, standard deviations %.4f\n",
						name, d.Folder, d.Train.Len(), d.Test.Len(), d.Train.Height, d.Train.Width, d.Train.Channels, len(d.Classes), norm.Mean, norm.Std)
				}
				return nil
			},
		},
	)
	return c
}
