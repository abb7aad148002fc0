// Package numeric makes the numerical figures of the paper, 1, 4 to 9 and 15. It has their settings, runs them, and
// checks the paper's sentences about them.
package numeric

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"gonum.org/v1/gonum/floats/scalar"

	"github.com/unhinged-lab/lab/internal/build"
	"github.com/unhinged-lab/lab/internal/memory"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Options change a figure's settings. The zero value gives the paper's settings. It is an error to set a list that the
// figure does not use.
type Options struct {
	P, C, N int // feature dimension, classes, samples per class; default 512, 100, 10
	Steps   int // gradient-descent steps; default 50,000
	Seed    uint64

	Gammas  []float64 // figures 1 and 5 use several, the others one; an empty list means the paper's values
	Lambdas []float64 // figures 4, 7 and 15
	Etas    []float64 // figures 6 and 9 use several, the others one
	Ratios  []float64 // s = η1/η2: figure 8

	// State, if set, is used in place of the random initial state, for a user's own features. P, C, N and Seed then
	// have no effect, and the default values of γ are around 2/(C−2).
	State *dynamics.State
	// Command is recorded in the provenance.
	Command string
	// Progress, if set, is called after each curve with the number of curves; all is 0, not known before the end.
	Progress func(done, all int)

	tampering *tampering
}

// tampering changes a run without changing its description, for negative controls. Only tests set it.
type tampering struct {
	run    func(setting) setting                          // returns the setting to run for the described one
	series func(curve string, s map[string]result.Series) // changes the measured series
}

func (t *tampering) settings(s setting) setting {
	if t == nil || t.run == nil {
		return s
	}
	return t.run(s)
}

// Experiment is one figure of the paper.
type Experiment struct {
	ID, Title string
	takes     takes
	run       func(r *run) error
	judges    []result.Sentence
}

// takes has the number of values of each option that a figure uses.
type takes struct{ gamma, lambda, eta, s int }

const many = 1 << 30

// figures lists the numerical figures in the paper's order.
var figures = []Experiment{
	{"fig1", "Figure 1: unconstrained features (Theorem 2, Corollary 3)", takes{gamma: many, eta: 1}, figure1,
		fig1Judges},
	{"fig4", "Figure 4: weight decay (Theorem 4, Corollary 5)", takes{gamma: 1, lambda: many, eta: 1}, figure4,
		fig4Judges},
	{"fig5", "Figure 5: λ = λ*, several γ", takes{gamma: many, eta: 1}, figure5, fig5Judges},
	{"fig6", "Figure 6: λ = λ*, several learning rates", takes{gamma: 1, eta: many}, figure6, fig6Judges},
	{"fig7", "Figure 7: several weight decays", takes{gamma: 1, lambda: many, eta: 1}, figure7, fig7Judges},
	{"fig8", "Figure 8: several ratios s = η1/η2", takes{gamma: 1, eta: 1, s: many}, figure8, fig8Judges},
	{"fig9", "Figure 9: spherical features, without and with rescaled learning rate (Theorem 7)",
		takes{gamma: 1, eta: many}, figure9, fig9Judges},
	{"fig15", "Figure 15: anchored prototypes, several λ (Theorem 6)", takes{gamma: 1, lambda: many, eta: 1}, figure15,
		fig15Judges},
}

// Figures lists the numerical figures in the paper's order.
func Figures() []Experiment { return slices.Clone(figures) }

// Sentences returns the sentences that the figure may judge.
func (e Experiment) Sentences() []result.Sentence { return slices.Clone(e.judges) }

