package training

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/stat"

	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// FreeOmega is the largest singular value of M for n samples of C classes, (1+γ)/√(Cn) = (1+γ)/(C√N) at γ = 1/(C−1):
// the ω of features that are free (Theorem 2).
func FreeOmega(classes, n int) float64 {
	c := float64(classes)
	return c / (c - 1) / math.Sqrt(c*float64(n))
}

// NetworkOmega bounds the ω of a network that ends in batch normalisation, such as all of ModelNamed, for classes of
// equal numbers in a batch: its features are at most the sum of k normalised outputs g⊙x̂ + β, whose scales and shifts
// θ = (g, β) the loss sees as they are, while the weights before them are normalised away. So ‖W‖² and ‖θ‖² both grow
// at the rate
//
//	−2L ≤ 2(1+γ)/√C · ‖W‖ √(tr Σ_B),   tr Σ_B = tr Σ_T/(1+q),   tr Σ_T ≤ E‖h‖² ≤ k‖θ‖²,
//
// and ω ≤ √k (1+γ)/√(C(1+q)), where q = tr Σ_W/tr Σ_B is Collapse.Quotient, or 0 for what no features exceed. It is
// equal for one normalisation (k = 1) without a ReLU after it, shifts of 0, and W along the class means: NC1 then says
// how fast the norms grow. The bound is √(kn/(1+q)) times FreeOmega: what moves one of n features moves all of them.
//
// Features are taken to be as in training, and where shortcuts have no parameters (ResNet8, 14 and 20), the positions
// that they keep to have no larger features than the others.
func NetworkOmega(model string, classes int, quotient float64) (float64, error) {
	kind, _, _ := strings.Cut(model, "-")
	k, found := lastNormalisations[kind]
	if !found {
		return 0, fmt.Errorf("the network %q is not one of ModelNamed", model)
	}
	c := float64(classes)
	return math.Sqrt(float64(k)/(c*(1+quotient))) * c / (c - 1), nil
}

// lastNormalisations are k of each kind of network, the numbers of normalised outputs that add up to its features: of
// residual networks the block ends in all that follows the last shortcut with a normalisation of its own, and that
// shortcut; shortcuts without parameters lead back to the stem.
var lastNormalisations = map[string]int{"mlp": 1, "resnet8": 1 + 3, "resnet14": 1 + 6, "resnet20": 1 + 9,
	"resnet18": 1 + 2, "resnet34": 1 + 3, "resnet50": 1 + 3}

// Growth compares the growth of the norms of plain UL with theory, with a curve for each seed: with the bound
// NetworkOmega, with NetworkOmega at the measured NC1 (if it was measured), and with FreeOmega. All outcomes must be of
// one setup, whose data have this number of classes.
func Growth(outcomes []vision.Outcome, classes int) (result.Figure, error) {
	fig := result.Figure{ID: "growth", Title: "How fast plain UL falls over", Panels: []result.Panel{
		{Title: "(a) max‖w‖", Y: "prototype_max", YLabel: "max‖w‖", Log: true},
		{Title: "(b) Its growth a step", Y: "growth", YLabel: "Δ ln max‖w‖"},
		{Title: "(c) Its growth, by what NC1 allows", Y: "share", YLabel: "measured / allowed",
			Lines: map[string]float64{"equality": 1}},
	}}
	for i := range fig.Panels {
		fig.Panels[i].X, fig.Panels[i].XLabel = "step", "Step"
	}
	runs := plain(outcomes)
	if _, err := oneSetup(runs); err != nil {
		return fig, err
	}
	longest := 0
	for i, o := range runs {
		curve, err := growth(o, classes)
		if err != nil {
			return fig, err
		}
		fig.Curves = append(fig.Curves, curve)
		if len(o.Records) > len(runs[longest].Records) {
			longest = i
		}
		fig.Panels[2].Curves = append(fig.Panels[2].Curves, curve.Name)
	}
	if len(runs) > 0 {
		o := runs[longest]
		bound, err := NetworkOmega(o.Settings.Model, classes, 0)
		if err != nil {
			return fig, err
		}
		fig.Curves = append(fig.Curves,
			predicted("at most: last normalisation", o, bound),
			predicted("free features: those of a batch", o, FreeOmega(classes, o.Settings.Batch)))
	}
	var err error
	if fig.Claims, err = growthClaims(runs, classes); err != nil {
		return fig, err
	}
	err = finish(&fig, outcomes)
	return fig, err
}

