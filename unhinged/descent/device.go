package descent

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"gonum.org/v1/gonum/mat"
)

// onDevice is a state as tensors: (H, W, b) with a row for each sample or class, and the labels as one-hot rows [n, C].
type onDevice struct {
	point  [3]*tensors.Tensor
	onehot *tensors.Tensor
}

// upload copies a state.
func upload(s *dynamics.State, dtype dtypes.DType) *onDevice {
	p, c, n := s.Dims()
	onehot := make([]float64, n*c)
	for i, y := range s.Labels() {
		onehot[i*c+y] = 1
	}
	return &onDevice{
		point: [3]*tensors.Tensor{
			hostTensor(mat.DenseCopyOf(s.H.T()).RawMatrix().Data, dtype, n, p),
			hostTensor(mat.DenseCopyOf(s.W.T()).RawMatrix().Data, dtype, c, p),
			hostTensor(append([]float64(nil), s.B...), dtype, c),
		},
		onehot: hostTensor(onehot, dtype, n, c),
	}
}

// replace replaces (H, W, b) by new tensors and frees the old ones.
func (x *onDevice) replace(point []*tensors.Tensor) {
	for i, t := range point {
		x.point[i].FinalizeAll()
		x.point[i] = t
	}
}

// download copies the state back to the host. Its class sizes and order are those of like.
func (x *onDevice) download(like *dynamics.State) (*dynamics.State, error) {
	p, c, n := like.Dims()
	var values [3][]float64
	for i, t := range x.point {
		v, err := hostValues(t)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	s := like.Clone()
	s.H = mat.DenseCopyOf(mat.NewDense(n, p, values[0]).T())
	s.W = mat.DenseCopyOf(mat.NewDense(c, p, values[1]).T())
	s.B = values[2]
	return s, nil
}

// hostTensor returns numbers as a tensor of type Float64 or Float32.
func hostTensor(values []float64, dtype dtypes.DType, dims ...int) *tensors.Tensor {
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(values, dims...)
	}
	narrow := make([]float32, len(values))
	for i, v := range values {
		narrow[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(narrow, dims...)
}

// hostValues returns the numbers of a tensor of either type.
func hostValues(t *tensors.Tensor) ([]float64, error) {
	if t.DType() == dtypes.Float64 {
		return tensors.CopyFlatData[float64](t)
	}
	narrow, err := tensors.CopyFlatData[float32](t)
	wide := make([]float64, len(narrow))
	for i, v := range narrow {
		wide[i] = float64(v)
	}
	return wide, err
}

// newObserver returns the graph of a Trace's numbers.
func (f BruteForce) newObserver() (*Exec, error) {
	return NewExec(f.Backend, func(inputs []*Node) []*Node {
		x, onehot := point(inputs[:3]), inputs[3]
		logits := x.logits(f.Spherical)
		labels := ArgMax(onehot, -1)
		accuracy := func(logits *Node) *Node {
			return ReduceAllMean(ConvertDType(Equal(ArgMax(logits, -1), labels), f.DType))
		}
		h, w := ReduceAllSum(Square(x[0])), ReduceAllSum(Square(x[1]))
		return []*Node{
			ReduceAllMean(f.Loss.Each(onehot, logits)),
			accuracy(Sub(logits, InsertAxes(x[2], 0))), accuracy(logits),
			Sqrt(h), Sqrt(w), Sqrt(Add(h, w)),
		}
	})
}

// record appends the numbers at time t.
func (tr *Trace) record(observer *Exec, t float64, x *onDevice) error {
	out, err := observer.Call(x.point[0], x.point[1], x.point[2], x.onehot)
	if err != nil {
		return fmt.Errorf("descent: observing: %w", err)
	}
	tr.Time = append(tr.Time, t)
	for i, column := range []*[]float64{&tr.Loss, &tr.Accuracy, &tr.AccuracyWithBias, &tr.NormH, &tr.NormW, &tr.NormZ} {
		v, err := hostValues(out[i])
		if err != nil {
			return err
		}
		*column = append(*column, v[0])
	}
	return nil
}
