package calibration

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Predictions are a classifier's probabilities, the softmax of its logits, and the classes of the samples.
type Predictions struct {
	logP   *mat.Dense // [n, C], logarithms of the probabilities
	labels []int
}

// New returns the predictions of logits [n, C] for samples of the classes labels, 0…C−1. It is an error if a logit is
// not finite, if there are fewer than 2 classes, if a label is not in 0…C−1, or if the number of labels is not n.
func New(logits *mat.Dense, labels []int) (*Predictions, error) {
	if logits == nil || logits.IsEmpty() {
		return nil, errors.New("calibration: there are no logits")
	}
	n, c := logits.Dims()
	if c < 2 {
		return nil, fmt.Errorf("calibration: logits are [%d, %d]: want at least 2 classes, a column each", n, c)
	}
	if len(labels) != n {
		return nil, fmt.Errorf("calibration: %d rows of logits and %d labels: want as many", n, len(labels))
	}
	logP := mat.DenseCopyOf(logits)
	for i, y := range labels {
		if y < 0 || y >= c {
			return nil, fmt.Errorf("calibration: the label of sample %d is %d: want 0 … %d", i, y, c-1)
		}
		row := logP.RawRowView(i)
		for _, z := range row {
			if math.IsNaN(z) || math.IsInf(z, 0) {
				return nil, fmt.Errorf("calibration: a logit of sample %d is %v: want finite numbers", i, z)
			}
		}
		floats.AddConst(-floats.LogSumExp(row), row)
	}
	return &Predictions{logP, labels}, nil
}

// Confidences returns the confidence of each sample and whether its class is the predicted one, which is the first
// class of the largest logit.
func (p *Predictions) Confidences() (confidence []float64, correct []bool) {
	confidence, correct = make([]float64, len(p.labels)), make([]bool, len(p.labels))
	for i, y := range p.labels {
		row := p.logP.RawRowView(i)
		k := floats.MaxIdx(row)
		confidence[i] = math.Exp(row[k])
		correct[i] = k == y
	}
	return confidence, correct
}

// Accuracy returns the share of samples whose class is the predicted one.
func (p *Predictions) Accuracy() float64 {
	right := 0
	_, correct := p.Confidences()
	for _, yes := range correct {
		if yes {
			right++
		}
	}
	return float64(right) / float64(len(correct))
}

// NLL returns the mean of −ln(probability of the sample's class), in nats: the cross-entropy.
func (p *Predictions) NLL() float64 {
	return p.nll(1)
}

// nll returns NLL for the logits times beta.
func (p *Predictions) nll(beta float64) float64 {
	sum, scaled := 0.0, make([]float64, p.logP.RawMatrix().Cols)
	for i, y := range p.labels {
		floats.ScaleTo(scaled, beta, p.logP.RawRowView(i))
		sum += floats.LogSumExp(scaled) - scaled[y]
	}
	return sum / float64(len(p.labels))
}

// Brier returns the mean of Σ_c (probability of c − [c is the sample's class])², from 0 to 2 (Brier 1950).
func (p *Predictions) Brier() float64 {
	_, brier := p.terms()
	return floats.Sum(brier) / float64(len(brier))
}

// terms returns what each sample adds to the NLL and to the Brier score, times the number of samples.
func (p *Predictions) terms() (nll, brier []float64) {
	nll, brier = make([]float64, len(p.labels)), make([]float64, len(p.labels))
	for i, y := range p.labels {
		row := p.logP.RawRowView(i)
		nll[i] = -row[y]
		for c, z := range row {
			d := math.Exp(z)
			if c == y {
				d--
			}
			brier[i] += d * d
		}
	}
	return nll, brier
}

