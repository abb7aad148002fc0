package unhinged

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/train/loss"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"gonum.org/v1/gonum/diff/fd"
)

// naive has the losses of one example by plain loops in float64, with m = 1 and an explicit γ.
var naive = map[string]func(s []float64, y int, gamma float64) float64{
	"unhinged": func(s []float64, y int, gamma float64) float64 {
		return sumOver(s, y, -s[y], func(sj float64) float64 { return gamma * sj })
	},
	"hinge": func(s []float64, y int, _ float64) float64 {
		return sumOver(s, y, 0, func(sj float64) float64 { return math.Max(0, sj-s[y]+1) })
	},
	"multibinary": func(s []float64, y int, gamma float64) float64 {
		return sumOver(s, y, softplus(-s[y]), func(sj float64) float64 { return gamma * softplus(sj) })
	},
	"ce": func(s []float64, y int, _ float64) float64 {
		return math.Log(sumOver(s, y, 1, func(sj float64) float64 { return math.Exp(sj - s[y]) }))
	},
	"mse": func(s []float64, y int, _ float64) float64 {
		return sumOver(s, y, (s[y]-1)*(s[y]-1), func(sj float64) float64 { return sj * sj })
	},
}

func softplus(x float64) float64 { return math.Log1p(math.Exp(x)) }

// sumOver returns start + Σ_{j≠y} f(s_j).
func sumOver(s []float64, y int, start float64, f func(float64) float64) float64 {
	for j, sj := range s {
		if j != y {
			start += f(sj)
		}
	}
	return start
}

// criteria returns the losses by name at γ, where nil means the default.
func criteria(gamma *float64, perExample bool) map[string]Criterion {
	return map[string]Criterion{
		"unhinged":    Loss{gamma, perExample},
		"hinge":       Hinge{nil, perExample},
		"multibinary": MultiBinary{gamma, perExample},
		"ce":          CrossEntropy{perExample},
		"mse":         SquaredError{perExample},
	}
}

// batch is a random batch of logits and labels.
type batch struct {
	n, c   int
	logits []float64 // [n, c], row-major
	labels []int32
}

func randomBatch(rng *rand.Rand, n, c int) batch {
	b := batch{n, c, normals(rng, n*c), make([]int32, n)}
	for i := range b.labels {
		b.labels[i] = int32(rng.IntN(c))
	}
	return b
}

func normals(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

// tensor returns the values as a tensor of the given type and dimensions.
func tensor(dtype dtypes.DType, values []float64, dims ...int) *tensors.Tensor {
	if dtype == dtypes.Float32 {
		narrow := make([]float32, len(values))
		for i, v := range values {
			narrow[i] = float32(v)
		}
		return tensors.FromFlatDataAndDimensions(narrow, dims...)
	}
	return tensors.FromFlatDataAndDimensions(append([]float64(nil), values...), dims...)
}

// floats64 returns a tensor's values as float64.
func floats64(t *tensors.Tensor) []float64 {
	if t.DType() == dtypes.Float64 {
		return tensors.MustCopyFlatData[float64](t)
	}
	var wide []float64
	for _, v := range tensors.MustCopyFlatData[float32](t) {
		wide = append(wide, float64(v))
	}
	return wide
}

// run runs a graph function of any inputs and returns the values of its named outputs. XLA takes about 60 ms to compile
// even a small graph, so that a test computes everything that it needs in one graph.
func run(backend compute.Backend, f func(inputs []*Node) map[string]*Node, inputs ...any) map[string][]float64 {
	var names []string
	outputs := MustExecOnceN(backend, func(inputs []*Node) []*Node {
		var nodes []*Node
		names = nil
		for name, node := range f(inputs) {
			names = append(names, name)
			nodes = append(nodes, node)
		}
		return nodes
	}, inputs...)
	values := map[string][]float64{}
	for i, output := range outputs {
		values[names[i]] = floats64(output)
	}
	return values
}

// wantAll compares named outputs with the wanted ones.
func wantAll(t *testing.T, got, want map[string][]float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d outputs, want %d", len(got), len(want))
	}
	for name, values := range want {
		wantClose(t, name, got[name], values, tolerance)
	}
}

