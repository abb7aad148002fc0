package dynamics

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// WholeFlow is brute.Flow. Package brute imports this one, so that only the tests outside of the package can set it.
var WholeFlow func(s *State, gamma, lambda1, lambda2 float64, eta1, eta2 Schedule, t0, t1 float64) (*State, error)

// averageLoss is (3) without biases, sample by sample from definition (1).
func averageLoss(s *State, gamma float64) float64 {
	sum := 0.0
	labels := s.Labels()
	for i, y := range labels {
		sum -= floats.Dot(mat.Col(nil, i, s.H), DrivingVector(s, gamma, y))
	}
	return sum / float64(len(labels))
}
