package explorer

import (
	"fmt"
	"math"
	"slices"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// initial is the state that was drawn last, with its projection onto the eigenspaces: they do not depend on the sliders
// that are moved most.
var initial struct {
	p, c, n    int
	seed       uint64
	anchored   bool
	state      *dynamics.State
	projection *dynamics.Projection
}

// start returns the random state of the settings; anchored, with an ETF as its prototypes.
func start(v values, anchored bool) (*dynamics.State, *dynamics.Projection, error) {
	p, c, n, seed := v.int("p"), v.int("C"), v.int("N"), uint64(v.int("seed"))
	if i := &initial; i.state != nil && i.p == p && i.c == c && i.n == n && i.seed == seed && i.anchored == anchored {
		return i.state, i.projection, nil
	}
	state := dynamics.Gaussian(p, c, n, seed)
	var err error
	if anchored {
		if p < c-1 {
			return nil, nil, fmt.Errorf("an ETF of %d classes needs p ≥ C−1 = %d, and p is %d", c, c-1, p)
		}
		if state, err = dynamics.GaussianETF(p, c, n, 1, seed); err != nil {
			return nil, nil, err
		}
	}
	projection, err := state.Project()
	if err != nil {
		return nil, nil, err
	}
	initial.p, initial.c, initial.n, initial.seed, initial.anchored = p, c, n, seed, anchored
	initial.state, initial.projection = state, projection
	return state, projection, nil
}

func gammaOf(v values) float64 { return v["gamma"] / (v["C"] - 1) }

// norms are the panels that most scenes have: accuracy, norms, distance to the limit. x is what the trace's time is.
func norms(trace *dynamics.Trace, x string) []Panel {
	return []Panel{
		{Title: "Training accuracy", X: x, Y: "accuracy, %", From: -2, To: 102, At: trace.Time,
			Curves: []Curve{{Name: "closed form", Values: percent(trace.Accuracy)}}},
		{Title: "Norms", X: x, Y: "log₁₀ of the norm", At: trace.Time,
			Curves: []Curve{{Name: "‖H‖", Values: log10(trace.LogNormH)},
				{Name: "‖W‖", Values: log10(trace.LogNormW)}}},
		{Title: "Distance of the direction to its limit", X: x, Y: "log₁₀ of the distance", At: trace.Time,
			Curves: []Curve{{Name: "(H, W)", Values: log10(trace.LogDistance)},
				{Name: "H", Values: log10(trace.LogDistanceH)}, {Name: "W", Values: log10(trace.LogDistanceW)}}},
	}
}

func unconstrained() Scene {
	return Scene{ID: "unconstrained", Title: "Unconstrained features (Theorem 2)",
		Text: "Features and prototypes learn freely. Move γ past 2/(C−2), which is γ(C−1) = 2.25 for ten classes: " +
			"another eigenspace wins, and nothing collapses.",
		Sliders: slices.Concat(sizes(64, 10, 20), []Slider{gammaSlider(),
			{Name: "s", Label: "s = η1/η2", Min: -2, Max: 2, Step: 0.05, Power: true}, spanSlider(2.3),
			iterationSlider()}),
		draw: func(v values) (*Picture, error) {
			return linear(v, dynamics.Regularized{Gamma: gammaOf(v), Rates: dynamics.Follow(v["s"],
				dynamics.ConstantRate(1))})
		}}
}

func regularised() Scene {
	return Scene{ID: "regularised", Title: "Regularised features (Theorem 4)",
		Text: "Weight decay on both sides: below λ* the norms grow for ever, above it everything dies, at λ* the " +
			"state has a limit.",
		Sliders: slices.Concat(sizes(64, 10, 20), []Slider{gammaSlider(),
			{Name: "lambda", Label: "λ/λ*", Max: 2, Step: 0.01, Default: 0.5},
			{Name: "s", Label: "s = η1/η2", Min: -2, Max: 2, Step: 0.05, Power: true}, spanSlider(2.3),
			iterationSlider()}),
		draw: func(v values) (*Picture, error) {
			gamma := gammaOf(v)
			_, projection, err := start(v, false)
			if err != nil {
				return nil, err
			}
			free, err := dynamics.Unconstrained{Gamma: gamma, Rates: dynamics.Constant(1, 1)}.On(projection)
			if err != nil {
				return nil, err
			}
			critical := free.Threshold()
			lambda := v["lambda"] * critical
			picture, err := linear(v, dynamics.Regularized{Gamma: gamma, Lambda1: lambda, Lambda2: lambda,
				Rates: dynamics.Follow(v["s"], dynamics.ConstantRate(1))})
			if err == nil {
				picture.Answer = fmt.Sprintf("λ = %.4g (λ* = %.4g). ", lambda, critical) + picture.Answer
			}
			return picture, err
		}}
}

// cosinesUpTo bounds the numbers of H in pictures that show the cosines of prototypes: to build the state for them
// takes longer than all the rest.
const cosinesUpTo = 100_000

// linear draws a flow of Theorem 2 or 4.
func linear(v values, theorem dynamics.Regularized) (*Picture, error) {
	state, projection, err := start(v, false)
	if err != nil {
		return nil, err
	}
	flow, err := theorem.On(projection)
	if err != nil {
		return nil, err
	}
	times := span(v["time"])
	trace, err := flow.Trace(times)
	if err != nil {
		return nil, err
	}
	picture := &Picture{Panels: norms(trace, "time")}
	limit, err := flow.Limit()
	if err != nil {
		return nil, err
	}
	picture.Answer = limitInWords(limit, v)
	if !limit.Collapses {
		picture.Panels[2].Title = "Distance of the direction to collapse"
	}
	if p, _, n := state.Dims(); p*n <= cosinesUpTo {
		end, err := flow.At(times[len(times)-1])
		if err != nil {
			return nil, err
		}
		picture.Cosines = cosines(end.Direction().W)
	}
	if v.on("brute") {
		rate := math.Sqrt(v["s"])*flow.Threshold() + theorem.Lambda1*max(1, v["s"])
		picture.iterate(rate, state, flow.Collapse(), func(s *dynamics.State) iteration {
			m := s.M(theorem.Gamma)
			return iteration{state: s, m: m, driven: m, lambda1: theorem.Lambda1, lambda2: theorem.Lambda2,
				ratio: v["s"]}
		})
	}
	return picture, nil
}

// limitInWords says what a flow with balanced classes tends to.
func limitInWords(limit dynamics.Limit, v values) string {
	c := v["C"]
	gamma := gammaOf(v)
	target := "its own limit, which is not collapse,"
	words := fmt.Sprintf("γ = %.4g. ", gamma)
	if c > 2 {
		words = fmt.Sprintf("γ = %.4g, and 2/(C−2) = %.4g. ", gamma, 2/(c-2))
	}
	switch {
	case limit.Collapses:
		target = "its limit"
		words += "Features collapse to their class means, and the means and the prototypes become self-dual " +
			"(Corollaries 3 and 5)"
	case c > 2 && gamma > 2/(c-2)*(1+1e-12):
		words += "γ is above 2/(C−2), so that in the end all classes have one direction: there is no collapse, and " +
			"decisions are left to chance after a long time"
	default:
		words += "Two eigenspaces grow alike, so that the limit is not that of Corollaries 3 and 5"
	}
	return words + pace(limit, target)
}

// pace says how norms grow and how the direction approaches its limit, which target names: the end of a sentence.
func pace(limit dynamics.Limit, target string) string {
	var words string
	switch {
	case limit.Growth > 1e-15:
		words = fmt.Sprintf("; norms grow as exp(%.4g·t)", limit.Growth)
	case limit.Growth < -1e-15:
		words = fmt.Sprintf("; norms die as exp(−%.4g·t)", -limit.Growth)
	default:
		words = "; norms tend to a limit"
	}
	if math.IsInf(limit.Rate, 1) {
		return words + "; the direction is at its limit from the start."
	}
	return words + fmt.Sprintf("; the direction approaches %s as exp(−%.4g·t).", target, limit.Rate)
}

func spherical() Scene {
	return Scene{ID: "spherical", Title: "Spherical features (Theorem 7)",
		Text: "Features are normalised and prototypes are a fixed ETF. RLR takes 1/‖h‖ out of the step.",
		Sliders: slices.Concat(sizes(64, 10, 20), []Slider{gammaSlider(),
			{Name: "eta", Label: "learning rate", Min: -1, Max: 4, Step: 0.05, Default: 2, Power: true},
			{Name: "rlr", Label: "RLR", Max: 1, Step: 1, Choices: []string{"off", "on"}},
			{Name: "time", Label: "steps", Min: 0, Max: 3.3, Step: 0.05, Default: 2.5, Power: true},
			iterationSlider()}),
		draw: drawSpherical}
}

func drawSpherical(v values) (*Picture, error) {
	state, _, err := start(v, true)
	if err != nil {
		return nil, err
	}
	gamma := gammaOf(v)
	flow, err := dynamics.Spherical{Gamma: gamma, Rates: dynamics.Constant(v["eta"], 1),
		Rescale: v.on("rlr")}.From(state)
	if err != nil {
		return nil, err
	}
	var steps []int
	last := int(v["time"])
	for i := range drawnTimes {
		steps = append(steps, i*last/(drawnTimes-1))
	}
	steps = slices.Compact(steps)
	descent, err := flow.Descent(0)
	if err != nil {
		return nil, err
	}
	trace, err := descent.Trace(steps)
	if err != nil {
		return nil, err
	}
	picture := &Picture{Cosines: cosines(state.W)}
	picture.Panels = norms(trace, "steps")[:2]
	picture.Panels[1].Curves = picture.Panels[1].Curves[:1]
	picture.Panels = append(picture.Panels, Panel{Title: "Distance of the features to their prototypes", X: "steps",
		Y: "log₁₀ of the distance", At: trace.Time,
		Curves: []Curve{{Name: "‖Ĥ − Ŵ‖", Values: log10(trace.LogGapH)}}})
	violations := len(flow.Violations())
	picture.Answer = "Each feature goes to its prototype, exponentially, and its norm never falls"
	if violations > 0 {
		picture.Answer = fmt.Sprintf("%d features start with a step that is too large for the theorem (α(0) > 1)",
			violations)
	}
	if limit, err := flow.Limit(); err == nil {
		picture.Answer += fmt.Sprintf("; the slowest, if steps are small, at the rate %.4g a step.",
			v["eta"]*limit.Rate)
	} else {
		picture.Answer += "."
	}
	if v.on("brute") {
		accuracy, norm := picture.Panels[0].points("iteration"), picture.Panels[1].points("‖H‖, iteration")
		gap := picture.Panels[2].points("‖Ĥ − Ŵ‖, iteration")
		picture.Iterate = func(pause func(float64) bool) bool {
			see := func(at int, s *dynamics.State, drive [][]float64, pause func() bool) (goOn bool) {
				norm[at] = finite(math.Log10(mat.Norm(s.H, 2)))
				if !pause() {
					return false
				}
				gap[at] = finite(math.Log10(gapTo(drive, s)))
				if !pause() {
					return false
				}
				accuracy[at], goOn = percentRight(s, pause)
				return goOn
			}
			return bruteSpherical(state.Clone(), gamma, v["eta"], v.on("rlr"), steps, pause, see)
		}
	}
	return picture, nil
}

// bruteSpherical does gradient descent (19), feature by feature, and calls see at the steps. It returns false as soon
// as pause or see does.
func bruteSpherical(state *dynamics.State, gamma, eta float64, rescale bool, steps []int, pause func(float64) bool,
	see func(at int, s *dynamics.State, drive [][]float64, pause func() bool) bool) bool {
	p, c, n := state.Dims()
	drive := make([][]float64, c) // it does not change, because prototypes are fixed
	for y := range drive {
		drive[y] = dynamics.DrivingVector(state, gamma, y)
		if !pause(0) {
			return false
		}
	}
	all := float64(steps[len(steps)-1] + 1)
	h := make([]float64, p)
	done := 0
	for at, step := range steps {
		for ; done < step; done++ {
			i := 0
			for y, count := range state.Counts {
				for range count {
					mat.Col(h, i, state.H)
					dynamics.SphericalStep(h, drive[y], eta/float64(n), rescale)
					state.H.SetCol(i, h)
					i++
				}
				if !pause(float64(done) / all) {
					return false
				}
			}
		}
		if !see(at, state, drive, func() bool { return pause(float64(done) / all) }) {
			return false
		}
	}
	return true
}

// gapTo is the distance of the normalised features to the normalised vectors that drive them.
func gapTo(drive [][]float64, s *dynamics.State) float64 {
	p, _, n := s.Dims()
	labels := s.Labels()
	norms2, gaps2 := make([]float64, n), 0.0
	for k := range p {
		for i, v := range s.H.RawRowView(k) {
			norms2[i] += v * v
		}
	}
	normU := make([]float64, len(drive))
	for y, u := range drive {
		normU[y] = floats.Norm(u, 2)
	}
	for k := range p {
		for i, v := range s.H.RawRowView(k) {
			gap := v/math.Sqrt(norms2[i]) - drive[labels[i]][k]/normU[labels[i]]
			gaps2 += gap * gap
		}
	}
	return math.Sqrt(gaps2)
}

func anchored() Scene {
	return Scene{ID: "anchored", Title: "Anchored prototypes with EFR (Theorem 6)",
		Text: "Prototypes are a fixed ETF; EFR bounds the features and speeds up their approach to W M.",
		Sliders: slices.Concat(sizes(64, 10, 20), []Slider{gammaSlider(),
			{Name: "lambda", Label: "λ of EFR", Min: -5, Max: 0, Step: 0.05, Default: -2, Power: true}, spanSlider(2.5),
			iterationSlider()}),
		draw: func(v values) (*Picture, error) {
			state, projection, err := start(v, true)
			if err != nil {
				return nil, err
			}
			theorem := dynamics.Anchored{Gamma: gammaOf(v), Lambda1: v["lambda"], Rates: dynamics.Constant(1, 1)}
			flow, err := theorem.On(projection)
			if err != nil {
				return nil, err
			}
			times := span(v["time"])
			trace, err := flow.Trace(times)
			if err != nil {
				return nil, err
			}
			limit, err := flow.Limit()
			if err != nil {
				return nil, err
			}
			picture := &Picture{Panels: norms(trace, "time"), Cosines: cosines(state.W)}
			picture.Panels[2].Curves = picture.Panels[2].Curves[1:2]
			picture.Answer = fmt.Sprintf("Features tend to W M/λ, of the norm %.4g, as exp(−%.4g·t).",
				math.Exp(limit.Point.LogNormH()), limit.Rate)
			if v.on("brute") {
				picture.iterate(theorem.Lambda1, state, limit.Point, func(s *dynamics.State) iteration {
					m := s.M(theorem.Gamma)
					return iteration{state: s, m: m, driven: m, lambda1: theorem.Lambda1, ratio: 1, fixed: true}
				})
			}
			return picture, nil
		}}
}
