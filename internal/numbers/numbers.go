// Package numbers converts between tensors of float32 or float64 and numbers or matrices of float64.
package numbers

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"
)

// Of returns a copy of a tensor's numbers.
func Of(t *tensors.Tensor) []float64 {
	if t.DType() == dtypes.Float64 {
		return tensors.MustCopyFlatData[float64](t)
	}
	narrow := tensors.MustCopyFlatData[float32](t)
	wide := make([]float64, len(narrow))
	for i, v := range narrow {
		wide[i] = float64(v)
	}
	return wide
}

// Matrix returns a tensor of two axes as a matrix.
func Matrix(t *tensors.Tensor) *mat.Dense {
	return mat.NewDense(t.Shape().Dimensions[0], t.Shape().Dimensions[1], Of(t))
}

// Tensor returns the numbers as a tensor of float32 or float64.
func Tensor(dtype dtypes.DType, v []float64, dims ...int) *tensors.Tensor {
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(v, dims...)
	}
	narrow := make([]float32, len(v))
	for i, x := range v {
		narrow[i] = float32(x)
	}
	return tensors.FromFlatDataAndDimensions(narrow, dims...)
}