// Run runs the figure of this id, such as "fig1".
func Run(id string, o Options) (*result.Figure, error) {
	i := slices.IndexFunc(figures, func(e Experiment) bool { return e.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("there is no numerical figure %q", id)
	}
	return figures[i].Run(o)
}

// Run runs the figure.
func (e Experiment) Run(o Options) (*result.Figure, error) {
	started := time.Now()
	if err := e.takes.check(o); err != nil {
		return nil, fmt.Errorf("%s: %w", e.ID, err)
	}
	r, err := newRun(o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.ID, err)
	}
	if err := e.run(r); err != nil {
		return nil, fmt.Errorf("%s: %w", e.ID, err)
	}
	f := r.figure
	f.ID, f.Title = e.ID, e.Title
	f.Provenance = result.Provenance{
		Command: o.Command, Seed: o.Seed, Commit: build.Commit(),
		Backend: "gonum, float64: closed forms and exact recursions",
		Go:      runtime.Version(), Started: started.UTC(), Duration: time.Since(started).Seconds(),
	}
	return f, nil
}

// floor is the lower end of the axis in pictures of errors. (In the paper, rounding errors are of this size.) The data
// have smaller values.
const floor = 1e-16

// run is the state while a figure is made.
type run struct {
	o       Options
	p, c, n int  // n is the number of samples per class; 0 for unequal class sizes
	paper   bool // all sizes and the initial state are those of the paper
	dense   int  // up to this step, steps are recorded more often
	figure  *result.Figure
}

