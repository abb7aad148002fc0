package dynamics

// WholeFlow is brute.Flow and WholeLoss brute.Loss. Package brute imports this one, so that only the tests outside of
// the package can set them.
var (
	WholeFlow func(s *State, gamma, lambda1, lambda2 float64, eta1, eta2 Schedule, t0, t1 float64) (*State, error)
	WholeLoss func(s *State, gamma float64) float64
)