// ClasswiseECE returns the mean over classes of the ECE of each class's probability against the indicator of that class
// (Nixon et al. 2019, Kull et al. 2019).
func (p *Predictions) ClasswiseECE(b Binning) (float64, error) {
	_, classes := p.logP.Dims()
	sum := 0.0
	for c := range classes {
		bins, err := b.Of(p.class(c))
		if err != nil {
			return 0, err
		}
		sum += ECE(bins)
	}
	return sum / float64(classes), nil
}

// Temperature returns the T > 0 that minimises the NLL of the logits divided by T (Guo et al. 2017), to a relative
// 1e-10. Fit it on other samples than those that you judge it on. The NLL is convex in 1/T; it is an error if it has no
// minimum at a finite T > 0. If no sample has a logit above that of its own class, T tends to 0. If the logits are no
// better than chance, T tends to ∞.
func (p *Predictions) Temperature() (float64, error) {
	scaled := make([]float64, p.logP.RawMatrix().Cols)
	slope := func(beta float64) float64 { // d NLL/d(1/T)
		sum := 0.0
		for i, y := range p.labels {
			row := p.logP.RawRowView(i)
			floats.ScaleTo(scaled, beta, row)
			total := floats.LogSumExp(scaled)
			for c, z := range row {
				sum += math.Exp(scaled[c]-total) * (z - row[y])
			}
		}
		return sum
	}
	if slope(0) >= 0 {
		return 0,
			errors.New("calibration: no temperature is best: the logits of the samples' classes are no larger on " +
				"average than those of the others, so that the NLL falls until the temperature is infinite")
	}
	if p.separated() {
		return 0,
			errors.New("calibration: no temperature is best: no sample has a logit larger than its own class's, so " +
				"that the NLL falls until the temperature is 0")
	}
	low, high := 0.0, 1.0
	for slope(high) < 0 {
		low, high = high, 2*high
	}
	for high-low > 1e-11*high {
		middle := low + (high-low)/2
		if middle == low || middle == high {
			break
		}
		if slope(middle) < 0 {
			low = middle
		} else {
			high = middle
		}
	}
	return 2 / (low + high), nil
}

// separated reports whether the logit of each sample's class is the largest one.
func (p *Predictions) separated() bool {
	for i, y := range p.labels {
		if row := p.logP.RawRowView(i); row[y] < floats.Max(row) {
			return false
		}
	}
	return true
}

// Scaled returns the predictions of the logits divided by a temperature above 0.
func (p *Predictions) Scaled(temperature float64) (*Predictions, error) {
	if !(temperature > 0) || math.IsInf(temperature, 1) {
		return nil, fmt.Errorf("calibration: the temperature is %v: want a finite number above 0", temperature)
	}
	var scaled mat.Dense
	scaled.Scale(1/temperature, p.logP)
	return New(&scaled, p.labels)
}

// CrossScaled divides the logits of every sample by a temperature that was fitted on other samples: samples with an
// even number by the temperature of those with an odd number, and the other way round. Use it if there is only one set
// of samples. It returns the predictions, and the temperatures by which the even and the odd samples were divided.
func (p *Predictions) CrossScaled() (scaled *Predictions, temperatures [2]float64, err error) {
	n, c := p.logP.Dims()
	if n < 2 {
		return nil, temperatures, errors.New("calibration: one sample cannot be split into two halves")
	}
	out := mat.NewDense(n, c, nil)
	for half := range 2 {
		others := &Predictions{mat.NewDense((n+half)/2, c, nil), make([]int, (n+half)/2)}
		for i := range others.labels {
			others.logP.SetRow(i, p.logP.RawRowView(2*i+1-half))
			others.labels[i] = p.labels[2*i+1-half]
		}
		if temperatures[half], err = others.Temperature(); err != nil {
			return nil, temperatures, err
		}
		for i := half; i < n; i += 2 {
			floats.ScaleTo(out.RawRowView(i), 1/temperatures[half], p.logP.RawRowView(i))
		}
	}
	scaled, err = New(out, p.labels)
	return scaled, temperatures, err
}
