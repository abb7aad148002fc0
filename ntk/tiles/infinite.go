package tiles

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/ntk"
)

// Names of the two kernels of infinite width, in the order in which [Infinite] computes them.
const (
	NNGP = "nngp"
	NTK  = "ntk"
)

// Infinite computes tiles of the kernels of infinite width between the examples of x1 and x2, or of x1 with itself if
// x2 is nil. The examples have the number type T. The arrays are NNGP, NTK or both, in the order of the kernel's
// arrays.
func Infinite[T float32 | float64](kernels *ntk.Infinite, x1, x2 *tensors.Tensor, arrays ...string) Func[T] {
	return ofExamples[T](slicing[T](x1), slicing[T](x2), infinite(kernels.Kernels, arrays))
}

// InfiniteOfImages is [Infinite] for images of bytes, as [ntk.Infinite.KernelsOfImages] takes them: x1 and x2 make
// ranges of them. x2 may be nil.
func InfiniteOfImages(kernels *ntk.Infinite, x1, x2 func(r Range) *ntk.Images, arrays ...string) Func[float32] {
	return ofExamples[float32](x1, x2, infinite(kernels.KernelsOfImages, arrays))
}

// infinite returns the function of examples that computes these arrays.
func infinite[E any](kernels func(a, b E) (*ntk.Kernels, error), arrays []string) func(a, b E) ([]*tensors.Tensor,
	error) {
	return func(a, b E) ([]*tensors.Tensor, error) {
		both, err := kernels(a, b)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(arrays, NNGP) {
			both.NNGP.MustFinalizeAll()
		}
		if !slices.Contains(arrays, NTK) {
			both.NTK.MustFinalizeAll()
		}
		var some []*tensors.Tensor
		for _, name := range arrays {
			switch name {
			case NNGP:
				some = append(some, both.NNGP)
			case NTK:
				some = append(some, both.NTK)
			default:
				return nil, fmt.Errorf("tiles: a network of infinite width has the kernels %s and %s, not %q", NNGP,
					NTK, name)
			}
		}
		return some, nil
	}
}

// Empirical computes tiles of one kernel of a network of finite width, whose function is [ntk.Empirical.Full],
// [ntk.Empirical.TraceSum] or [ntk.Empirical.TraceMean], between the examples of x1 and x2, or of x1 with itself if x2
// is nil. The examples have the number type T.
func Empirical[T float32 | float64](kernel func(x1, x2 *tensors.Tensor) (*tensors.Tensor, error), x1,
	x2 *tensors.Tensor) Func[T] {
	return ofExamples[T](slicing[T](x1), slicing[T](x2), func(a, b *tensors.Tensor) ([]*tensors.Tensor, error) {
		k, err := kernel(a, b)
		return []*tensors.Tensor{k}, err
	})
}

// examples are *tensors.Tensor or *ntk.Images.
type examples interface {
	comparable
	MustFinalizeAll()
}

// ofExamples computes tiles by a function of the examples. Its second argument is nil for tiles on the diagonal of a
// symmetric kernel.
func ofExamples[T float32 | float64, E examples](x1, x2 func(r Range) E, kernels func(a, b E) ([]*tensors.Tensor,
	error)) Func[T] {
	return func(rows, cols Range) ([][]T, error) {
		a := x1(rows)
		defer a.MustFinalizeAll()
		var none, b E
		switch {
		case x2 != nil:
			b = x2(cols)
		case rows != cols:
			b = x1(cols)
		}
		if b != none {
			defer b.MustFinalizeAll()
		}
		results, err := kernels(a, b)
		if err != nil {
			return nil, err
		}
		matrices := make([][]T, len(results))
		for i, k := range results {
			matrices[i] = tensors.MustCopyFlatData[T](k)
			k.MustFinalizeAll()
		}
		return matrices, nil
	}
}

// slicing returns the function that copies ranges of the examples of a tensor, or nil for nil.
func slicing[T float32 | float64](x *tensors.Tensor) func(r Range) *tensors.Tensor {
	if x == nil {
		return nil
	}
	return func(r Range) *tensors.Tensor {
		dims := append([]int{r.Len()}, x.Shape().Dimensions[1:]...)
		size := x.Shape().Size() / x.Shape().Dimensions[0]
		part := make([]T, r.Len()*size)
		tensors.MustConstFlatData(x, func(all []T) { copy(part, all[r.From*size:r.To*size]) })
		return tensors.FromFlatDataAndDimensions(part, dims...)
	}
}
