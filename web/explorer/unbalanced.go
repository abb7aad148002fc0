package explorer

import (
	"fmt"
	"math"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/mat"
)

func unequal() Scene {
	return Scene{ID: "unequal", Title: "Classes of unequal sizes (minority collapse)",
		Text: "Majority classes come first. With trained prototypes those of the minority merge; anchored ones stay " +
			"apart, and a direction that all samples share decides for the majority unless features are centred.",
		Sliders: []Slider{
			{Name: "C", Label: "C, classes", Min: 4, Max: 30, Step: 1, Default: 10},
			{Name: "R", Label: "R, majority classes", Min: 2, Max: 28, Step: 1, Default: 5},
			{Name: "small", Label: "samples of a minority class", Min: 1, Max: 20, Step: 1, Default: 5},
			{Name: "ratio", Label: "ρ, majority to minority", Min: 1, Max: 100, Step: 1, Default: 10},
			{Name: "gamma", Label: "γ(C−1), 1 is the paper's choice", Max: 2, Step: 0.01, Default: 1},
			{Name: "lambda", Label: "λ1 of the features", Min: 0, Max: 0.2, Step: 0.001},
			{Name: "shift", Label: "c, direction that all share", Max: 2, Step: 0.01},
			{Name: "anchored", Label: "prototypes", Max: 1, Step: 1, Choices: []string{"trained", "anchored"}},
			spanSlider(2.3), iterationSlider(),
		},
		draw: drawUnequal}
}

func drawUnequal(v values) (*Picture, error) {
	c, r, small := v.int("C"), v.int("R"), v.int("small")
	if r > c-2 {
		return nil, fmt.Errorf("of %d classes %d are in the majority; at least 2 must be in each group", c, r)
	}
	step := dynamics.Step{Majority: r, Minority: c - r, Large: small * v.int("ratio"), Small: small}
	classes := dynamics.Classes{Sizes: step.Sizes(), Gamma: gammaOf(v), Shift: v["shift"]}
	means := dynamics.Unstructured(step.Sizes(), 1)
	flow, err := dynamics.Imbalanced{Classes: classes, Lambda1: v["lambda"], Rates: dynamics.Constant(1, 1),
		Anchored: v.on("anchored")}.From(means)
	if err != nil {
		return nil, err
	}
	times := span(v["time"])
	n := len(times)
	closed := seriesOf(n)
	var end *dynamics.ClassMeans
	for i, t := range times {
		if end, err = flow.At(t); err != nil {
			return nil, err
		}
		closed.set(i, end)
	}
	picture := &Picture{Panels: []Panel{
		{Title: "Cosine between two prototypes of one group", X: "time", Y: "cosine", From: -1.05, To: 1.05, At: times,
			Curves: []Curve{
				{Name: "minority", Values: closed.minority}, {Name: "majority", Values: closed.majority}}},
		{Title: "Class means that are decided right", X: "time", Y: "class means, %", From: -2, To: 102, At: times,
			Curves: []Curve{
				{Name: "largest logit", Values: closed.plain}, {Name: "features centred", Values: closed.centred}}},
		{Title: "Feature norms, majority to minority", X: "time", Y: "log₁₀ of the ratio", At: times,
			Curves: []Curve{{Name: "ratio", Values: closed.ratio}}},
	}, Cosines: cosines(end.W)}
	if v.on("anchored") {
		picture.Answer = fmt.Sprintf("Anchored prototypes stay apart. The plain rule decides the minority right up "+
			"to c = %.4g; on centred features it is right for every c.", classes.ShiftLimit(c-1))
	} else {
		picture.Answer = mergingInWords(step.Modes(classes.Gamma, classes.Shift).Growth(1, v["lambda"], 0))
	}
	if v.on("brute") {
		modes := step.Modes(classes.Gamma, classes.Shift)
		rate := v["lambda"]
		if !v.on("anchored") {
			rate += max(modes.Majority, modes.Minority, modes.Between, modes.Rest)
		}
		picture.Answer += stepsInWords(times[len(times)-1], rate)
		cosine, right, ratio := &picture.Panels[0], &picture.Panels[1], &picture.Panels[2]
		points := series{minority: cosine.points("minority, iteration"), majority: cosine.points("majority, iteration"),
			plain: right.points("largest logit, iteration"), centred: right.points("features centred, iteration"),
			ratio: ratio.points("ratio, iteration")}
		picture.Iterate = func(pause func(float64) bool) bool {
			return allSamples(v, step, means).run(times, rate, pause,
				func(i int, s *dynamics.State, _ func() bool) bool {
					points.set(i, firstSamples(s))
					return true
				})
		}
	}
	return picture, nil
}

