package paper

import (
	"errors"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/paper/training"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// TestItems checks that all 19 figures, all 6 tables and the studies exist, that each either can be made or says what
// is missing, and that each has the sentences that it judges.
func TestItems(t *testing.T) {
	kinds := map[Kind]int{}
	seen := map[string]bool{}
	for _, i := range Items() {
		kinds[i.Kind]++
		if seen[i.ID] || i.Title == "" || i.Section == "" || i.Needs == "" {
			t.Errorf("%+v is there twice, or lacks something", i)
		}
		seen[i.ID] = true
		if len(i.Sentences) == 0 && i.ID != "table1" { // table 1 is about other papers
			t.Errorf("%s judges no sentence", i.ID)
		}
		if (i.Needs != Nothing) != (i.Command != "") {
			t.Errorf("%s needs %s, and has the command %q", i.ID, i.Needs, i.Command)
		}
		if !declared(t, i.Code) {
			t.Errorf("%s: there is no function %s", i.ID, i.Code)
		}
		if got, err := Lookup(i.ID); err != nil || got.ID != i.ID {
			t.Errorf("%s is not found: %v", i.ID, err)
		}
	}
	if kinds[Figure] != 19 || kinds[Table] != 6 || kinds[Study] != 6 {
		t.Errorf("%v, should be 19 figures, 6 tables and 6 studies", kinds)
	}
	if _, err := Lookup("fig20"); err == nil || !strings.Contains(err.Error(), "fig19") {
		t.Errorf("error %v", err)
	}
}

// declared reports whether the package in a folder of the repository declares a function, such as
// "unhinged/paper/training.Figure12".
func declared(t *testing.T, code string) bool {
	t.Helper()
	folder, name, _ := strings.Cut(code, ".")
	paths, err := filepath.Glob(filepath.Join("..", "..", folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if file.Scope.Lookup(name) != nil {
			return true
		}
	}
	return false
}

// TestRecorded checks that figures of recorded runs are drawn from the results in the checkout, that their claims are
// about the sentences of the item, and that an item without runs names the command that makes them.
func TestRecorded(t *testing.T) {
	for _, id := range []string{"fig2", "fig12", "fig19", "neural-collapse", "table2", "table4", "table5",
		"otherlosses"} {
		f, err := Run(id, Options{})
		if err != nil {
			t.Fatal(err)
		}
		item, err := Lookup(id)
		if err != nil {
			t.Fatal(err)
		}
		if f.ID != id || f.Title != item.Title || len(f.Curves) == 0 || len(f.Claims) == 0 {
			t.Errorf("%s: %q with %d curves and %d claims", f.ID, f.Title, len(f.Curves), len(f.Claims))
		}
		for _, c := range f.Claims {
			if !slices.ContainsFunc(item.Sentences, func(s result.Sentence) bool { return s.ID == c.ID }) {
				t.Errorf("%s judges %q, which is not one of its sentences", id, c.ID)
			}
		}
	}
	_, err := Run("fig13", Options{})
	if !errors.Is(err, training.ErrNoRuns) || !strings.Contains(err.Error(), "`unhinged train --config paper/cifar-100` makes them") {
		t.Errorf("error %v", err)
	}
	if f, err := Run("errata", Options{}); err != nil || len(f.Table.Rows) != len(f.Claims) || len(f.Claims)%2 != 0 {
		t.Errorf("errata: %v", err)
	}
	if f, err := Run("table1", Options{}); err != nil || len(f.Table.Rows) != 9 {
		t.Errorf("table 1: %v", err)
	}
}

// TestRefusals checks that no item accepts an option that it does not use.
func TestRefusals(t *testing.T) {
	for id, o := range map[string]Options{
		"fig1": {Widths: []int{8}}, "fig4": {Runs: "x"}, "fig2": {P: 8}, "fig19": {Gammas: []float64{1}},
		"theorem8": {C: 3},
		"drift":    {State: dynamics.Gaussian(2, 2, 2, 1)}, "fig12": {Networks: 3},
		"fig5": {Images: 100}, "table2": {Images: 100}, "lazy": {Networks: 2},
	} {
		if _, err := Run(id, o); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s with %+v: error %v", id, o, err)
		}
	}
}