// wantClose compares values, with a tolerance relative to the largest wanted value (at least 1).
func wantClose(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	scale := 1.0
	for _, w := range want {
		scale = math.Max(scale, math.Abs(w))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= tolerance*scale) {
			t.Errorf("%s: value %d is %.10g, want %.10g", what, i, got[i], want[i])
		}
	}
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

func TestCriteriaAgainstPlainLoops(t *testing.T) {
	gammas := []*float64{nil, new(0.0), new(2.5)}
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		rng := rand.New(rand.NewPCG(1, 0))
		for _, size := range [][2]int{{1, 2}, {7, 10}} {
			b := randomBatch(rng, size[0], size[1])
			want := map[string][]float64{}
			for i, gamma := range gammas {
				value := 1 / float64(b.c-1)
				if gamma != nil {
					value = *gamma
				}
				for name := range Criteria() {
					each := make([]float64, b.n)
					for i := range each {
						each[i] = naive[name](b.logits[i*b.c:(i+1)*b.c], int(b.labels[i]), value)
					}
					want[fmt.Sprintf("%s, γ number %d", name, i)] = each
					want[fmt.Sprintf("%s, γ number %d, mean", name, i)] = []float64{mean(each)}
				}
			}
			got := run(backend, func(inputs []*Node) map[string]*Node {
				outputs := map[string]*Node{}
				for i, gamma := range gammas {
					for name := range Criteria() {
						outputs[fmt.Sprintf("%s, γ number %d", name, i)] = criteria(gamma, true)[name].Fn(inputs[:1],
							inputs[1:])
						outputs[fmt.Sprintf("%s, γ number %d, mean", name, i)] = criteria(gamma,
							false)[name].Fn(inputs[:1], inputs[1:])
					}
				}
				return outputs
			}, b.labels, tensor(dtype, b.logits, b.n, b.c))
			wantAll(t, got, want, tolerance)
		}
	})
}

func TestCriteriaTableHasTheDefaults(t *testing.T) {
	defaults := criteria(nil, false)
	if len(Criteria()) != len(defaults) {
		t.Errorf("%d losses in the table, %d known", len(Criteria()), len(defaults))
	}
	for name, criterion := range Criteria() {
		if criterion != defaults[name] {
			t.Errorf("%s is %#v", name, criterion)
		}
	}
}

// Every form of the labels gives the same loss. One loss is enough for the test, because all losses read the labels
// with the same code.
func TestLabelForms(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		b := randomBatch(rand.New(rand.NewPCG(2, 0)), 6, 4)
		logits := tensor(dtype, b.logits, b.n, b.c)
		column, wide := make([][]int64, b.n), make([]int64, b.n)
		floats, ints, bools := make([]float64, b.n*b.c), make([]int32, b.n*b.c), make([]bool, b.n*b.c)
		for i, y := range b.labels {
			column[i], wide[i] = []int64{int64(y)}, int64(y)
			k := i*b.c + int(y)
			floats[k], ints[k], bools[k] = 1, 1, true
		}
		forms := []any{
			b.labels, wide, column, tensor(dtype, floats, b.n, b.c),
			tensors.FromFlatDataAndDimensions(ints, b.n, b.c), tensors.FromFlatDataAndDimensions(bools, b.n, b.c),
		}
		got := run(backend, func(inputs []*Node) map[string]*Node {
			outputs := map[string]*Node{}
			for i := range forms {
				outputs[fmt.Sprint(i)] = Loss{PerExample: true}.Fn(inputs[1+i:2+i], inputs[:1])
			}
			return outputs
		}, append([]any{logits}, forms...)...)
		want := make([]float64, b.n)
		for i, y := range b.labels {
			want[i] = naive["unhinged"](b.logits[i*b.c:(i+1)*b.c], int(y), 1/float64(b.c-1))
		}
		for form, values := range got {
			wantClose(t, "form "+form, values, want, tolerance)
		}
	})
}

