// Package dynamics solves gradient flow and gradient descent of the last layer under the unhinged loss exactly:
// Theorems 2, 4, 6, 7 and 8 and Corollaries 3 and 5 of "On the Dynamics Under the Unhinged Loss and Beyond" (JMLR 24,
// 23-0771), for any class sizes, in float64.
//
// All linear theorems are solved in the same way. With M = ((1+γ)·onehotᵀ − γ·11ᵀ)/n ∈ R^{C×n}, free features and
// prototypes obey (12)
//
//	H' = η1 (W M − λ1 H),   W' = η2 (H Mᵀ − λ2 W),   b' = η2 (M 1 − λ2 b),
//
// and a singular value decomposition M = V diag(σ) Uᵀ separates this into C independent 2×2 systems for h = H u_k and w
// = W v_k, and a rest of H that only decays. For equal class sizes there are only two values of σ, σ1 = (1+γ)/(C√N) and
// σ2 = (1+γ−γC)/(C√N), and these are the five eigenspaces of Theorem 2.
//
// For a network whose neural tangent kernel κ does not change (Theorem 8), M κ Mᵀ takes the place of M Mᵀ. For points
// that are not trained on, κ_*, the kernel from the training samples to them, takes the place of κ.
//
// Imbalanced is the same for class means alone, under the kernel κ = I + c·11ᵀ: it says, at the cost of C classes, how
// minority prototypes merge and what a direction that all samples share does to decisions.
//
// Each theorem is a type (Unconstrained, Regularized, Anchored, Spherical, Invariant; besides them MSE and
// FeaturePenalty) with a method From(state) that returns a Trajectory. A Trajectory gives the state at any time, its
// limit with the rate of the approach, gradient descent on the same objective, and a Trace of observables, which does
// not build H. All of them return the same types, so that any two can be compared. Scales are kept as logarithms: a
// state of norm exp(10⁴) is no problem.
package dynamics
