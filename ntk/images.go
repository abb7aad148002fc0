package ntk

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/gotype"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sys/cpu"

	"github.com/unhinged-lab/lab/internal/parallel"
)

// Images are examples of bytes: the inputs of example i are Scale[i]·Bytes[i].
type Images struct {
	Bytes *tensors.Tensor // uint8, [N, features] or [N, height, width, channels]
	Scale []float64       // [N], positive
}

// MustFinalizeAll frees the bytes.
func (x *Images) MustFinalizeAll() { x.Bytes.MustFinalizeAll() }

// KernelsOfImages returns the kernels between the images of x1 and those of x2, or of x1 with itself if x2 is nil, as
// float32. They are those of [Infinite.Kernels].
//
// For networks of vectors, such as those that begin with Flatten, the products of the bytes are computed exactly, as
// whole numbers, and on processors with AMX (Intel's matrix unit) about three times as fast as those of float32.
func (inf *Infinite) KernelsOfImages(x1, x2 *Images) (*Kernels, error) {
	if x1 == nil {
		return nil, errors.New("ntk: no inputs")
	}
	if x2 == nil {
		x2 = x1
	}
	for _, x := range []*Images{x1, x2} {
		if err := x.check(); err != nil {
			return nil, err
		}
	}
	s1, s2 := x1.Bytes.Shape().Dimensions, x2.Bytes.Shape().Dimensions
	if !slices.Equal(s1[1:], s2[1:]) {
		return nil, fmt.Errorf("ntk: images of shapes %v and %v do not match", s1, s2)
	}
	program, err := inf.program(shapes.Make(dtypes.Float32, s1...))
	if err != nil {
		return nil, err
	}
	if program.shapes[0].image() {
		return inf.kernelsOfInputs(x1, x2)
	}
	p := &pairs[float32]{program: program, single: true, symmetric: x1 == x2}
	p.x1 = readWhole(x1, inf.factors)
	defer p.x1.whole.free()
	p.v1 = p.variances(p.x1)
	p.x2, p.v2 = p.x1, p.v1
	if !p.symmetric {
		p.x2 = readWhole(x2, inf.factors)
		defer p.x2.whole.free()
		p.v2 = p.variances(p.x2)
	}
	p.whole = make([]float64, p.x1.n*p.x2.n)
	for i, part := range p.x1.whole.parts {
		product, err := inf.whole.Call1(part, p.x2.whole.parts[i])
		if err != nil {
			return nil, fmt.Errorf("ntk: multiplying the images: %w", err)
		}
		values := flat[float32](product)
		parallel.For(p.x1.n, func(row int) {
			sums := p.whole[row*p.x2.n : (row+1)*p.x2.n]
			for j, v := range values[row*p.x2.n : (row+1)*p.x2.n] {
				sums[j] += float64(v)
			}
		})
		product.MustFinalizeAll()
	}
	k := p.kernels(dtypes.Float32)
	runtime.KeepAlive(x1)
	runtime.KeepAlive(x2)
	return k, nil
}

func (x *Images) check() error {
	if x.Bytes == nil {
		return errors.New("ntk: no bytes of images")
	}
	if s := x.Bytes.Shape(); s.DType != dtypes.Uint8 || s.Size() == 0 || s.Rank() != 2 && s.Rank() != 4 ||
		s.Dimensions[0] != len(x.Scale) {
		return fmt.Errorf("ntk: images with %d scales are bytes of type uint8, [%[1]d, features] or [%[1]d, height, "+
			"width, channels] and not empty, not %s", len(x.Scale), s)
	}
	for i, s := range x.Scale {
		if !(s > 0) || math.IsInf(255*255*s*s*float64(x.Bytes.Size()), 1) {
			return fmt.Errorf("ntk: image %d (from 0) has the scale %g: it must be positive, and the squares of its "+
				"inputs finite", i, s)
		}
	}
	return nil
}

// kernelsOfInputs returns the kernels of the images' inputs as float32.
func (inf *Infinite) kernelsOfInputs(x1, x2 *Images) (*Kernels, error) {
	in1 := x1.inputs()
	defer in1.MustFinalizeAll()
	if x1 == x2 {
		return inf.Kernels(in1, nil)
	}
	in2 := x2.inputs()
	defer in2.MustFinalizeAll()
	return inf.Kernels(in1, in2)
}