func TestLabelsThatDoNotFit(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		logits := tensor(dtypes.Float32, make([]float64, 12), 3, 4)
		for what, labels := range map[string]any{
			"float class numbers": []float32{0, 1, 2}, "too few": []int32{0, 1},
			"too many classes": tensor(dtypes.Float32, make([]float64, 15), 3, 5),
		} {
			if _, err := CallOnce(backend, func(inputs []*Node) *Node { return Loss{}.Fn(inputs[:1], inputs[1:]) },
				labels, logits); err == nil {
				t.Errorf("%s: no error", what)
			}
		}
		negative := func(inputs []*Node) *Node { return Loss{Gamma: new(-0.1)}.Fn(inputs[:1], inputs[1:]) }
		if _, err := CallOnce(backend, negative, []int32{0, 1, 2}, logits); err == nil {
			t.Error("γ < 0: no error")
		}
	})
}

// Masks and weights have the same meaning as in gomlx.
func TestMaskAndWeights(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		b := randomBatch(rand.New(rand.NewPCG(3, 0)), 5, 3)
		b.logits[2*b.c] = math.NaN() // this example is masked out
		logits := tensor(dtype, b.logits, b.n, b.c)
		mask := []bool{true, true, false, true, false}
		factors := []float64{0.5, 2, 7, 0, 1}
		weights := tensor(dtype, factors, b.n)
		want := map[string][]float64{}
		for name := range Criteria() {
			each, masked := make([]float64, b.n), make([]float64, b.n)
			sum := 0.0
			for i := range each {
				if mask[i] {
					masked[i] = naive[name](b.logits[i*b.c:(i+1)*b.c], int(b.labels[i]), 0.5)
					each[i] = factors[i] * masked[i]
					sum += each[i]
				}
			}
			want[name], want[name+", mean"], want[name+", mask only"] = each, []float64{sum / 3}, masked
		}
		got := run(backend, func(inputs []*Node) map[string]*Node {
			outputs := map[string]*Node{}
			for name := range Criteria() {
				outputs[name] = criteria(nil, true)[name].Fn(inputs[:3], inputs[3:])
				outputs[name+", mask only"] = criteria(nil, true)[name].Fn(inputs[:2], inputs[3:])
				mean := criteria(nil, false)[name].Fn([]*Node{inputs[0], inputs[2], inputs[1]}, inputs[3:])
				outputs[name+", mean"] = mean
				outputs[name+", gradient"] = ReduceAllSum(Gradient(mean, inputs[3])[0])
			}
			outputs["gomlx"] = loss.SparseCategoricalCrossEntropyLogits([]*Node{InsertAxes(inputs[0], -1), inputs[1],
				inputs[2]}, inputs[3:])
			return outputs
		}, b.labels, mask, weights, logits)
		wantClose(t, "gomlx's cross-entropy", got["ce, mean"], got["gomlx"], tolerance)
		delete(got, "gomlx")
		for name := range Criteria() {
			if g := got[name+", gradient"][0]; math.IsNaN(g) {
				t.Errorf("%s: the gradient of a masked NaN is NaN", name)
			}
			delete(got, name+", gradient")
		}
		wantAll(t, got, want, tolerance)
	})
}

func TestSquaredErrorIsGomlxTimesC(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		b := randomBatch(rand.New(rand.NewPCG(4, 0)), 5, 3)
		got := run(backend, func(inputs []*Node) map[string]*Node {
			logits := inputs[1]
			onehot := OneHot(inputs[0], b.c, logits.DType())
			return map[string]*Node{"ratio": Div(SquaredError{}.Fn(inputs[:1], inputs[1:]),
				loss.MeanSquaredError([]*Node{onehot}, inputs[1:]))}
		}, b.labels, tensor(dtype, b.logits, b.n, b.c))
		wantClose(t, "ratio", got["ratio"], []float64{float64(b.c)}, tolerance)
	})
}

