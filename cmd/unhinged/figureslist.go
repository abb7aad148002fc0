package main

import (
	"fmt"
	"io"

	"github.com/unhinged-lab/lab/unhinged/paper"
)

// listItems prints a line for each item, or a description of each of those with the given ids.
func listItems(out io.Writer, runs string, ids []string) error {
	for _, id := range ids {
		item, err := paper.Lookup(id)
		if err != nil {
			return err
		}
		if err := describeItem(out, runs, item); err != nil {
			return err
		}
	}
	if len(ids) > 0 {
		return nil
	}
	for _, i := range paper.Items() {
		if _, err := fmt.Fprintf(out, "%-16s section %-4s %s; needs %s\n", i.ID, i.Section, i.Title,
			needsOf(i)); err != nil {
			return err
		}
	}
	return nil
}

// needsOf says what an item needs, and the command that makes or gets it.
func needsOf(i paper.Item) string {
	if i.Command == "" {
		return string(i.Needs)
	}
	return fmt.Sprintf("%s (`%s`)", i.Needs, i.Command)
}

// describeItem prints where an item is made, what it needs, and the verdicts on the sentences that it judges.
func describeItem(out io.Writer, runs string, i paper.Item) error {
	entries, err := i.Claims(runs)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %s\n  section   %s\n  needs     %s\n  made by   %s\n  verdicts  ", i.ID, i.Title, i.Section,
		needsOf(i), i.Code)
	if len(entries) == 0 {
		_, err := fmt.Fprintln(out, "none: the claim ledger has no sentence that it judges")
		return err
	}
	fmt.Fprintln(out, paper.Counts(entries))
	for _, e := range entries {
		if _, err := fmt.Fprintf(out, "    %s: %s [%s]\n", e.Verdict, e.Claim, e.Evidence); err != nil {
			return err
		}
	}
	return nil
}
