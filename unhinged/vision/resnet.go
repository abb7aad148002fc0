package vision

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/internal/layers"
)

// ResNet18 is the ResNet-18 for images of 32×32 (a 3×3 stem, no max-pooling), whose stages have width, 2·width, 4·width
// and 8·width channels; the paper's has width 64.
func ResNet18(width int) Model { return resNet("resnet18", width, 3, basicBlock, 2, 2, 2, 2) }

// ResNet34 is the ResNet-34 for images of 32×32, as ResNet18.
func ResNet34(width int) Model { return resNet("resnet34", width, 3, basicBlock, 3, 4, 6, 3) }

// ResNet50 is the ResNet-50 for images of ImageNet's size: a 7×7 stem and a max-pooling, each of stride 2, and
// bottlenecks. Its features have 32·width channels; the paper's has width 64.
func ResNet50(width int) Model { return resNet("resnet50", width, 7, bottleneck, 3, 4, 6, 3) }

// ResNet8, ResNet14 and ResNet20 are the small networks that He et al. (2016, section 4.2) made for CIFAR-10, with 1, 2
// and 3 blocks a stage: stages of width, 2·width and 4·width channels, theirs of width 16, and shortcuts without
// parameters.
func ResNet8(width int) Model  { return resNet("resnet8", width, 3, plainBlock, 1, 1, 1) }
func ResNet14(width int) Model { return resNet("resnet14", width, 3, plainBlock, 2, 2, 2) }
func ResNet20(width int) Model { return resNet("resnet20", width, 3, plainBlock, 3, 3, 3) }

// block is a kind of residual block.
type block struct {
	// apply maps x to F(x) + shortcut(x), with width·expansion channels. It does not include the ReLU that follows.
	apply     func(scope *model.Scope, x *Node, width, stride int) *Node
	expansion int
	// kernels are the sizes of F's convolutions. The last one has width·expansion channels, and the others have width
	// channels.
	kernels []int
	// projects says that the shortcut is a 1×1 convolution where the shape changes.
	projects bool
}

var (
	basicBlock = block{basic, 1, []int{3, 3}, true}
	bottleneck = block{narrow, 4, []int{1, 3, 1}, true}
	plainBlock = block{padded, 1, []int{3, 3}, false}
)

// resNet is a residual network (He et al. 2016): a stem, stages of blocks, each with twice the channels and half the
// resolution of the one before, and the average over all positions.
func resNet(name string, width, stem int, block block, stages ...int) Model {
	features := func(scope *model.Scope, x *Node, lastReLU bool) *Node {
		if stem == 3 {
			x = relu(convNorm(scope.In("stem"), x, 3, 1, width))
		} else {
			x = relu(convNorm(scope.In("stem"), x, stem, 2, width))
			x = MaxPool(x).Window(3).Strides(2).PaddingPerDim([][2]int{{1, 1}, {1, 1}}).Done()
		}
		for s, blocks := range stages {
			for b := range blocks {
				stride := 1
				if s > 0 && b == 0 {
					stride = 2
				}
				x = block.apply(scope.In("stage%d-block%d", s+1, b+1), x, width<<s, stride)
				if lastReLU || s < len(stages)-1 || b < blocks-1 {
					x = relu(x)
				}
			}
		}
		return ReduceMean(ConvertDType(x, stored(x.DType())), 1, 2)
	}
	dimension := width << (len(stages) - 1) * block.expansion
	return Model{Name: fmt.Sprintf("%s-%d", name, width), Features: features, Dimension: dimension,
		Size: func(height, wide, channels int) Size {
			return resNetSize(width, stem, block, stages, height*wide, channels)
		}}
}

