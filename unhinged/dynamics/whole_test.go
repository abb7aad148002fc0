package dynamics

// WholeFlow is brute.Flow, and WholeLoss is brute.Loss. Package brute imports this package, so that only tests in
// package dynamics_test can set them.
var (
	WholeFlow func(s *State, gamma, lambda1, lambda2 float64, eta1, eta2 Schedule, t0, t1 float64) (*State, error)
	WholeLoss func(s *State, gamma float64) float64
)
