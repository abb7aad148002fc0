package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Unseen are points that are not trained on: H_*' = η1(W M κ_* − λ1 H_*) of Theorem 8, or the corresponding equations
// of MSE and FeaturePenalty. Its methods take any Point of the trajectory whose Test made it, of that trajectory's
// descent and of its limit. Unseen points are in the caller's order.
type Unseen struct {
	trajectory any
	at         points
}

// Test returns m points that are not trained on. hStar has their initial features, p×m. kernel is the kernel from the
// training samples (rows, in the order of the training kernel) to them (columns): κ_*, n×m, which is multiplied by the
// same K_p, or for a full kernel pn×pm, with rows and columns in blocks of p.
func (f *KernelFlow) Test(hStar, kernel *mat.Dense) (*Unseen, error) {
	if err := validUnseen(f.state, hStar, kernel, f.q); err != nil {
		return nil, err
	}
	u := &Unseen{f.kernelCore, points{f.rows(mat.DenseCopyOf(hStar)), new(mat.Dense)}}
	u.at.drive.Mul(f.v.T(), f.samples.contract(kernel, f.q))
	return u, nil
}

// TestSums is Test, given the sums of κ_* over the classes instead of κ_* itself: onehot·κ_*, C×m, row c of which is
// the sum of κ_*'s rows over the training samples of class c. It is an error for a full kernel.
func (f *KernelFlow) TestSums(hStar, sums *mat.Dense) (*Unseen, error) {
	if f.q > 1 || f.residual != nil {
		return nil, fmt.Errorf("dynamics: sums over the classes are for kernels κ⊗K_p, not for Kernel.Full: use Test")
	}
	p, c, _ := f.state.Dims()
	if hStar == nil || sums == nil {
		return nil, fmt.Errorf("dynamics: unseen points need features at the start and the sums of their kernel")
	}
	rows, m := hStar.Dims()
	if r, cols := sums.Dims(); rows != p || r != c || cols != m {
		return nil, fmt.Errorf("dynamics: features of unseen points are %d×%d and the sums of their kernel %d×%d: "+
			"want p = %d and C = %d rows, a column a point", rows, m, r, cols, p, c)
	}
	for name, x := range map[string]*mat.Dense{"features of unseen points": hStar, "sums of the kernel": sums} {
		if err := finite(name, x); err != nil {
			return nil, err
		}
	}
	mk := mat.DenseCopyOf(sums)
	f.samples.weigh(mk, 1)
	u := &Unseen{f.kernelCore, points{f.rows(mat.DenseCopyOf(hStar)), new(mat.Dense)}}
	u.at.drive.Mul(f.v.T(), mk)
	return u, nil
}

// TestProducts is Test, given products with a full kernel K_* instead of K_* itself: unvec(K_*ᵀ vec(X)), p×m, for X,
// p×n with columns in the caller's order. It makes one for every mode: as many as the Krylov space has dimensions.
func (f *KernelFlow) TestProducts(hStar *mat.Dense, product func(x *mat.Dense) (*mat.Dense, error)) (*Unseen, error) {
	if f.residual == nil {
		return nil, fmt.Errorf("dynamics: products with the kernel to unseen points are for Kernel.Krylov: use Test")
	}
	if hStar == nil || product == nil {
		return nil, fmt.Errorf("dynamics: unseen points need features at the start and products with their kernel")
	}
	if err := validUnseenFeatures(f.state, hStar); err != nil {
		return nil, err
	}
	p, m := hStar.Dims()
	u := &Unseen{f.kernelCore, points{f.rows(mat.DenseCopyOf(hStar)), mat.NewDense(len(f.sigma2), p*m, nil)}}
	for k := range f.sigma2 {
		row, err := f.multiplied(product, mat.Col(nil, k, f.v), m, k+1)
		if err != nil {
			return nil, err
		}
		u.at.drive.SetRow(k, row.RawRowView(0))
	}
	return u, nil
}

// Test returns m points that are not trained on, with H_* = H_*(0) + Yκ_*. hStar has their initial features, p×m.
// kernel is κ_*, n×m, from the training samples (rows, in the order of the training kernel) to them (columns).
func (f *DualFlow) Test(hStar, kernel *mat.Dense) (*Unseen, error) {
	if err := validUnseen(f.start.state, hStar, kernel, 1); err != nil {
		return nil, err
	}
	return &Unseen{f.start, points{mat.DenseCopyOf(hStar), mat.DenseCopyOf(kernel)}}, nil
}

