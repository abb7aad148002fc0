// Package dynamics solves gradient flow and gradient descent of the last layer under the unhinged loss exactly:
// Theorems 2, 4, 6, 7 and 8 and Corollaries 3 and 5 of "On the Dynamics Under the Unhinged Loss and Beyond" (JMLR 24,
// 23-0771), for any class sizes, in float64.
//
// Everything linear rests on one observation. With M = ((1+γ)·onehotᵀ − γ·11ᵀ)/n ∈ R^{C×n}, free features and
// prototypes obey (12)
//
//	H' = η1 (W M − λ1 H),   W' = η2 (H Mᵀ − λ2 W),   b' = η2 (M 1 − λ2 b),
//
// and a singular value decomposition M = V diag(σ) Uᵀ takes that apart into C independent 2×2 systems for h = H u_k and
// w = W v_k, and a rest of H that only decays. For equal class sizes there are only two values of σ, σ1 = (1+γ)/(C√N)
// and σ2 = (1+γ−γC)/(C√N), and these are the five eigenspaces of Theorem 2.
//
// For a network whose neural tangent kernel κ does not change (Theorem 8), M κ Mᵀ takes the place of M Mᵀ, and κ_* that
// of κ for points that are never trained on.
//
// Imbalanced is the same for class means alone, under the kernel κ = I + c·11ᵀ: it says, at the cost of C classes, how
// minority prototypes merge and what a direction that all samples share does to decisions.
//
// A theorem is a value (Unconstrained, Regularized, Anchored, Spherical, Invariant; beside them MSE and FeaturePenalty)
// whose From(state) returns a Trajectory. A Trajectory can be asked for any time, for its limit and the rate of its
// approach, for gradient descent on the same objective, and for a Trace of observables, which does not build H. All of
// them answer in the same types, so that any two can be compared. Scales are kept as logarithms, so that exp(10⁴) is a
// number.
package dynamics
