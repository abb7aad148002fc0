package metrics

import "math"

// FeatureNorms are the norms of the features before Config.Normalize. They are NaN without samples.
type FeatureNorms struct {
	Mean, Std float64 // of ‖h‖ over the samples, with the weighting Between; the standard deviation divides by n
	Square    float64 // ‖H‖² = Σ_i ‖h_i‖² over all samples
}

// FeatureNorms returns the features' norms.
func (m *Moments) FeatureNorms() FeatureNorms {
	shares := m.config.Between.shares(m.counts)
	var norms FeatureNorms
	for c, s := range m.norms {
		norms.Mean += shares[c] * s.mean
		norms.Square += s.squares + s.n*s.mean*s.mean
	}
	variance := 0.0
	for c, s := range m.norms {
		if s.n > 0 {
			variance += shares[c] * (s.squares/s.n + (s.mean-norms.Mean)*(s.mean-norms.Mean))
		}
	}
	norms.Std = math.Sqrt(variance)
	if len(m.present()) == 0 {
		return FeatureNorms{math.NaN(), math.NaN(), math.NaN()}
	}
	return norms
}

// ClassNorms returns the mean of ‖h‖ in each class; NaN for a class without a sample. In minority collapse (Fang et
// al., 2021) those of the small classes become smaller than the others.
func (m *Moments) ClassNorms() []float64 {
	means := make([]float64, len(m.norms))
	for c, s := range m.norms {
		means[c] = s.mean
		if s.n == 0 {
			means[c] = math.NaN()
		}
	}
	return means
}

// series is Welford's running mean and sum of squared deviations of n numbers.
type series struct{ n, mean, squares float64 }

func (s *series) add(x float64) {
	s.n++
	d := x - s.mean
	s.mean += d / s.n
	s.squares += d * (x - s.mean)
}

func (s *series) merge(o series) {
	n := s.n + o.n
	d := o.mean - s.mean
	s.mean += d * o.n / n
	s.squares += o.squares + d*d*(s.n/n*o.n)
	s.n = n
}
