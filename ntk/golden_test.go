package ntk

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/internal/numbers"
)

// golden is a case of testdata/golden.json, which testdata/golden.py computed with 60 digits.
type golden struct {
	Network, Activation, Pair string
	Bias                      float64
	X, Y                      []float64
	XY, XX, YY                [2]string // NNGP and NTK
}

// network returns the network that golden.py calculates.
func (g golden) network() Network {
	φ := map[string]Layer{"ReLU": ReLU, "LeakyReLU": LeakyReLU(0.25), "Abs": Abs, "Erf": Erf, "Sin": Sin,
		"GELU": GELU}[g.Activation]
	if g.Network == "dense" {
		dense := Dense(8).Std(1.5, g.Bias)
		return Serial(dense, φ, dense, φ, dense, φ, dense)
	}
	conv := Conv(8, 3).Same().Std(1.25, g.Bias)
	end := map[string]Layer{"flatten": Flatten, "pool": GlobalAveragePool}[g.Network]
	return Serial(conv, Residual(Identity, Serial(φ, conv)), φ, end, Dense(8).Std(1.25, g.Bias))
}

// TestGolden compares the kernels of pairs of directions, some of which differ by only 2^-40, with 60-digit arithmetic
// to 1e-12. Where the inputs are exact in float32, it also compares float32 to that type's rounding.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []golden
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		worst := 0.0
		compiled := map[string]*Infinite{}
		for _, c := range cases {
			dims := []int{1, len(c.X)}
			if c.Network != "dense" {
				dims = []int{1, 3, 3, 2}
			}
			key := fmt.Sprint(c.Network, c.Activation, c.Bias)
			if compiled[key] == nil {
				compiled[key] = c.network().Infinite(backend)
			}
			infinite := compiled[key]
			for _, pair := range []struct {
				name string
				x, y []float64
				want [2]string
			}{{"xy", c.X, c.Y, c.XY}, {"xx", c.X, nil, c.XX}, {"yy", c.Y, nil, c.YY}} {
				compare := func(name string, tolerance float64, x, y *tensors.Tensor) {
					kernels, err := infinite.Kernels(x, y)
					if err != nil {
						t.Fatal(err)
					}
					got := [2]float64{values(kernels.NNGP)[0], values(kernels.NTK)[0]}
					for i, kernel := range []string{"NNGP", "NTK"} {
						want, _ := strconv.ParseFloat(pair.want[i], 64)
						relative := math.Abs(got[i]-want) / math.Abs(want)
						if tolerance < 1e-10 {
							worst = max(worst, relative)
						}
						if !(relative <= tolerance) {
							t.Errorf("%s %s bias %g, %s, %s of %s, %s: %.17g, want %s, off by %.1e", c.Network,
								c.Activation, c.Bias, c.Pair, kernel, pair.name, name, got[i], pair.want[i], relative)
						}
					}
				}
				var y *tensors.Tensor
				if pair.y != nil {
					y = tensors.FromFlatDataAndDimensions(pair.y, dims...)
				}
				compare("float64", 1e-12, tensors.FromFlatDataAndDimensions(pair.x, dims...), y)
				if single(pair.x) && single(pair.y) {
					if pair.y != nil {
						y = numbers.Tensor(dtypes.Float32, pair.y, dims...)
					}
					compare("float32", 2e-6, numbers.Tensor(dtypes.Float32, pair.x, dims...), y)
				}
			}
		}
		t.Logf("largest relative error %.1e", worst)
	})
}

// single reports whether all numbers can be represented in float32.
func single(x []float64) bool {
	for _, v := range x {
		if float64(float32(v)) != v {
			return false
		}
	}
	return true
}

// values returns a tensor's numbers in float64.
func values(t *tensors.Tensor) []float64 {
	if t.DType() == dtypes.Float64 {
		return tensors.MustCopyFlatData[float64](t)
	}
	var wide []float64
	for _, v := range tensors.MustCopyFlatData[float32](t) {
		wide = append(wide, float64(v))
	}
	return wide
}
