package ntk

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"
)

// numbers returns a copy of a tensor's numbers, float32 or float64, in float64.
func numbers(t *tensors.Tensor) []float64 {
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

// matrix returns a tensor of rank two in float64.
func matrix(t *tensors.Tensor) *mat.Dense {
	return mat.NewDense(t.Shape().Dimensions[0], t.Shape().Dimensions[1], numbers(t))
}

// fromFloat64 is a tensor of float32 or float64.
func fromFloat64(dtype dtypes.DType, v []float64, dims ...int) *tensors.Tensor {
	if dtype == dtypes.Float32 {
		return tensors.FromFlatDataAndDimensions(narrow(v), dims...)
	}
	return tensors.FromFlatDataAndDimensions(v, dims...)
}

func narrow(values []float64) []float32 {
	narrow := make([]float32, len(values))
	for i, v := range values {
		narrow[i] = float32(v)
	}
	return narrow
}