// inputs returns the inputs as float32.
func (x *Images) inputs() *tensors.Tensor {
	bytes := flat[uint8](x.Bytes)
	size := len(bytes) / len(x.Scale)
	values := make([]float32, len(bytes))
	for i, scale := range x.Scale {
		for j := i * size; j < (i+1)*size; j++ {
			values[j] = float32(float64(bytes[j]) * scale)
		}
	}
	return tensors.FromFlatDataAndDimensions(values, x.Bytes.Shape().Dimensions...)
}

// whole has the numbers of images that are vectors, and what their exact products need.
type whole struct {
	bytes []uint8
	scale []float64
	sums  []float64         // of each image's bytes
	parts []*tensors.Tensor // bytes − middle, [n, features of the part]; zeros fill up the last part
}

const (
	middle = 128 // is subtracted from bytes before they are multiplied
	// partFeatures is the largest number of features of a part. Their products are at most 2¹⁴, so that any sum of them
	// is a whole number that float32 holds, in whatever order they are added.
	partFeatures = 1024
)

// wholeFactors returns the type of the parts. Both float32 and bfloat16 hold their numbers; the second is taken where
// the processor has a unit for its products.
func wholeFactors(backend compute.Backend) dtypes.DType {
	if cpu.X86.HasAMXBF16 && backend.Name() == "xla" {
		return dtypes.BFloat16
	}
	return dtypes.Float32
}

// readWhole reads images as vectors.
func readWhole(x *Images, factors dtypes.DType) *inputs[float32] {
	n, bytes := len(x.Scale), flat[uint8](x.Bytes)
	in := &inputs[float32]{variances: newVariances(n), n: n, channels: len(bytes) / n}
	in.whole = &whole{bytes: bytes, scale: x.Scale, sums: make([]float64, n)}
	parallel.For(n, func(i int) {
		sum, squares := 0, 0
		for _, v := range in.whole.image(i) {
			sum += int(v)
			squares += int(v) * int(v)
		}
		in.whole.sums[i] = float64(sum)
		in.q[i] = x.Scale[i] * x.Scale[i] * float64(squares) / float64(in.channels)
	})
	in.roots()
	parts := (in.channels + partFeatures - 1) / partFeatures
	width := (in.channels + parts - 1) / parts
	for from := 0; from < in.channels; from += width {
		if factors == dtypes.BFloat16 {
			in.whole.parts = append(in.whole.parts, centredPart(in.whole, from, width, bfloat16.FromFloat32))
		} else {
			in.whole.parts = append(in.whole.parts, centredPart(in.whole, from, width,
				func(v float32) float32 { return v }))
		}
	}
	return in
}

// image returns the bytes of image i.
func (w *whole) image(i int) []uint8 {
	size := len(w.bytes) / len(w.scale)
	return w.bytes[i*size : (i+1)*size]
}

// centredPart returns the bytes from, from+1, … of each image, minus middle.
func centredPart[E gotype.Supported](w *whole, from, width int, number func(float32) E) *tensors.Tensor {
	var table [256]E
	for v := range table {
		table[v] = number(float32(v) - middle)
	}
	values := make([]E, len(w.scale)*width)
	parallel.For(len(w.scale), func(i int) {
		image, row := w.image(i), values[i*width:(i+1)*width]
		for j, v := range image[from:min(from+width, len(image))] {
			row[j] = table[v]
		}
	})
	return tensors.FromFlatDataAndDimensions(values, len(w.scale), width)
}

func (w *whole) free() {
	for _, part := range w.parts {
		part.MustFinalizeAll()
	}
}

// wholeProducts sets k to the inner products of image i of x1 with images from, from+1, … of x2, of whose bytes
// products has Σ (b − middle)(c − middle):
//
//	Σ b·c = Σ (b − middle)(c − middle) + middle·(Σ b + Σ c) − middle²·features.
func wholeProducts[T float32 | float64](k, products []float64, x1, x2 *inputs[T], i, from int) {
	add, scale := middle*(x1.whole.sums[i]-middle*float64(x1.channels)), x1.whole.scale[i]
	sums, scales := x2.whole.sums[from:][:len(k)], x2.whole.scale[from:][:len(k)]
	for j, product := range products[:len(k)] {
		k[j] = (product + add + middle*sums[j]) * scale * scales[j]
	}
}
