package calibration

import "math"

// BrierParts are the parts of the Brier score, which is Reliability − Resolution + Uncertainty + Within (Murphy 1973;
// the last part is that of Stephenson et al. 2008). All are sums over the classes c, whose probabilities p are put into
// bins.
type BrierParts struct {
	Reliability float64 // Σ_b |S_b|/n · (mean p − share of class c)²: 0 for a calibrated classifier
	Resolution  float64 // Σ_b |S_b|/n · (share of class c in the bin − its share in all)²: large is good
	Uncertainty float64 // share · (1 − share): the score of a classifier that always predicts the shares of the classes
	Within      float64 // of probabilities that differ in a bin: their variance − 2 × their covariance with the class
}

// BrierParts decomposes the Brier score by bins of each class's probability.
func (p *Predictions) BrierParts(b Binning) (BrierParts, error) {
	var parts BrierParts
	n, classes := p.logP.Dims()
	for c := range classes {
		probability, is := p.class(c)
		bins, err := b.Of(probability, is)
		if err != nil {
			return BrierParts{}, err
		}
		squares, share := 0.0, 0.0
		for i, q := range probability {
			d := q
			if is[i] {
				d--
				share += 1 / float64(n)
			}
			squares += d * d / float64(n)
		}
		parts.Uncertainty += share * (1 - share)
		binned := 0.0 // the squares if all probabilities of a bin were their mean
		for _, bin := range bins {
			if bin.Count > 0 {
				weight := float64(bin.Count) / float64(n)
				parts.Reliability += weight * bin.Gap() * bin.Gap()
				parts.Resolution += weight * (bin.Accuracy - share) * (bin.Accuracy - share)
				binned += weight * (bin.Gap()*bin.Gap() + bin.Accuracy*(1-bin.Accuracy))
			}
		}
		parts.Within += squares - binned
	}
	return parts, nil
}

// class returns, for each sample, the probability of class c and whether c is its class.
func (p *Predictions) class(c int) (probability []float64, is []bool) {
	probability, is = make([]float64, len(p.labels)), make([]bool, len(p.labels))
	for i, y := range p.labels {
		probability[i], is[i] = math.Exp(p.logP.At(i, c)), y == c
	}
	return probability, is
}
