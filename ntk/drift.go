package ntk

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/internal/numbers"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Drift returns the relative change of a kernel, ‖Θ_t − Θ_0‖/‖Θ_0‖ (Frobenius norms). It is an error if the shapes
// differ.
func Drift(k0, kt *tensors.Tensor) (float64, error) {
	a, b, err := pair(k0, kt)
	if err != nil {
		return 0, err
	}
	return floats.Distance(a, b, 2) / floats.Norm(a, 2), nil
}

// Alignment returns the cosine of the angle between two kernels, ⟨K, L⟩/(‖K‖‖L‖): 1 for kernels that are positive
// multiples of each other. It is an error if the shapes differ.
func Alignment(k, l *tensors.Tensor) (float64, error) {
	a, b, err := pair(k, l)
	if err != nil {
		return 0, err
	}
	return cosine(a, b), nil
}

func cosine(a, b []float64) float64 {
	return floats.Dot(a, b) / (floats.Norm(a, 2) * floats.Norm(b, 2))
}

func pair(k, l *tensors.Tensor) (a, b []float64, err error) {
	if !slices.Equal(k.Shape().Dimensions, l.Shape().Dimensions) {
		return nil, nil, fmt.Errorf("ntk: kernels of shapes %s and %s cannot be compared", k.Shape(), l.Shape())
	}
	return numbers.Of(k), numbers.Of(l), nil
}

// CKA returns the centred kernel alignment (Cortes et al. 2012) of two kernels of examples with themselves, [N, N]: the
// [Alignment] of HKH and HLH with H = I − 11ᵀ/N. A constant added to the features does not change it. For a full
// kernel, [N, N, C, C], each output is centred by itself. It is NaN if a kernel is constant, as for one example.
func CKA(k, l *tensors.Tensor) (float64, error) {
	a, err := centred(k)
	if err != nil {
		return 0, err
	}
	b, err := centred(l)
	if err != nil {
		return 0, err
	}
	if len(a) != len(b) {
		return 0, fmt.Errorf("ntk: kernels of shapes %s and %s cannot be compared", k.Shape(), l.Shape())
	}
	return cosine(a, b), nil
}

// centred returns HKH, where H acts on the examples.
func centred(kernel *tensors.Tensor) ([]float64, error) {
	symmetric, err := asMatrix(kernel)
	if err != nil {
		return nil, err
	}
	matrix := mat.DenseCopyOf(symmetric)
	rows, _ := matrix.Dims()
	n := kernel.Shape().Dimensions[0]
	outputs := rows / n
	for range 2 { // the rows, then the columns
		for c := range outputs {
			mean := make([]float64, rows)
			for i := range n {
				floats.AddScaled(mean, 1/float64(n), matrix.RawRowView(i*outputs+c))
			}
			for i := range n {
				floats.Sub(matrix.RawRowView(i*outputs+c), mean)
			}
		}
		matrix = mat.DenseCopyOf(matrix.T())
	}
	return matrix.RawMatrix().Data, nil
}