// Features returns H_*, p×m. It is an error if its numbers are too large for float64; see Direction.
func (u *Unseen) Features(p Point) (*mat.Dense, error) {
	known, state, err := u.find(p)
	if err != nil {
		return nil, err
	}
	if err := fits(p.LogNormZ()); err != nil {
		return nil, err
	}
	return scaledCopy(math.Exp(known.log), state.features(u.at)), nil
}

// Direction returns H_*/‖Z‖, p×m, on the scale of Point.Direction.
func (u *Unseen) Direction(p Point) (*mat.Dense, error) {
	known, state, err := u.find(p)
	if err != nil {
		return nil, err
	}
	return scaledCopy(1/known.now.norm(both), state.features(u.at)), nil
}

// Logits returns WᵀH_* + b1ᵀ, C×m. It is an error if its numbers are too large for float64.
func (u *Unseen) Logits(p Point) (*mat.Dense, error) {
	known, state, err := u.find(p)
	if err != nil {
		return nil, err
	}
	if err := fits(2 * p.LogNormZ()); err != nil {
		return nil, err
	}
	l := new(mat.Dense)
	l.Mul(state.prototypes(false).T(), state.features(u.at))
	biases := p.Biases()
	unit := math.Exp(2 * known.log)
	l.Apply(func(c, _ int, v float64) float64 { return v*unit + biases[c] }, l)
	return l, nil
}

// Predict returns argmax_c w_cᵀh + b_c of every point, or without the biases. (The first of equal logits counts.)
func (u *Unseen) Predict(p Point, withBias bool) ([]int, error) {
	known, state, err := u.find(p)
	if err != nil {
		return nil, err
	}
	var biases []float64
	if withBias {
		biases = known.biasesBeyondFirst()
	}
	return classes(logits(state, u.at), biases, biasUnit(known.log)), nil
}

// Accuracy returns the share of points with Predict's class in labels.
func (u *Unseen) Accuracy(p Point, labels []int, withBias bool) (float64, error) {
	got, err := u.Predict(p, withBias)
	if err != nil {
		return 0, err
	}
	if len(labels) != len(got) {
		return 0, fmt.Errorf("dynamics: %d labels for %d unseen points", len(labels), len(got))
	}
	return fraction(got, labels), nil
}

// find returns the internals of a point. A point of another trajectory is an error.
func (u *Unseen) find(p Point) (*point, generalizer, error) {
	if known, ok := p.(*point); ok {
		if state, ok := known.now.(generalizer); ok && state.of(u.trajectory) {
			return known, state, nil
		}
	}
	return nil, nil, fmt.Errorf("dynamics: the unseen points belong to another trajectory than this point")
}

// validUnseen returns an error if the features and the kernel of unseen points do not fit. q is the block size of a
// full kernel.
func validUnseen(s *State, hStar, kernel *mat.Dense, q int) error {
	if hStar == nil || kernel == nil {
		return fmt.Errorf("dynamics: unseen points need features at the start and a kernel to the training samples")
	}
	if err := validUnseenFeatures(s, hStar); err != nil {
		return err
	}
	_, _, n := s.Dims()
	_, m := hStar.Dims()
	if rows, cols := kernel.Dims(); rows != n*q || cols != m*q {
		return fmt.Errorf("dynamics: the kernel to unseen points is %d×%d: want %d×%d, a row a training sample and a "+
			"column a point (each in blocks of p for a full kernel)", rows, cols, n*q, m*q)
	}
	return finite("kernel to unseen points", kernel)
}

// validUnseenFeatures returns an error if the features of unseen points do not fit.
func validUnseenFeatures(s *State, hStar *mat.Dense) error {
	p, _, _ := s.Dims()
	if rows, m := hStar.Dims(); rows != p {
		return fmt.Errorf("dynamics: features of unseen points are %d×%d: want p = %d rows, a column a point", rows, m,
			p)
	}
	return finite("features of unseen points", hStar)
}
