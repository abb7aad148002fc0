package paper

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// TestLedger checks that every entry is complete and judged, that no theorem fails without an erratum, and that the
// ledger has every sentence that an item judges and every erratum.
func TestLedger(t *testing.T) {
	entries, err := Claims("")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d claims: %s", len(entries), Counts(entries))
	seen := map[string]bool{}
	errata := map[string]bool{}
	for _, e := range entries {
		if e.ID == "" || seen[e.ID] || e.Section == "" || e.Page < 1 || e.Page > 57 || e.Claim == "" ||
			e.Evidence == "" {
			t.Errorf("%+v lacks something, or is there twice", e)
		}
		seen[e.ID] = true
		if !slices.Contains([]string{theorem, evidence, wording}, e.Kind) {
			t.Errorf("%s is of kind %q", e.ID, e.Kind)
		}
		if !slices.Contains([]string{"holds", "fails", "corrected", "undecided", "not claimed here", "needs data"},
			e.Verdict) {
			t.Errorf("%s has the verdict %q", e.ID, e.Verdict)
		}
		if (e.Verdict == "corrected") != (e.Erratum != "") {
			t.Errorf("%s is %s, with the erratum %q", e.ID, e.Verdict, e.Erratum)
		}
		if e.Kind == theorem && !slices.Contains([]string{"holds", "corrected"}, e.Verdict) {
			t.Errorf("theorem %s: %s (%s)", e.ID, e.Verdict, e.Evidence)
		}
		for _, number := range strings.Split(e.Erratum, ", ") {
			errata[number] = true
		}
	}
	used := map[string]bool{}
	for _, line := range ledger() {
		for _, id := range line.from.sentences {
			used[line.from.item+" "+id] = true
			item, err := Lookup(line.from.item)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(item.Sentences, func(s result.Sentence) bool { return s.ID == id }) {
				t.Errorf("%s: %s does not judge %q", line.id, line.from.item, id)
			}
		}
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if counts := fmt.Sprintf("%d claims: %s", len(entries), Counts(entries)); !strings.Contains(string(readme),
		counts) {
		t.Errorf("README.md should say %q", counts)
	}
	listed, err := os.ReadFile(filepath.Join("..", "..", "ERRATA.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`(?m)^\| (E\d+) \|`).FindAllStringSubmatch(string(listed), -1) {
		if number := match[1]; !errata[number] && number != "E34" { // E34 refines E13
			t.Errorf("erratum %s is in no entry", number)
		}
	}
}

// TestLedgerNeedsRuns checks that a folder without runs gives entries that need data, without an error.
func TestLedgerNeedsRuns(t *testing.T) {
	e := Entry{ID: "x"}
	if err := e.judge(of("fig13", "efr-limits-norms"), "", map[string]*result.Figure{}); err != nil ||
		e.Verdict != "needs data" ||
		!strings.Contains(e.Evidence, "unhinged train") {
		t.Errorf("%+v, error %v", e, err)
	}
	if err := e.judge(source{erratum: "E99"}, "", nil); err == nil {
		t.Error("a demonstration that there is not")
	}
}