// growth returns the curve of a run. The growth at a record is the growth since the record before it.
func growth(o vision.Outcome, classes int) (result.Curve, error) {
	curve := result.Curve{Name: seedTitle(o), Params: map[string]float64{}, Series: map[string]result.Series{}}
	sgd := o.Settings.SGD()
	for i, r := range o.Records {
		rate, share := math.NaN(), math.NaN()
		if i > 0 {
			before := o.Records[i-1]
			rate = math.Log(r.PrototypeMax/before.PrototypeMax) / float64(r.Step-before.Step)
			if r.Collapse != nil {
				omega, err := NetworkOmega(o.Settings.Model, classes, float64(r.Collapse.Quotient))
				if err != nil {
					return curve, err
				}
				share = rate / sgd.Growth((before.Step+r.Step)/2, omega)
			}
		}
		for name, value := range map[string]float64{"step": float64(r.Step), "prototype_max": r.PrototypeMax,
			"growth": rate, "share": share} {
			curve.Series[name] = append(curve.Series[name], value)
		}
	}
	return curve, nil
}

// predicted returns the curve of norms that grow at the rate ω from the first record of a run on.
func predicted(name string, o vision.Outcome, omega float64) result.Curve {
	curve := result.Curve{Name: name, Params: map[string]float64{"omega": omega}, Series: map[string]result.Series{}}
	sgd := o.Settings.SGD()
	norm, rate, step := o.Records[0].PrototypeMax, math.NaN(), o.Records[0].Step
	for _, r := range o.Records {
		for ; step < r.Step; step++ {
			rate = sgd.Growth(step, omega)
			norm *= math.Exp(rate)
		}
		for name, value := range map[string]float64{"step": float64(r.Step), "prototype_max": norm, "growth": rate} {
			curve.Series[name] = append(curve.Series[name], value)
		}
	}
	return curve
}

// late returns how fast the norms of a run and its loss grow in a step of its second half, where the initial state no
// longer matters. It is a least-squares fit over the records, and step is the step in their middle. ok is false for
// fewer than three records.
func late(o vision.Outcome) (prototypes, loss float64, step int64, ok bool) {
	var steps, norms, losses []float64
	for _, r := range o.Records {
		if 2*r.Step >= last(o).Step {
			steps, norms, losses = append(steps, float64(r.Step)), append(norms, math.Log(r.PrototypeMax)),
				append(losses, math.Log(math.Abs(r.TrainLoss)))
		}
	}
	if len(steps) < 3 {
		return 0, 0, 0, false
	}
	_, prototypes = stat.LinearRegression(steps, norms, nil, false)
	_, loss = stat.LinearRegression(steps, losses, nil, false)
	return prototypes, loss, int64(stat.Mean(steps, nil)), true
}

// twice is the largest distance from 2 at which the ratio of the loss's growth to the prototypes' growth still counts
// as twice as fast.
const twice = 0.1

// growthClaims judges what theory says of runs of plain UL.
func growthClaims(runs []vision.Outcome, classes int) ([]result.Claim, error) {
	var ratios, room, excess, decays []float64
	for _, o := range runs {
		prototypes, loss, step, ok := late(o)
		if !ok {
			continue
		}
		bound, err := NetworkOmega(o.Settings.Model, classes, 0)
		if err != nil {
			return nil, err
		}
		sgd := o.Settings.SGD()
		ratios = append(ratios, loss/prototypes)
		room = append(room, sgd.Growth(step, bound)-prototypes)
		excess = append(excess, prototypes-sgd.Growth(step, FreeOmega(classes, o.Settings.Batch)))
		decays = append(decays, math.Log10(sgd.Omega(step, prototypes)/o.Settings.WeightDecay))
	}
	if len(ratios) == 0 {
		return nil, nil
	}
	ratio := student(ratios)
	alike := growAlike.Of(result.Check(growAlike.Text, ratio.difference, 2, twice))
	if distance := math.Abs(ratio.difference - 2); !(math.Abs(distance-twice) > ratio.interval()) {
		alike.Verdict = result.Undecided
	}
	return append([]result.Claim{alike}, judge([]question{
		{withinBound, withinBound.Text, student(room), 0, ""},
		{fasterThanFree, fasterThanFree.Text, student(excess), 0, ""},
		{weakDecay, weakDecay.Text, student(decays), 0, ""},
	})...), nil
}
