package paper

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/unhinged-lab/lab/unhinged/errata"
	"github.com/unhinged-lab/lab/unhinged/paper/theorems"
	"github.com/unhinged-lab/lab/unhinged/paper/training"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Entry is the entry of a checkable sentence of the paper in the claim ledger.
type Entry struct {
	ID      string `json:"id"`
	Section string `json:"section"`
	Page    int    `json:"page"`
	Claim   string `json:"claim"`
	// Kind is "theorem" for a sentence that the paper proves, "evidence" for one about its runs, and "wording" for one
	// about names, other papers or misprints.
	Kind string `json:"kind"`
	// Verdict is "holds", "fails", "corrected", "undecided", "not claimed here" or "needs data".
	Verdict string `json:"verdict"`
	// Evidence says what the verdict is based on: a figure, a study, recorded runs or a test. Without a verdict it has
	// the reason.
	Evidence string `json:"evidence"`
	Erratum  string `json:"erratum,omitempty"`
	// Item is the id of the figure, table or study whose claims judge the sentence, if it is judged by one.
	Item string `json:"item,omitempty"`
}

// The verdicts of a ledger besides those of package result.
const (
	notClaimedHere = "not claimed here"
	needsData      = "needs data"
)

// source says how the verdict of an entry is found. One field is set (with item also sentences).
type source struct {
	item      string   // by the claims of an item
	sentences []string // that are about these sentences
	erratum   string   // a demonstration of package errata
	printed   string   // an erratum that needs no computation
	theorem   string   // a check of package theorems
	unjudged  string   // the reason why it is not judged
}

// ledgerLine is an entry without its verdict.
type ledgerLine struct {
	id, section string
	page        int
	kind, claim string
	from        source
}

// Claims judges every checkable sentence of the paper: theorems and lemmas by comparison with brute force, sentences
// about numerical figures by running the figures, and sentences about networks by the recorded runs in a folder or a
// pattern of folders ("" for those of the checkout). If sections are given, such as "3.1", it judges the sentences of
// these sections only. All of them take some seconds. The entries are in the order of their sections and pages.
func Claims(runs string, sections ...string) ([]Entry, error) {
	return judged(runs, func(line ledgerLine) bool {
		return len(sections) == 0 || slices.Contains(sections, line.section)
	})
}

// Claims judges the sentences of the paper that the item decides.
func (i Item) Claims(runs string) ([]Entry, error) {
	return judged(runs, func(line ledgerLine) bool { return line.from.by() == i.ID })
}

// judged judges the chosen lines of the ledger, and puts them in the order of their sections and pages.
func judged(runs string, chosen func(ledgerLine) bool) ([]Entry, error) {
	made := map[string]*result.Figure{}
	var entries []Entry
	for _, line := range ledger() {
		if !chosen(line) {
			continue
		}
		e := Entry{ID: line.id, Section: line.section, Page: line.page, Claim: line.claim, Kind: line.kind,
			Item: line.from.by()}
		if err := e.judge(line.from, runs, made); err != nil {
			return nil, fmt.Errorf("claim %s: %w", line.id, err)
		}
		entries = append(entries, e)
	}
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Section, b.Section), cmp.Compare(a.Page, b.Page))
	})
	return entries, nil
}

// by returns the id of the item that decides, or "".
func (s source) by() string {
	if s.erratum != "" {
		return "errata"
	}
	return s.item
}

// judge sets the verdict, the evidence and the erratum.
func (e *Entry) judge(from source, runs string, made map[string]*result.Figure) error {
	switch {
	case from.item != "":
		return e.judgeBy(from.item, from.sentences, runs, made)
	case from.erratum != "":
		claims, err := errata.Claims(from.erratum)
		if err != nil {
			return err
		}
		if len(claims) == 0 {
			return fmt.Errorf("there is no demonstration of %s", from.erratum)
		}
		e.take(claims[:1])
		e.Evidence = "unhinged figures errata, notebook 06"
	case from.printed != "":
		e.Verdict, e.Erratum, e.Evidence = string(result.Corrected), from.printed, "ERRATA.md"
	case from.theorem != "":
		claim, err := theorems.Check(from.theorem)
		if err != nil {
			return err
		}
		e.take([]result.Claim{claim})
		e.Evidence = fmt.Sprintf("%s: %.2g", claim.Claim, float64(claim.Measured))
	default:
		e.Verdict, e.Evidence = notClaimedHere, from.unjudged
	}
	return nil
}

// judgeBy judges the entry by the claims of an item that are about these sentences.
func (e *Entry) judgeBy(id string, sentences []string, runs string, made map[string]*result.Figure) error {
	item, err := Lookup(id)
	if err != nil {
		return err
	}
	figure, found := made[id]
	if !found {
		o := Options{Seed: 1}
		if item.Needs == Runs {
			o = Options{Runs: runs}
		}
		figure, err = item.Run(o)
		if errors.Is(err, training.ErrNoRuns) {
			e.Verdict, e.Evidence = needsData, err.Error()
			return nil
		}
		if err != nil {
			return err
		}
		made[id] = figure
	}
	var claims []result.Claim
	for _, c := range figure.Claims {
		if slices.Contains(sentences, c.ID) {
			claims = append(claims, c)
		}
	}
	e.Evidence = "unhinged figures " + id
	if len(claims) == 0 {
		e.Verdict, e.Evidence = needsData, e.Evidence+": the runs that are there do not judge it"
		return nil
	}
	e.take(claims)
	e.Evidence += ": " + result.Tally(claims)
	return nil
}

// take sets the verdict from those of several claims, and the errata. It is the first one of fails, undecided,
// corrected and holds that one of the claims has.
func (e *Entry) take(claims []result.Claim) {
	order := []result.Verdict{result.Fails, result.Undecided, result.Corrected, result.Holds, result.NotClaimed}
	worst := len(order)
	var numbers []string
	for _, c := range claims {
		worst = min(worst, slices.Index(order, c.Verdict))
		if c.Erratum != "" && !slices.Contains(numbers, c.Erratum) {
			numbers = append(numbers, c.Erratum)
		}
	}
	e.Verdict, e.Erratum = string(order[worst]), strings.Join(numbers, ", ")
	if order[worst] == result.NotClaimed {
		e.Verdict = notClaimedHere
	}
}

// Counts counts the verdicts of entries, in the order of the ledger's verdicts.
func Counts(entries []Entry) string {
	number := map[string]int{}
	for _, e := range entries {
		number[e.Verdict]++
	}
	var parts []string
	for _, v := range []string{string(result.Holds), string(result.Corrected), string(result.Fails),
		string(result.Undecided), notClaimedHere, needsData} {
		if number[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", number[v], v))
		}
	}
	return strings.Join(parts, ", ")
}
