package dynamics

import (
	"math"
	"slices"

	"github.com/unhinged-lab/lab/internal/parallel"
)

// Trace holds the observables of a trajectory, with a value for each time, under the names of Point's methods.
// Logarithms are natural.
type Trace struct {
	Time                                    []float64 // steps of descent, or the time of the flow
	Loss, LogAbsLoss                        []float64 // Point.Loss
	Accuracy                                []float64 // Point.Accuracy(false)
	AccuracyWithBias                        []float64 // Point.Accuracy(true)
	LogDistance, LogDistanceH, LogDistanceW []float64
	LogGapH, LogGapW                        []float64
	LogNormH, LogNormW, LogNormZ            []float64
	BiasMin, BiasMax                        []float64 // of Point.Biases
}

// traceOf evaluates all observables of the points at the given times, on all cores.
func traceOf(times []float64, points []Point) *Trace {
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
	return tr
}

// Exp returns e^x of each logarithm, +Inf where it is too large for float64.
func Exp(logs []float64) []float64 {
	out := make([]float64, len(logs))
	for i, l := range logs {
		out[i] = math.Exp(l)
	}
	return out
}
