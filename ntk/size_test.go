package ntk

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// TestSize checks that the counted size equals the number of parameters that building the network draws, and that
// counting returns an error if building the network does.
func TestSize(t *testing.T) {
	backend, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(4, 6))
	misfits := 0
	for range 200 {
		network := drawing{random, 3, true}.network([][]int{{4}, {5, 4, 2}}[random.IntN(2)])
		input := [][]int{{2, 4}, {2, 5, 4, 2}, {2, 1, 9, 2}}[random.IntN(3)] // sometimes of a wrong kind
		store, outputs := seeded(1), 0
		_, err := model.CallOnce(backend, store, func(scope *model.Scope, x *graph.Node) *graph.Node {
			y := network.Model(scope, NTKParameterization, x)
			checkOutputs(x, y)
			outputs = y.Shape().Dimensions[1]
			return y
		}, normals(1, dtypes.Float64, input...))
		size, failed := network.Size(shapes.Make(dtypes.Float64, input...))
		if (err == nil) != (failed == nil) {
			t.Errorf("%s on %v: built with error %v, counted with %v", network, input, err, failed)
		}
		if err != nil {
			misfits++
			continue
		}
		parameters := 0
		for v := range store.IterVariables() {
			parameters += v.Shape().Size()
		}
		if size.Parameters != int64(parameters) || size.Outputs != outputs {
			t.Errorf("%s on %v: counted %+v, there are %d parameters and %d outputs", network, input, size, parameters,
				outputs)
		}
	}
	if misfits < 20 || misfits > 180 {
		t.Errorf("%d of 200 networks do not fit", misfits)
	}
}

// TestSizeOfTheAbsurd checks that absurd networks cause no overflow and no allocation.
func TestSizeOfTheAbsurd(t *testing.T) {
	vectors, images := shapes.Make(dtypes.Float32, 1, 784), shapes.Make(dtypes.Float32, 1, 32, 32, 3)
	for text, test := range map[string]struct {
		input      shapes.Shape
		parameters int64
		message    string
	}{
		"dense:1000000000 relu dense:1":                              {vectors, 785e9, ""},
		"dense:2147483646 dense:2147483646 dense:2147483646 dense:1": {vectors, math.MaxInt64, ""},
		"conv:2147483647,2147483647,same flatten":                    {images, 0, "flatten takes images of fewer"},
		"conv:2147483647,2147483647,same gap dense:1":                {images, math.MaxInt64, ""},
		"dense:2147483647":                                           {vectors, 0, "outputs: want fewer"},
		"residual[ identity | dense:2147483647 ]": {vectors, 0,
			"branch 1 of a residual ends with [2147483647]"},
		"conv:2,3": {images, 0, "ends with images"},
	} {
		network, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		size, err := network.Size(test.input)
		if test.message == "" && (err != nil || size.Parameters != test.parameters) || test.message != "" &&
			(err == nil || !strings.Contains(err.Error(), test.message)) {
			t.Errorf("%s: %+v, error %v; want %+v", text, size, err, test)
		}
	}
}