// Both gradients, gomlx's and the closed form, are compared with finite differences of the plain loops.
func TestCriteriaGradients(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		rng := rand.New(rand.NewPCG(5, 0))
		tolerance = math.Max(tolerance, 1e-7) // the accuracy of central differences
		for _, size := range [][2]int{{1, 2}, {4, 5}} {
			b := randomBatch(rng, size[0], size[1])
			gammas := []float64{0, 0.3}
			want := map[string][]float64{}
			for _, gamma := range gammas {
				for name := range Criteria() {
					gradient := fd.Gradient(nil, func(s []float64) float64 {
						sum := 0.0
						for i, y := range b.labels {
							sum += naive[name](s[i*b.c:(i+1)*b.c], int(y), gamma)
						}
						return sum / float64(b.n)
					}, b.logits, &fd.Settings{Formula: fd.Central})
					want[fmt.Sprintf("%s, γ = %g, autodiff", name, gamma)] = gradient
					want[fmt.Sprintf("%s, γ = %g, closed form", name, gamma)] = gradient
				}
			}
			got := run(backend, func(inputs []*Node) map[string]*Node {
				outputs := map[string]*Node{}
				onehot := OneHot(inputs[0], b.c, dtype)
				for _, gamma := range gammas {
					for name, criterion := range criteria(&gamma, false) {
						outputs[fmt.Sprintf("%s, γ = %g, autodiff", name, gamma)] = Gradient(criterion.Fn(inputs[:1],
							inputs[1:]), inputs[1])[0]
						outputs[fmt.Sprintf("%s, γ = %g, closed form", name, gamma)] =
							DivScalar(criterion.LogitGradient(onehot, inputs[1]), float64(b.n))
					}
				}
				return outputs
			}, b.labels, tensor(dtype, b.logits, b.n, b.c))
			wantAll(t, got, want, tolerance)
		}
	})
}

// Far from zero, neither the values nor the gradients of the losses overflow.
func TestCriteriaAtLargeLogits(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		logits := tensor(dtype, []float64{1e4, -1e4, 0, -1e4, 1e4, 0}, 2, 3)
		want := map[string][]float64{ // for the labels 0 and 0; exp(−10⁴) is 0
			"unhinged": {-1.5e4, 1.5e4}, "hinge": {0, 3e4 + 2}, "multibinary": {math.Ln2 / 2, 1.5e4 + math.Ln2/2},
			"ce":  {0, 2e4},
			"mse": {(1e4-1)*(1e4-1) + 1e8, (1e4+1)*(1e4+1) + 1e8},
		}
		got := run(backend, func(inputs []*Node) map[string]*Node {
			outputs := map[string]*Node{}
			for name, criterion := range criteria(nil, true) {
				outputs[name] = criterion.Fn(inputs[:1], inputs[1:])
				outputs[name+", gradient"] = Gradient(ReduceAllSum(outputs[name]), inputs[1])[0]
			}
			return outputs
		}, []int32{0, 0}, logits)
		for name, values := range want {
			wantClose(t, name, got[name], values, tolerance)
			for _, g := range got[name+", gradient"] {
				if math.IsNaN(g) || math.IsInf(g, 0) {
					t.Errorf("%s: gradient %g", name, g)
				}
			}
		}
	})
}

func ExampleLoss() {
	backend, _, err := backends.Open("go")
	if err != nil {
		panic(err)
	}
	labels := []int32{0, 2}
	logits := [][]float64{{2, 0.5, -0.5}, {1, 1, 3}}
	for _, l := range []Loss{{}, {Gamma: new(0.05)}, {PerExample: true}} {
		value := MustExecOnce(backend, func(labels, logits *Node) *Node {
			return l.Fn([]*Node{labels}, []*Node{logits})
		}, labels, logits)
		fmt.Println(value.Value())
	}
	// Output:
	// -2
	// -2.45
	// [-2 -2]
}