func newRun(o Options) (*run, error) {
	for _, d := range []struct {
		value     *int
		name      string
		published int
	}{{&o.P, "p", 512}, {&o.C, "C", 100}, {&o.N, "N", 10}, {&o.Steps, "steps", 50_000}} {
		if *d.value < 0 {
			return nil, fmt.Errorf("%s = %d: must be positive", d.name, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.published
		}
	}
	if o.Steps > maxSteps {
		return nil, fmt.Errorf("steps = %d: at most %d can be told apart in float64", o.Steps, maxSteps)
	}
	if o.C < 2 {
		return nil, fmt.Errorf("number of classes C = %d: need at least 2", o.C)
	}
	for name, list := range map[string][]float64{"γ": o.Gammas, "λ": o.Lambdas, "η": o.Etas, "s": o.Ratios} {
		for _, v := range list {
			if v < 0 || math.IsNaN(v) || math.IsInf(v, 0) || v == 0 && (name == "s" || name == "η") {
				return nil, fmt.Errorf("%s = %v: must be finite and positive (0 is allowed for γ and λ)", name, v)
			}
		}
	}
	r := &run{o: o, p: o.P, c: o.C, n: o.N, figure: &result.Figure{}}
	if o.State != nil {
		if err := o.State.Validate(); err != nil {
			return nil, err
		}
		r.p, r.c, _ = o.State.Dims()
		r.n, _ = o.State.Balanced()
	} else {
		what := fmt.Sprintf("p = %d, C = %d, N = %d: the matrices", o.P, o.C, o.N)
		if err := memory.Fits(what, matrices(o.P, o.C, o.N)); err != nil {
			return nil, err
		}
	}
	r.paper = o.State == nil && o.P == 512 && o.C == 100 && o.N == 10 && o.Steps == 50_000
	r.figure.Settings = map[string]any{"p": r.p, "C": r.c, "N": r.n, "steps": o.Steps, "seed": o.Seed,
		"features": "H0 ~ N(0, 1)"}
	if o.State != nil {
		r.figure.Settings["features"] = "the user's"
		r.figure.Settings["class_sizes"] = o.State.Counts
		delete(r.figure.Settings, "seed")
	}
	return r, nil
}

// project returns the projected initial state. If the state is drawn, W0 ~ N(0, scale²).
func (r *run) project(scale float64) (*dynamics.Projection, error) {
	return r.state(scale).Project()
}

func (r *run) state(scale float64) *dynamics.State {
	if r.o.State != nil {
		return r.o.State
	}
	s := dynamics.Gaussian(r.p, r.c, r.n, r.o.Seed)
	s.W.Scale(scale, s.W)
	r.figure.Settings["prototypes"] = fmt.Sprintf("W0 ~ N(0, %.6g)", scale*scale)
	return s
}

// smallW is the standard deviation √(2/p) of W0 in figures 1 and 4 to 8.
func (r *run) smallW() float64 { return math.Sqrt(2 / float64(r.p)) }

// balanced is 1/(C−1); limit is 2/(C−2).
func (r *run) balanced() float64 { return 1 / float64(r.c-1) }
func (r *run) limit() float64    { return 2 / float64(r.c-2) }

// gammas returns the values of γ to run: the given ones, the paper's or, with the user's features, values around
// 2/(C−2).
func (r *run) gammas(paper ...float64) []float64 {
	switch {
	case r.o.State == nil:
		return several(r.o.Gammas, paper...)
	case r.c == 2: // there is no limit
		return several(r.o.Gammas, 0, r.balanced()/2, r.balanced())
	}
	three := func(v float64) float64 { // three digits, for the curve's name
		return scalar.Round(v, 2-int(math.Floor(math.Log10(v))))
	}
	return several(r.o.Gammas, 0, r.balanced(), three(0.95*r.limit()), three(1.05*r.limit()))
}

// inRange reports whether Corollaries 3 and 5 apply to γ.
func (r *run) inRange(gamma float64) bool { return gamma > 0 && (r.c == 2 || gamma < r.limit()) }

// add adds a judged claim.
func (r *run) add(c result.Claim) { r.figure.Claims = append(r.figure.Claims, c) }

// draw adds a curve.
func (r *run) draw(c result.Curve) {
	if t := r.o.tampering; t != nil && t.series != nil {
		t.series(c.Name, c.Series)
	}
	r.figure.Curves = append(r.figure.Curves, c)
	if r.o.Progress != nil {
		r.o.Progress(len(r.figure.Curves), 0)
	}
}

// several returns the user's values, or the published ones if there are none.
func several(user []float64, published ...float64) []float64 {
	if len(user) > 0 {
		return user
	}
	return published
}

// first returns the user's value, or the published one if there is none.
func first(user []float64, published float64) float64 {
	return several(user, published)[0]
}

// check returns an error for lists that the figure does not use.
func (t takes) check(o Options) error {
	for _, l := range []struct {
		name   string
		values []float64
		most   int
	}{{"γ", o.Gammas, t.gamma}, {"λ", o.Lambdas, t.lambda}, {"η", o.Etas, t.eta}, {"s", o.Ratios, t.s}} {
		switch {
		case len(l.values) <= l.most:
		case l.most == 0:
			return fmt.Errorf("this figure does not use %s", l.name)
		default:
			return fmt.Errorf("this figure uses one %s, not %d", l.name, len(l.values))
		}
	}
	return nil
}

// steps returns the recorded steps: many at the start, then every 1/400 of the run (every 1/2000 in the part that
// figure 15(b) shows), and many in the inset at the end.
func (r *run) steps() []int {
	last := r.o.Steps
	zoom := r.zoomFrom()
	var steps []int
	for s := 0; s <= last; {
		steps = append(steps, s)
		every := last / 400
		if s < r.dense {
			every = last / 2000
		}
		next := s + max(1, min(s/8, every))
		if s >= zoom {
			next = s + max(1, (last-zoom)/40)
		} else if next > zoom {
			next = zoom
		}
		s = next
	}
	if steps[len(steps)-1] != last {
		steps = append(steps, last)
	}
	return steps
}

// zoomFrom returns the step at which the insets of figure 1 begin: they show the last 2,000 of 50,000 steps.
func (r *run) zoomFrom() int { return r.o.Steps - r.o.Steps/25 }

// gammaName writes γ as the paper does: as 1/(C−1) or as a number.
func (r *run) gammaName(gamma float64) string {
	switch gamma {
	case r.balanced():
		return "γ = 1/(C−1)"
	case r.balanced() / 2:
		return "γ = 1/(2(C−1))"
	}
	return "γ = " + number(gamma)
}
