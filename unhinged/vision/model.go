package vision

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Model is a network without its last, linear layer.
type Model struct {
	Name string
	// Features maps images [batch, height, width, channels], whose channels have mean 0 and standard deviation 1 over
	// the training set, to features [batch, p] of type stored(the images'). It computes in the images' type. Without
	// lastReLU the last layer's is left out, so that features can be negative.
	Features func(scope *model.Scope, images *Node, lastReLU bool) *Node
	// Prepare, if set, creates the variables in scope that depend on the training images. It is called before the first
	// graph is built, with the first images of the training set.
	Prepare func(scope *model.Scope, images Inputs) error

	Dimension int // p, the number of features; 0 if it is not known beforehand
	Smallest  int // the least height and width of images that the network can take; 0 stands for 1
	// the parameters and memory of the network for images of this size; nil if they are not known
	Size func(height, width, channels int) Size
}

// Inputs are images in the form that a network takes.
type Inputs struct {
	Height, Width, Channels int
	Values                  []float32 // [n·Height·Width·Channels], channels last
}

// prepared is the number of training images that Prepare gets, if there are as many.
const prepared = 5000

// The values of Training.Precision.
const (
	single = "float32"
	half   = "bfloat16"
)

func checkPrecision(name string) error {
	if name != "" && name != single && name != half {
		return fmt.Errorf("there is no precision %q; there are %s and %s", name, single, half)
	}
	return nil
}

// stored returns the type of the variables of a network that computes in dtype. For bfloat16 it is float32, because
// SGD's small steps would be lost in bfloat16's eight bits.
func stored(dtype dtypes.DType) dtypes.DType {
	if dtype == dtypes.BFloat16 {
		return dtypes.Float32
	}
	return dtype
}

// ModelNamed returns the network with a name such as "mlp-256-256", a perceptron with two hidden layers of 256;
// "resnet18-64", a ResNet-18 of width 64, and so resnet8, resnet14, resnet20, resnet34 and resnet50;
// "speed-32-128-128", a Speed network.
func ModelNamed(name string) (Model, error) {
	kind, numbers, _ := strings.Cut(name, "-")
	var widths []int
	for number := range strings.SplitSeq(numbers, "-") {
		width, err := strconv.Atoi(number)
		if err != nil || width < 1 {
			return Model{},
				fmt.Errorf("no network is called %q: a width of at least 1 follows a dash, as in mlp-256-256 and "+
					"resnet18-64", name)
		}
		widths = append(widths, width)
	}
	resNets := map[string]func(int) Model{"resnet8": ResNet8, "resnet14": ResNet14, "resnet20": ResNet20,
		"resnet18": ResNet18, "resnet34": ResNet34, "resnet50": ResNet50}
	if kind == "mlp" {
		return MLP(widths...), nil
	}
	if kind == "speed" && len(widths) == 3 {
		return Speed([3]int(widths)), nil
	}
	make, found := resNets[kind]
	if !found || len(widths) != 1 {
		return Model{},
			fmt.Errorf("no network is called %q; there are mlp-WIDTH-WIDTH…, speed-WIDTH-WIDTH-WIDTH, and with one "+
				"width %s", name, strings.Join(slices.Sorted(maps.Keys(resNets)), ", "))
	}
	return make(widths[0]), nil
}