// resNetSize counts the parameters and outputs of the convolutions and batch normalisations of a residual network for
// images with this number of pixels.
func resNetSize(width, stem int, block block, stages []int, pixels, channels int) (size Size) {
	positions, w := float64(pixels), float64(width)
	convolution := func(kernel int, inputs, outputs float64) {
		size.layer(float64(kernel*kernel)*inputs*outputs+2*outputs, positions*outputs)
	}
	if stem != 3 {
		positions /= 4
	}
	convolution(stem, float64(channels), w)
	if stem != 3 {
		positions /= 4
	}
	inputs := w
	for s, blocks := range stages {
		for b := range blocks {
			if s > 0 && b == 0 {
				positions /= 4
			}
			inner := w * math.Exp2(float64(s))
			outputs := inner * float64(block.expansion)
			from := inputs
			for k, kernel := range block.kernels {
				to := inner
				if k == len(block.kernels)-1 {
					to = outputs
				}
				convolution(kernel, from, to)
				from = to
			}
			if block.projects && inputs != outputs {
				convolution(1, inputs, outputs)
			}
			inputs = outputs
		}
	}
	return size
}

// basic is two 3×3 convolutions; where it changes the shape, the shortcut is a 1×1 convolution.
func basic(scope *model.Scope, x *Node, width, stride int) *Node {
	y := relu(convNorm(scope.In("conv1"), x, 3, stride, width))
	y = convNorm(scope.In("conv2"), y, 3, 1, width)
	return Add(y, projected(scope, x, width, stride))
}

// narrow is a 1×1, a 3×3 and a 1×1 convolution, the last to four times the channels. As torchvision's it has its
// stride in the 3×3 convolution.
func narrow(scope *model.Scope, x *Node, width, stride int) *Node {
	y := relu(convNorm(scope.In("conv1"), x, 1, 1, width))
	y = relu(convNorm(scope.In("conv2"), y, 3, stride, width))
	y = convNorm(scope.In("conv3"), y, 1, 1, 4*width)
	return Add(y, projected(scope, x, 4*width, stride))
}

// projected is x where the shape stays, and a 1×1 convolution where it changes ("option B").
func projected(scope *model.Scope, x *Node, channels, stride int) *Node {
	if stride == 1 && x.Shape().Dimensions[3] == channels {
		return x
	}
	return convNorm(scope.In("shortcut"), x, 1, stride, channels)
}

// padded is basic with a shortcut without parameters ("option A"): every second position, and zeros for the new
// channels.
func padded(scope *model.Scope, x *Node, width, stride int) *Node {
	y := relu(convNorm(scope.In("conv1"), x, 3, stride, width))
	y = convNorm(scope.In("conv2"), y, 3, 1, width)
	if stride > 1 {
		x = Slice(x, AxisRange(), AxisRange().Stride(stride), AxisRange().Stride(stride))
		none := x.Shape().Clone()
		none.Dimensions[3] = width - none.Dimensions[3]
		x = Concatenate([]*Node{x, Zeros(x.Graph(), none)}, 3)
	}
	return Add(y, x)
}

// convNorm is a size×size convolution of x [batch, height, width, channels] without bias, padded by size/2, and batch
// normalisation. It starts from He's initialisation by the fan-out, N(0, 2/(size²·channels)), as torchvision's networks
// do.
func convNorm(layer *model.Scope, x *Node, size, stride, channels int) *Node {
	inputs := x.Shape().Dimensions[3]
	deviation := math.Sqrt(2 / float64(size*size*channels))
	weights := layers.Normal(layer, "weights", deviation, stored(x.DType()), size, size, inputs, channels)
	kernel := layer.VariableWithValue("weights", weights)
	pad := [2]int{size / 2, size / 2}
	y := Convolve(x, ConvertDType(kernel.NodeValue(x), x.DType())).Strides(stride).PaddingPerDim([][2]int{pad,
		pad}).Done()
	return batchNorm(layer, y)
}

// relu is max(x, 0); gomlx's Max has a slower gradient.
func relu(x *Node) *Node {
	zeros := ZerosLike(x)
	return Where(GreaterThan(x, zeros), x, zeros)
}
