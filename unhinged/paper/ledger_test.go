package paper

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// wholeLedger judges every sentence, once for all tests.
var wholeLedger = sync.OnceValues(func() ([]Entry, error) { return Claims("") })

// entriesOf returns the whole ledger.
func entriesOf(t *testing.T) []Entry {
	t.Helper()
	entries, err := wholeLedger()
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// read returns the text of a file in the root of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestLedger checks that every entry is complete and judged, that entries are in the order of sections and pages, and
// that no theorem fails without an erratum.
func TestLedger(t *testing.T) {
	seen := map[string]bool{}
	var last Entry
	for _, e := range entriesOf(t) {
		if e.ID == "" || seen[e.ID] || e.Section == "" || e.Page < 1 || e.Page > 57 || e.Claim == "" ||
			e.Evidence == "" {
			t.Errorf("%+v lacks something, or is there twice", e)
		}
		seen[e.ID] = true
		if e.Section < last.Section || e.Section == last.Section && e.Page < last.Page {
			t.Errorf("%s (section %s, page %d) comes after section %s, page %d", e.ID, e.Section, e.Page, last.Section,
				last.Page)
		}
		last = e
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
	}
}

// TestLedgerHasEverySentence checks that each sentence of an entry is one that its item judges, and that the ledger has
// every sentence that a figure or a table judges. (Studies also judge sentences that are not in the paper.)
func TestLedgerHasEverySentence(t *testing.T) {
	used := map[string]bool{}
	for _, line := range ledger() {
		for _, id := range line.from.sentences {
			used[id] = true
			item, err := Lookup(line.from.item)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(item.Sentences, func(s result.Sentence) bool { return s.ID == id }) {
				t.Errorf("%s: %s does not judge %q", line.id, line.from.item, id)
			}
		}
	}
	for _, item := range Items() {
		for _, s := range item.Sentences {
			if item.Kind != Study && !used[s.ID] {
				t.Errorf("%s judges %q, which is in no entry", item.ID, s.ID)
			}
		}
	}
}

// TestLedgerHasEveryErratum checks that each erratum of ERRATA.md is that of an entry.
func TestLedgerHasEveryErratum(t *testing.T) {
	errata := map[string]bool{}
	for _, e := range entriesOf(t) {
		for _, number := range strings.Split(e.Erratum, ", ") {
			errata[number] = true
		}
	}
	listed := regexp.MustCompile(`(?m)^\| (E\d+) \|`).FindAllStringSubmatch(read(t, "ERRATA.md"), -1)
	if len(listed) < 30 {
		t.Fatalf("ERRATA.md lists %d errata", len(listed))
	}
	for _, match := range listed {
		if !errata[match[1]] {
			t.Errorf("erratum %s is in no entry", match[1])
		}
	}
}

// TestReadme checks that README.md has the counts of the ledger, and the verdicts on each item.
func TestReadme(t *testing.T) {
	readme, entries := read(t, "README.md"), entriesOf(t)
	if counts := fmt.Sprintf("%d claims: %s", len(entries), Counts(entries)); !strings.Contains(readme, counts) {
		t.Errorf("README.md should say %q", counts)
	}
	for _, item := range Items() {
		var own []Entry
		for _, e := range entries {
			if e.Item == item.ID {
				own = append(own, e)
			}
		}
		_, title, _ := strings.Cut(item.Title, ": ") // after "Figure 1"
		if item.Kind == Study {
			title = item.Title
		}
		row := fmt.Sprintf("| `%s` | %s | %s | %s |", item.ID, title, item.Needs, Counts(own))
		if !strings.Contains(readme, row+"\n") {
			t.Errorf("README.md should have the row\n%s", row)
		}
	}
}

// TestItemClaims checks that an item judges the entries of the ledger that name it.
func TestItemClaims(t *testing.T) {
	for _, id := range []string{"fig4", "fig13", "table1"} {
		item, err := Lookup(id)
		if err != nil {
			t.Fatal(err)
		}
		own, err := item.Claims("")
		if err != nil {
			t.Fatal(err)
		}
		var want []Entry
		for _, e := range entriesOf(t) {
			if e.Item == id {
				want = append(want, e)
			}
		}
		if !slices.Equal(own, want) {
			t.Errorf("%s: %+v, want %+v", id, own, want)
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
