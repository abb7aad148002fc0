package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Unseen are points that are never trained on, as a KernelFlow sees them: H_*' = η1(W M κ_* − λ1 H_*). It can be asked
// about every KernelPoint of the flow it was made by, of its descent and of its limit. Points come in the caller's
// order.
type Unseen struct {
	core *kernelCore
	at   points
}

// Test returns m points with the features hStar at the start, p×m, and the kernel from training samples (rows, in the
// order of the training kernel's) to them: κ_*, n×m (times the same K_p), or for a full kernel pn×pm, both in blocks of
// p.
func (f *KernelFlow) Test(hStar, kernel *mat.Dense) (*Unseen, error) {
	if err := validUnseen(f.state, hStar, kernel, f.q); err != nil {
		return nil, err
	}
	u := &Unseen{f.kernelCore, points{f.rows(mat.DenseCopyOf(hStar)), new(mat.Dense)}}
	u.at.drive.Mul(f.v.T(), f.samples.contract(kernel, f.q))
	return u, nil
}

// Features returns H_*, p×m; an error where its numbers are too large for float64 (see Direction).
func (u *Unseen) Features(p *KernelPoint) (*mat.Dense, error) {
	if err := u.knows(p); err != nil {
		return nil, err
	}
	if err := fits(p.LogNormZ()); err != nil {
		return nil, err
	}
	return scaledCopy(math.Exp(p.log), u.core.features(p.now, u.at)), nil
}

// Direction returns H_*/‖Z‖, p×m, on the scale of KernelPoint.Direction.
func (u *Unseen) Direction(p *KernelPoint) (*mat.Dense, error) {
	if err := u.knows(p); err != nil {
		return nil, err
	}
	return scaledCopy(math.Exp(p.log-p.LogNormZ()), u.core.features(p.now, u.at)), nil
}

// Logits returns WᵀH_* + b1ᵀ, C×m; an error where its numbers are too large for float64.
func (u *Unseen) Logits(p *KernelPoint) (*mat.Dense, error) {
	if err := u.knows(p); err != nil {
		return nil, err
	}
	if err := fits(2 * p.LogNormZ()); err != nil {
		return nil, err
	}
	logits := new(mat.Dense)
	logits.Mul(u.core.prototypes(p.now, u.core.v).T(), u.core.features(p.now, u.at))
	biases := p.Biases()
	unit := math.Exp(2 * p.log)
	logits.Apply(func(c, _ int, v float64) float64 { return v*unit + biases[c] }, logits)
	return logits, nil
}

// Predict returns argmax_c w_cᵀh + b_c of every point, or without the biases. (The first of equal logits counts.)
func (u *Unseen) Predict(p *KernelPoint, withBias bool) ([]int, error) {
	if err := u.knows(p); err != nil {
		return nil, err
	}
	return p.predict(u.at, withBias), nil
}

// Accuracy returns the share of points with Predict's class in labels.
func (u *Unseen) Accuracy(p *KernelPoint, labels []int, withBias bool) (float64, error) {
	got, err := u.Predict(p, withBias)
	if err != nil {
		return 0, err
	}
	if len(labels) != len(got) {
		return 0, fmt.Errorf("dynamics: %d labels for %d unseen points", len(labels), len(got))
	}
	return fraction(got, labels), nil
}

func (u *Unseen) knows(p *KernelPoint) error {
	if p.core != u.core {
		return fmt.Errorf("dynamics: the unseen points were made by another flow than this one's KernelPoint")
	}
	return nil
}
