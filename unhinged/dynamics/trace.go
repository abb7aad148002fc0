package dynamics

import (
	"math"
	"slices"

	"github.com/unhinged-lab/lab/internal/parallel"
)

// Trace is the observables of a trajectory over time, a value a time. Logarithms are natural.
type Trace struct {
	Time                                    []float64 // steps, or the time of the flow
	Loss, LogAbsLoss                        []float64 // (3); ±Inf where float64 cannot hold it, and ln|loss|
	Accuracy                                []float64 // argmax_c w_cᵀh, as the figures have it
	AccuracyWithBias                        []float64 // argmax_c w_cᵀh + b_c
	LogDistance, LogDistanceH, LogDistanceW []float64 // Point.LogDistance, …
	LogGapH, LogGapW                        []float64 // Point.LogGapH, …
	LogNormH, LogNormW, LogNormZ            []float64
	BiasMin, BiasMax                        []float64
}

// observed is a point of a trajectory: a Point or a KernelPoint.
type observed interface {
	Loss() (loss, logAbs float64)
	Biases() []float64
	accuracies(biasesDiffer bool) (without, with float64)
	LogDistance() float64
	LogDistanceH() float64
	LogDistanceW() float64
	LogGapH() float64
	LogGapW() float64
	LogNormH() float64
	LogNormW() float64
	LogNormZ() float64
}

// traceOf evaluates all observables of the points at the given times, on all cores.
func traceOf[P observed](times []float64, solve func([]float64) ([]P, error)) (*Trace, error) {
	points, err := solve(times)
	if err != nil {
		return nil, err
	}
	tr := &Trace{Time: slices.Clone(times)}
	columns := []*[]float64{
		&tr.Loss, &tr.LogAbsLoss, &tr.Accuracy, &tr.AccuracyWithBias, &tr.LogDistance, &tr.LogDistanceH,
		&tr.LogDistanceW,
		&tr.LogGapH, &tr.LogGapW, &tr.LogNormH, &tr.LogNormW, &tr.LogNormZ, &tr.BiasMin, &tr.BiasMax,
	}
	for _, c := range columns {
		*c = make([]float64, len(times))
	}
	parallel.For(len(points), func(i int) {
		p := points[i]
		b := p.Biases()
		tr.BiasMin[i], tr.BiasMax[i] = slices.Min(b), slices.Max(b)
		tr.Loss[i], tr.LogAbsLoss[i] = p.Loss()
		tr.Accuracy[i], tr.AccuracyWithBias[i] = p.accuracies(tr.BiasMin[i] != tr.BiasMax[i])
		tr.LogDistance[i], tr.LogDistanceH[i], tr.LogDistanceW[i] = p.LogDistance(), p.LogDistanceH(), p.LogDistanceW()
		tr.LogGapH[i], tr.LogGapW[i] = p.LogGapH(), p.LogGapW()
		tr.LogNormH[i], tr.LogNormW[i], tr.LogNormZ[i] = p.LogNormH(), p.LogNormW(), p.LogNormZ()
	})
	return tr, nil
}

// Exp returns e^x of each: a column of logarithms as plain numbers, +Inf where float64 cannot hold them.
func Exp(logs []float64) []float64 {
	out := make([]float64, len(logs))
	for i, l := range logs {
		out[i] = math.Exp(l)
	}
	return out
}
