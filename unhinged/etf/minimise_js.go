package etf

import "errors"

// minimise is left out of programs for browsers, which the optimizer would make larger by a tenth.
func minimise([]float64, int, int, float64) ([]float64, error) {
	return nil, errors.New("etf: spherical codes are not computed in the browser: want p ≥ C−1")
}
