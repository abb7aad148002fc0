// Package paper is the registry of "On the Dynamics Under the Unhinged Loss and Beyond" (JMLR 24, 23-0771): every
// figure, table and study by its id, with what it needs, how it is made and which sentences it judges.
//
//	figure, err := paper.Run("fig1", paper.Options{})
//	svg, err := plots.SVG(*figure)
//
// Packages numeric, studies and training make the items.
package paper

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/paper/numeric"
	"github.com/unhinged-lab/lab/unhinged/paper/studies"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Options change how an item is made. The zero value gives the paper's settings. It is an error to set an option that
// the item does not use.
type Options struct {
	P, C, N int // numerical figures: feature dimension, classes, samples per class; default 512, 100, 10
	Steps   int // gradient-descent steps; default 50,000
	Seed    uint64

	// values of γ: figures 1 and 5 use several, the others and theorem8 one; an empty list means the paper's values
	Gammas  []float64
	Lambdas []float64 // figures 4, 7 and 15
	Etas    []float64 // figures 6 and 9 use several, the others and theorem8 one
	Ratios  []float64 // s = η1/η2: figure 8

	// State, if set, is used in place of the random initial state, for a user's own features. P, C, N and Seed then
	// have no effect, and the default values of γ are around 2/(C−2). Title is that of the features.
	State *dynamics.State
	Title string
	// Studies: the widths of the networks, and the number of networks of the largest width.
	Widths   []int
	Networks int
	Images   int // number of training images of the study lazy
	// Runs is the folder of recorded runs, or a pattern of such folders, for figures that are drawn from them.
	Runs string

	Command string // recorded in the provenance
	// Progress, if set, is called from time to time with the work that is done, such as a number of curves, and all of
	// it; all is 0 where it is not known before the end.
	Progress func(done, all int)
}

// Kind is the kind of an item.
type Kind string

// The kinds of items.
const (
	Figure Kind = "figure"
	Table  Kind = "table"
	Study  Kind = "study" // an experiment that is in no figure of the paper
)

// Need says what must exist before an item can be made.
type Need string

// The needs of items.
const (
	Nothing Need = "nothing"
	Runs    Need = "recorded runs"
	Data    Need = "a data set"
)

// Item is a figure, a table or a study of the paper.
type Item struct {
	ID, Title string
	Kind      Kind
	Section   string
	Needs     Need
	// Command is the command that makes or gets what the item needs, if it needs anything.
	Command string
	// Code is the function that makes or draws the item, behind the folder of its package:
	// "unhinged/paper/training.Figure12".
	Code string
	// Sentences are the sentences that the item judges.
	Sentences []result.Sentence

	run func(Options) (*result.Figure, error)
}

// Run makes the item.
func (i Item) Run(o Options) (*result.Figure, error) {
	f, err := i.run(o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", i.ID, err)
	}
	f.ID, f.Title = i.ID, i.Title
	if o.State != nil {
		_, shown, _ := strings.Cut(i.Title, ": ") // after "Figure 1"
		f.Title = cmp.Or(o.Title, "The user's features") + ": " + shown
	}
	if needs, found := f.Settings["needs"]; found {
		f.Settings["needs"] = fmt.Sprintf("%s; `%s` makes runs, and --runs DIR names the folder that they are in",
			needs, i.Command)
	}
	return f, nil
}

// Run makes the item of this id.
func Run(id string, o Options) (*result.Figure, error) {
	i, err := Lookup(id)
	if err != nil {
		return nil, err
	}
	return i.Run(o)
}

// Lookup returns the item of this id, such as "fig2", "table2" or "theorem8".
func Lookup(id string) (Item, error) {
	items := Items()
	if i := slices.IndexFunc(items, func(i Item) bool { return i.ID == id }); i >= 0 {
		return items[i], nil
	}
	var ids []string
	for _, i := range items {
		ids = append(ids, i.ID)
	}
	return Item{}, fmt.Errorf("there is no figure, table or study %q; there are %s", id, strings.Join(ids, ", "))
}

// runNumeric makes a numerical figure.
func runNumeric(id string) func(Options) (*result.Figure, error) {
	return func(o Options) (*result.Figure, error) {
		if o.Widths != nil || o.Networks != 0 || o.Images != 0 || o.Runs != "" {
			return nil, fmt.Errorf("a numerical figure does not use widths, networks, images or runs")
		}
		return numeric.Run(id, numeric.Options{P: o.P, C: o.C, N: o.N, Steps: o.Steps, Seed: o.Seed, Gammas: o.Gammas,
			Lambdas: o.Lambdas, Etas: o.Etas, Ratios: o.Ratios, State: o.State, Command: o.Command,
			Progress: o.Progress})
	}
}

// runStudy makes a study.
func runStudy(run func(studies.Options) (*result.Figure, error)) func(Options) (*result.Figure, error) {
	return func(o Options) (*result.Figure, error) {
		switch {
		case o.P != 0 || o.C != 0 || o.N != 0 || o.Steps != 0 || o.State != nil:
			return nil, fmt.Errorf("a study has sizes of its own and does not use p, C, N, steps or features")
		case o.Lambdas != nil || o.Ratios != nil || len(o.Gammas) > 1 || len(o.Etas) > 1 || o.Runs != "":
			return nil, fmt.Errorf("a study uses at most one γ and one η, and no λ, s or runs")
		}
		own := studies.Options{Widths: o.Widths, Networks: o.Networks, Images: o.Images, Seed: o.Seed,
			Command: o.Command, Progress: o.Progress}
		if len(o.Gammas) > 0 {
			own.Gamma = &o.Gammas[0]
		}
		if len(o.Etas) > 0 {
			own.Rate = o.Etas[0]
		}
		return run(own)
	}
}