// mergingInWords says how fast the minority's prototypes merge, and how fast its features fall behind.
func mergingInWords(growth dynamics.StepGrowth) string {
	words := "Minority prototypes do not merge"
	if rate := growth.Merging(); rate > 1e-15 {
		words = fmt.Sprintf("Minority prototypes merge as exp(−%.4g·t): a rate, not a threshold", rate)
	}
	switch rate := growth.Starving(); {
	case rate > 1e-15:
		return words + fmt.Sprintf(". Majority features outgrow the minority's as exp(%.4g·t).", rate)
	case rate < -1e-15:
		return words + fmt.Sprintf(". The majority's prototypes merge as exp(−%.4g·t).", -rate)
	}
	return words + ". Majority features do not outgrow the minority's."
}

// series are the curves of unequal classes: cosines between two prototypes of a group, shares of class means that are
// decided right by the largest logit and on centred features, and log₁₀ of the norms' ratio.
type series struct{ minority, majority, plain, centred, ratio []float64 }

func seriesOf(n int) series { return series{nans(n), nans(n), nans(n), nans(n), nans(n)} }

// set sets the values at index i, which is 0 at the start. The first two classes are of the majority, and the last two
// of the minority.
func (s series) set(i int, m *dynamics.ClassMeans) {
	_, c := m.W.Dims()
	s.minority[i], s.majority[i] = m.Cosine(c-2, c-1), m.Cosine(0, 1)
	if i > 0 { // at the start there is no structure: all logits are equal
		s.plain[i], s.centred[i] = 100*m.Accuracy(false), 100*m.Accuracy(true)
	}
	s.ratio[i] = math.Log10(m.NormH(0) / m.NormH(c-1))
}

// firstSamples are the class means of a state in which all samples of a class are the same.
func firstSamples(s *dynamics.State) *dynamics.ClassMeans {
	means := &dynamics.ClassMeans{W: s.W, H: mat.NewDense(s.W.RawMatrix().Rows, len(s.Counts), nil)}
	first := 0
	for c, count := range s.Counts {
		means.H.SetCol(c, mat.Col(nil, first, s.H))
		first += count
	}
	return means
}

// allSamples is the iteration of all samples under the kernel I + c·11ᵀ. Each sample starts at the mean of its class.
func allSamples(v values, step dynamics.Step, means *dynamics.ClassMeans) iteration {
	p, c := means.W.Dims()
	state := &dynamics.State{W: mat.DenseCopyOf(means.W), B: make([]float64, c), Counts: step.Sizes()}
	n := 0
	for _, count := range state.Counts {
		n += count
	}
	state.H = mat.NewDense(p, n, nil)
	for i, y := range state.Labels() {
		state.H.SetCol(i, mat.Col(nil, y, means.H))
	}
	m := state.M(gammaOf(v))
	driven := mat.DenseCopyOf(m) // M(I + c·11ᵀ)
	for k := range c {
		sum := mat.Sum(m.Slice(k, k+1, 0, n))
		for i := range n {
			driven.Set(k, i, m.At(k, i)+v["shift"]*sum)
		}
	}
	return iteration{state: state, m: m, driven: driven, lambda1: v["lambda"], ratio: 1, fixed: v.on("anchored")}
}

func theorem8() Scene {
	return Scene{ID: "theorem8", Title: "An invariant kernel (Theorem 8)",
		Text: "Samples are points of the plane around C centres, the kernel is exp(−‖x − x'‖²/2ℓ²). A short ℓ learns " +
			"each sample by heart, and unseen points nothing.",
		Sliders: []Slider{
			{Name: "C", Label: "C, classes", Min: 2, Max: 10, Step: 1, Default: 4},
			{Name: "N", Label: "N, samples of a class", Min: 1, Max: 30, Step: 1, Default: 15},
			{Name: "seed", Label: "seed", Min: 1, Max: 99, Step: 1, Default: 1},
			gammaSlider(),
			{Name: "length", Label: "ℓ of the kernel", Min: -1.5, Max: 1, Step: 0.05, Default: -0.3, Power: true},
			{Name: "spread", Label: "spread of a class", Min: 0.05, Max: 1.5, Step: 0.05, Default: 0.6},
			{Name: "lambda", Label: "λ, weight decay", Max: 0.2, Step: 0.001},
			spanSlider(2), iterationSlider(),
		},
		draw: drawTheorem8}
}

