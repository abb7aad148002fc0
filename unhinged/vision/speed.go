package vision

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/layers"
	"github.com/unhinged-lab/lab/internal/numbers"
	"gonum.org/v1/gonum/mat"
)

// Speed is the network of Jordan, "94% on CIFAR-10 in 3.29 seconds on a single A100" (arXiv 2404.00498), of these
// widths:
//
//	whitening: a fixed convolution of 2×2 patches without padding, then GELU
//	three groups of widths[0], widths[1], widths[2] channels:
//	    3×3 convolution, 2×2 max-pooling, batch normalisation, GELU, 3×3 convolution, batch normalisation, GELU
//	the maximum over all positions
//
// Convolutions have no bias and are padded by 1. Batch normalisation has a fixed scale, and 0.4 of each new batch in
// its averages. Without lastReLU the last GELU is left out. The paper's network has widths 64, 256, 256 and also trains
// a bias of the whitening layer for the first epochs; this one has none.
func Speed(widths [3]int) Model {
	norm := layers.BatchNorm{Momentum: 0.4, FixedScale: true}
	features := func(scope *model.Scope, x *Node, lastReLU bool) *Node {
		whitening := scope.In("whitening").GetVariable("weights")
		if whitening == nil {
			panic(fmt.Errorf("the network %s needs Model.Prepare to be called before its graph is built",
				speedName(widths)))
		}
		filters := ConvertDType(whitening.NodeValue(x.Graph()), x.DType())
		x = activation.Gelu(Convolve(x, filters).NoPadding().Done())
		for i, width := range widths {
			group := scope.In("group%d", i+1)
			x = convolve3(group.In("conv1"), x, width)
			x = activation.Gelu(normalise(norm, group.In("norm1"), maxPool2(x)))
			x = convolve3(group.In("conv2"), x, width)
			x = normalise(norm, group.In("norm2"), x)
			if lastReLU || i < len(widths)-1 {
				x = activation.Gelu(x)
			}
		}
		return ReduceMax(ConvertDType(x, stored(x.DType())), 1, 2)
	}
	size := func(height, width, channels int) (size Size) {
		positions, inputs := float64((height-1)*(width-1)), float64(2*4*channels)
		size.layer(0, positions*inputs)
		for _, width := range widths {
			outputs := float64(width)
			size.layer(9*inputs*outputs+outputs, positions*outputs)
			positions /= 4
			size.layer(9*outputs*outputs+outputs, positions*outputs)
			inputs = outputs
		}
		return size
	}
	return Model{Name: speedName(widths), Features: features, Prepare: prepareWhitening, Dimension: widths[2],
		Smallest: 9, Size: size} // 2×2 patches, and three halvings
}

func speedName(widths [3]int) string {
	return fmt.Sprintf("speed-%d-%d-%d", widths[0], widths[1], widths[2])
}

// convolve3 is a 3×3 convolution without bias. The first filters, one for each channel of x, start as the identity of
// their channel (Dirac). The others start from U(−1/√n, 1/√n), where n is the number of inputs of a filter, as in
// PyTorch.
func convolve3(layer *model.Scope, x *Node, channels int) *Node {
	const size = 3
	inputs := x.Shape().Dimensions[3]
	weights := layer.GetVariable("weights")
	if weights == nil {
		random := layers.Random(layer, "weights")
		bound := 1 / math.Sqrt(float64(size*size*inputs))
		values := make([]float64, size*size*inputs*channels) // [size, size, inputs, channels]
		for i := range values {
			position, input, output := i/(inputs*channels), i/channels%inputs, i%channels
			draw := bound * (2*random.Float64() - 1)
			switch {
			case output >= inputs:
				values[i] = draw
			case output == input && position == size*size/2:
				values[i] = 1
			}
		}
		initial := numbers.Tensor(stored(x.DType()), values, size, size, inputs, channels)
		weights = layer.VariableWithValue("weights", initial)
	}
	filters := ConvertDType(weights.NodeValue(x.Graph()), x.DType())
	return Convolve(x, filters).PaddingPerDim([][2]int{{1, 1}, {1, 1}}).Done()
}

// maxPool2 is the maximum over windows of 2×2; a last odd row or column is left out. On XLA's CPU backend the maximum
// of four strided slices takes a fifth less time than MaxPool, whose gradient is slow.
func maxPool2(x *Node) *Node {
	height, width := x.Shape().Dimensions[1]/2*2, x.Shape().Dimensions[2]/2*2
	part := func(i, j int) *Node {
		return Slice(x, AxisRange(), AxisRange(i, height).Stride(2), AxisRange(j, width).Stride(2))
	}
	larger := func(a, b *Node) *Node { return Where(GreaterThan(a, b), a, b) }
	return larger(larger(part(0, 0), part(0, 1)), larger(part(1, 0), part(1, 1)))
}

// whiteningEpsilon is added to the variances by which patches are divided.
const whiteningEpsilon = 5e-4

// prepareWhitening makes the filters of the whitening layer, [2, 2, channels, 2·4·channels]: the eigenvectors of the
// covariance (around 0) of the images' 2×2 patches, each divided by √(eigenvalue + whiteningEpsilon), and their
// negatives.
func prepareWhitening(scope *model.Scope, images Inputs) error {
	const size = 2
	length := size * size * images.Channels
	patch := make([]float64, length)
	covariance := mat.NewSymDense(length, nil)
	each := images.Height * images.Width * images.Channels
	count := 0.0
	for from := 0; from < len(images.Values); from += each {
		for y := range images.Height - size + 1 {
			for x := range images.Width - size + 1 {
				for k := range patch {
					dy, dx, c := k/(size*images.Channels), k/images.Channels%size, k%images.Channels
					patch[k] = float64(images.Values[from+((y+dy)*images.Width+x+dx)*images.Channels+c])
				}
				covariance.SymRankOne(covariance, 1, mat.NewVecDense(length, patch))
				count++
			}
		}
	}
	if count == 0 {
		return fmt.Errorf("images of %d×%d have no patches of %d×%d", images.Height, images.Width, size, size)
	}
	covariance.ScaleSym(1/count, covariance)
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, true) {
		return fmt.Errorf("the covariance of the images' patches has no eigenvectors: is every pixel finite?")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	values := make([]float64, length*2*length)
	for k := range length {
		for f, eigenvalue := range eigen.Values(nil) {
			weight := vectors.At(k, f) / math.Sqrt(eigenvalue+whiteningEpsilon)
			values[k*2*length+f], values[k*2*length+length+f] = weight, -weight
		}
	}
	initial := numbers.Tensor(dtypes.Float32, values, size, size, images.Channels, 2*length)
	scope.In("whitening").VariableWithValue("weights", initial).SetTrainable(false)
	return nil
}
