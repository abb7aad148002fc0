package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// ClassSums are all that Theorem 8 needs of a kernel κ of n samples: the sums of its rows over the classes,
//
//	S = onehot·κ ∈ R^{C×n},   S_cj = Σ_{y_i = c} κ_ij.
//
// Mκ = ((1+γ)S − γ11ᵀS)/n follows for every γ, and so does MκMᵀ. They can be summed up from one part of κ after the
// other, so that κ is never in memory.
type ClassSums struct {
	Train   *mat.Dense // S, C×n; columns are in the caller's order, as the rows of Kernel.Samples are
	Largest float64    // the largest entry on κ's diagonal
}

// validate checks what can be seen of the kernel: an entry of a semi-definite kernel is at most Largest, and the sums
// of S over the classes, onehot·κ·onehotᵀ, are symmetric.
func (s *ClassSums) validate(order samples) error {
	if s.Train == nil {
		return fmt.Errorf("dynamics: Kernel.Sums.Train is not set: want C×n")
	}
	c := len(order.counts)
	if rows, cols := s.Train.Dims(); rows != c || cols != order.n {
		return fmt.Errorf("dynamics: Kernel.Sums.Train is %d×%d: want %d×%d, a row a class and a column a training "+
			"sample", rows, cols, c, order.n)
	}
	if err := finite("Kernel.Sums.Train", s.Train); err != nil {
		return err
	}
	if !(s.Largest >= 0) || math.IsInf(s.Largest, 0) {
		return fmt.Errorf("dynamics: Kernel.Sums.Largest is %v: want the largest entry of the kernel's diagonal",
			s.Largest)
	}
	between := mat.NewDense(c, c, nil)
	for k, count := range order.counts {
		most := (1 + kernelRounding) * s.Largest * float64(count)
		for j, v := range s.Train.RawRowView(k) {
			if math.Abs(v) > most {
				return fmt.Errorf("dynamics: the kernel is not positive semi-definite, or Kernel.Sums.Largest is "+
					"wrong: the sum of %d entries, class %d and sample %d, is %v, and each is at most %v", count, k, j,
					v, s.Largest)
			}
			between.Set(k, order.labels[j], between.At(k, order.labels[j])+v)
		}
	}
	for k, count := range order.counts {
		for l := range k {
			a, b := between.At(k, l), between.At(l, k)
			if math.Abs(a-b) > kernelRounding*s.Largest*float64(count)*float64(order.counts[l]) {
				return fmt.Errorf("dynamics: the kernel is not symmetric: its sum over classes %d and %d is %v, and "+
					"%v over %[2]d and %[1]d", k, l, a, b)
			}
		}
	}
	return nil
}
