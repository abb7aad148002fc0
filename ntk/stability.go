package ntk

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/internal/numbers"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// LargestEigenvalue returns the largest eigenvalue of a symmetric kernel, [N, N], or [N, N, C, C] as a matrix of N·C
// rows.
func LargestEigenvalue(kernel *tensors.Tensor) (float64, error) {
	matrix, err := asMatrix(kernel)
	if err != nil {
		return 0, err
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(matrix, false) {
		return 0, fmt.Errorf("ntk: a kernel of shape %s has no eigenvalues", kernel.Shape())
	}
	return floats.Max(eigen.Values(nil)), nil
}

// asMatrix returns a kernel [N, N] or [N, N, C, C] as a symmetric matrix, with a row for each example and output.
func asMatrix(kernel *tensors.Tensor) (*mat.SymDense, error) {
	dims := kernel.Shape().Dimensions
	n, c := 0, 1
	if len(dims) > 0 {
		n = dims[0]
	}
	switch {
	case len(dims) == 2 && dims[1] == n:
	case len(dims) == 4 && dims[1] == n && dims[2] == dims[3]:
		c = dims[2]
	default:
		return nil, fmt.Errorf("ntk: a kernel of examples with themselves is [N, N] or [N, N, C, C], not %s",
			kernel.Shape())
	}
	if at := notFinite(kernel); at >= 0 {
		return nil, fmt.Errorf("ntk: a kernel of shape %s has numbers that are not finite", kernel.Shape())
	}
	values := numbers.Of(kernel)
	matrix := mat.NewSymDense(n*c, nil)
	for i := range n * c {
		for j := i; j < n*c; j++ {
			matrix.SetSym(i, j, values[((i/c*n+j/c)*c+i%c)*c+j%c])
		}
	}
	return matrix, nil
}

// powerIteration returns the largest eigenvalue of a symmetric positive semi-definite matrix of the given size.
func powerIteration(size int, tolerance float64, product func(v []float64) ([]float64, error)) (float64, error) {
	random := rand.New(rand.NewPCG(1, 1))
	v := make([]float64, size)
	for i := range v {
		v[i] = random.NormFloat64()
	}
	const most = 1000
	largest := 0.0
	for range most {
		floats.Scale(1/floats.Norm(v, 2), v)
		next, err := product(v)
		if err != nil {
			return 0, err
		}
		before := largest
		largest = floats.Norm(next, 2)
		if largest == 0 || math.Abs(largest-before) <= tolerance*largest {
			return largest, nil
		}
		v = next
	}
	return 0, fmt.Errorf("ntk: the largest eigenvalue, %g, still grows by more than %g of its size after %d iterations",
		largest, tolerance, most)
}

// LargestStableRate returns 2/(curvature·largest), the largest learning rate at which gradient descent on θ is stable,
// as long as the kernel does not change. largest is the largest eigenvalue of the kernel for all N·C outputs
// ([Empirical.Full], [Empirical.LargestEigenvalue]), or of κ, [N, N], for a kernel κ⊗I.
//
// curvature is the largest second derivative of the loss by the outputs of all N examples: 1/N for the mean over
// examples of ½‖f(x_n) − y_n‖², 2/(N·C) for the mean over examples and outputs of (f_c(x_n) − y_nc)², at most 1/(2N)
// for the mean of the cross-entropy.
//
// The unhinged loss is linear in the logits: its curvature is 0, every step moves the logits by the same amount, and no
// rate makes them oscillate. The returned rate is then +Inf. With a trained last layer W the features and W drive each
// other, H' = η1 W M κ, W' = η2 H Mᵀ, and grow exponentially at any rate. This is the dynamics of the loss (Theorem 8),
// not an instability of the steps. Weight decay λ has a limit of its own, η < 2/λ, in directions in which the loss has
// no gradient.
func LargestStableRate(largest, curvature float64) float64 {
	return 2 / (curvature * largest)
}