// circleKernels returns the kernel of the training samples, which lie around the centres of their classes on a circle,
// and the kernel between them and as many unseen points.
func circleKernels(v values) (kappa, unseen *mat.Dense) {
	c, n := v.int("C"), v.int("N")
	draws := dynamics.Gaussian(2, c, 2*n, uint64(1000+v.int("seed"))).H // relative to the centres
	place := func(class, i int) [2]float64 {
		angle := 2 * math.Pi * float64(class) / float64(c)
		column := class*2*n + i
		return [2]float64{math.Cos(angle) + v["spread"]*draws.At(0, column), math.Sin(angle) + v["spread"]*draws.At(1,
			column)}
	}
	total := c * n
	similar := func(a, b [2]float64) float64 {
		d := math.Hypot(a[0]-b[0], a[1]-b[1]) / v["length"]
		return math.Exp(-d * d / 2)
	}
	kappa, unseen = mat.NewDense(total, total, nil), mat.NewDense(total, total, nil)
	for i := range total {
		for j := range total {
			a := place(i/n, i%n)
			kappa.Set(i, j, similar(a, place(j/n, j%n)))
			unseen.Set(i, j, similar(a, place(j/n, n+j%n)))
		}
	}
	return kappa, unseen
}

func drawTheorem8(v values) (*Picture, error) {
	c, n := v.int("C"), v.int("N")
	const p = 12
	state := dynamics.Gaussian(p, c, n, uint64(v.int("seed")))
	kappa, unseen := circleKernels(v)
	theorem := dynamics.Invariant{Gamma: gammaOf(v), Lambda1: v["lambda"], Lambda2: v["lambda"],
		Rates: dynamics.Constant(1, 1), Kernel: dynamics.Kernel{Samples: kappa}}
	flow, err := theorem.From(state)
	if err != nil {
		return nil, err
	}
	times := span(v["time"])
	trace, err := flow.Trace(times)
	if err != nil {
		return nil, err
	}
	other := dynamics.Gaussian(p, c, n, uint64(2000+v.int("seed"))).H
	test, err := flow.Test(other, unseen)
	if err != nil {
		return nil, err
	}
	ends, err := flow.Points(times)
	if err != nil {
		return nil, err
	}
	accuracy := make([]float64, len(times))
	for i, point := range ends {
		share, err := test.Accuracy(point, state.Labels(), false)
		if err != nil {
			return nil, err
		}
		accuracy[i] = 100 * share
	}
	picture := &Picture{Panels: norms(trace, "time")}
	picture.Panels[0].Title = "Accuracy"
	picture.Panels[0].Curves[0].Name = "training"
	picture.Panels[0].Curves = append(picture.Panels[0].Curves, Curve{Name: "unseen points", Values: accuracy})
	last := len(times) - 1
	picture.Cosines = cosines(ends[last].Direction().W)
	picture.Answer = "The loss does not move the features, so that no direction dominates and there is no limit."
	var target dynamics.Point
	if limit, err := flow.Limit(); err == nil {
		target = limit.Point
		if picture.Answer, err = kernelInWords(flow, limit, test, v); err != nil {
			return nil, err
		}
	}
	if v.on("brute") {
		picture.iterate(flow.Threshold()+theorem.Lambda1, state, target, func(s *dynamics.State) iteration {
			m := s.M(theorem.Gamma)
			var driven mat.Dense
			driven.Mul(m, kappa)
			return iteration{state: s, m: m, driven: &driven, lambda1: theorem.Lambda1,
				lambda2: theorem.Lambda2, ratio: 1}
		})
	}
	return picture, nil
}

// kernelInWords says what a flow of Theorem 8 tends to, and what it then decides right.
func kernelInWords(flow *dynamics.KernelFlow, limit dynamics.Limit, unseen *dynamics.Unseen, v values) (string, error) {
	state := limit.Point.Direction()
	labels := state.Labels()
	share, err := unseen.Accuracy(limit.Point, labels, false)
	if err != nil {
		return "", err
	}
	words := fmt.Sprintf("γ = %.4g, λ = %.4g (λ* = %.4g). The direction tends to the leading eigenspace of M κ Mᵀ "+
		"(Theorem 8)", gammaOf(v), v["lambda"], flow.Threshold()) + pace(limit, "its limit")
	chance := 1 / v["C"]
	verdict := "not clearly better"
	if share > chance+3*math.Sqrt(chance*(1-chance)/float64(len(labels))) {
		verdict = "clearly better"
	}
	return words + fmt.Sprintf(" In the limit %.1f %% of the training samples are decided right, and %.1f %% of the "+
		"unseen points, which is %s than chance (%.4g %%).", 100*state.Accuracy(), 100*share, verdict, 100*chance), nil
}
