package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Eigenspaces are the projections of (H, W) onto the five orthogonal eigenspaces of B = [[0, Mᵀ], [M, 0]] (Theorem 2),
// for equal class sizes. They add up to the state and depend on no constant of the dynamics; the biases are left out.
type Eigenspaces struct {
	// H = ±(1/√N) W⊗1ᵀ, W1 = 0: within-class collapse and self-duality; σ = ±(1+γ)/(C√N), dimension p(C−1)
	E1Plus, E1Minus *State
	E2Plus, E2Minus *State // H = ±(1/√N) h1ᵀ, W = h1ᵀ: all samples alike; σ = ±(1+γ−γC)/(C√N), dimension p
	E3              *State // class means of H are 0, W = 0; σ = 0, dimension pC(N−1)
}

// Eigenspaces returns the projections. Unequal class sizes are an error, because their eigenspaces depend on γ.
func (pr *Projection) Eigenspaces() (*Eigenspaces, error) {
	if _, ok := pr.state.Balanced(); !ok {
		return nil, fmt.Errorf("dynamics: class sizes %v differ: the five eigenspaces of Theorem 2 need equal ones",
			pr.state.Counts)
	}
	d, err := pr.drive(0)
	if err != nil {
		return nil, err
	}
	part := func(on1, on2 mat2, perp float64) *State {
		s := linearState{d, linear{[]mat2{on1, on2}, perp}}.build(1)
		s.B = make([]float64, len(s.Counts))
		return s
	}
	plus, minus := mat2{.5, .5, .5, .5}, mat2{.5, -.5, -.5, .5}
	return &Eigenspaces{
		E1Plus: part(plus, mat2{}, 0), E1Minus: part(minus, mat2{}, 0),
		E2Plus: part(mat2{}, plus, 0), E2Minus: part(mat2{}, minus, 0), E3: part(mat2{}, mat2{}, 1),
	}, nil
}

// NormZ returns ‖(H, W)‖.
func (s *State) NormZ() float64 { return math.Hypot(mat.Norm(s.H, 2), mat.Norm(s.W, 2)) }
