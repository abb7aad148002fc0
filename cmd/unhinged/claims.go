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
		Long: "Judge every checkable sentence of the paper, by section and page, with the evidence and the erratum: " +
			"theorems and lemmas beside brute\n" +
			"force, sentences on numerical figures by running the figures, those on networks by recorded runs. " +
			"Verdicts are: holds, fails, corrected\n" +
			"(the named erratum holds), undecided (the runs cannot tell), not claimed here (with the reason), " +
			"needs data.",
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
