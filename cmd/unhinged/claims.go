package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/unhinged-lab/lab/internal/files"
	"github.com/unhinged-lab/lab/unhinged/paper"
)

func claimsCommand() *cobra.Command {
	var runs, section, file string
	c := &cobra.Command{
		Use:   "claims",
		Short: "Judge every checkable sentence of the paper: the claim ledger",
		Long: `Judge every checkable sentence of the paper, and print it by section and page with its evidence and its
erratum. Theorems and lemmas are compared with brute force, sentences about numerical figures are judged by running
the figures, and sentences about networks are judged by recorded runs.

The verdicts are: holds; fails; corrected (the printed claim fails, and the form in the named erratum holds);
undecided (the runs cannot decide it); not claimed here (the reason is given); needs data (runs are missing).`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if isTerminal(c.ErrOrStderr()) {
				fmt.Fprintln(c.ErrOrStderr(), "running the figures and studies, which takes some seconds …")
			}
			var sections []string
			if section != "" {
				sections = []string{section}
			}
			entries, err := paper.Claims(runs, sections...)
			if err != nil {
				return err
			}
			if len(entries) == 0 {
				return fmt.Errorf("--section %s: there is no claim of this section; sections are written as 3.1, 4.2 "+
					"or C.1", section)
			}
			if file != "" {
				content, err := json.MarshalIndent(entries, "", "  ")
				if err != nil {
					return err
				}
				if err := files.WriteBytes(filepath.Clean(file), append(content, '\n')); err != nil {
					return err
				}
			}
			return printClaims(c.OutOrStdout(), entries)
		},
	}
	f := c.Flags()
	f.StringVar(&runs, "runs", "",
		"folder of recorded runs, or a pattern of such folders (default: the checkout's results/training/*)")
	f.StringVar(&section, "section", "", "judge only this section, such as 4.2")
	f.StringVar(&file, "json", "", "also write the claims to this file")
	return c
}

// printClaims prints a line for each entry, and the counts.
func printClaims(out io.Writer, entries []paper.Entry) error {
	for _, e := range entries {
		erratum := ""
		if e.Erratum != "" {
			erratum = " (" + e.Erratum + ")"
		}
		if _, err := fmt.Fprintf(out, "%-4s p. %-2d  %-16s %s%s [%s]\n", e.Section, e.Page, e.Verdict, e.Claim, erratum,
			e.Evidence); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%d claims: %s\n", len(entries), paper.Counts(entries))
	return err
}
