package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/paper"
)

// TestClaimsCommand checks that the command prints the ledger of a section with its counts, and writes it as a list.
func TestClaimsCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "claims.json")
	printed, err := call(t.Context(), claimsCommand(), "--section", "3.1", "--json", file)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var entries []paper.Entry
	if err := json.Unmarshal(content, &entries); err != nil || len(entries) < 10 {
		t.Fatalf("%d entries, error %v", len(entries), err)
	}
	for _, e := range entries {
		if e.Section != "3.1" || !strings.Contains(printed, e.Claim) {
			t.Errorf("%+v is not of the section, or not printed", e)
		}
	}
	if !strings.Contains(printed, paper.Counts(entries)) {
		t.Errorf("%s is without the counts", printed)
	}
	t.Chdir(t.TempDir()) // there are no recorded runs outside of a checkout
	printed, err = call(t.Context(), claimsCommand(), "--section", "4.1")
	if err != nil || !strings.Contains(printed, "needs data") || !strings.Contains(printed, "outside of a checkout") {
		t.Errorf("printed %q, error %v", printed, err)
	}
	if _, err := call(t.Context(), claimsCommand(), "--section", "9"); err == nil || !strings.Contains(err.Error(),
		"there is no claim of this section") {
		t.Errorf("error %v", err)
	}
}
