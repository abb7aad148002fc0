package unhinged

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// TestImbalancedCriteria compares both losses and their gradients with plain loops and with gomlx's own derivative.
func TestImbalancedCriteria(t *testing.T) {
	backendtest.EachDType(t, func(t *testing.T, backend compute.Backend, dtype dtypes.DType, tolerance float64) {
		rng := rand.New(rand.NewPCG(13, 0))
		b := randomBatch(rng, 6, 5)
		sizes := make([]int, b.c)
		total, smallest := 0.0, math.Inf(1)
		for c := range sizes {
			sizes[c] = 1 + rng.IntN(1000)
			total += float64(sizes[c])
			smallest = math.Min(smallest, float64(sizes[c]))
		}
		losses := map[string]Criterion{"adjusted": LogitAdjusted{Tau: 1.5, PerExample: true}.WithSizes(sizes),
			"ldam": LDAM{Largest: 0.5, Scale: 30, PerExample: true}.WithSizes(sizes)}
		want := map[string][]float64{}
		for i := range b.n {
			y := int(b.labels[i])
			adjusted, margin := make([]float64, b.c), make([]float64, b.c)
			for c, s := range b.logits[i*b.c : (i+1)*b.c] {
				adjusted[c], margin[c] = s+1.5*math.Log(float64(sizes[c])/total), s
			}
			margin[y] -= 30 * 0.5 * math.Pow(smallest/float64(sizes[y]), 0.25)
			want["adjusted"] = append(want["adjusted"], naive["ce"](adjusted, y, 0))
			want["ldam"] = append(want["ldam"], naive["ce"](margin, y, 0))
		}
		for name := range losses {
			want[name+", gradient error"] = make([]float64, b.n*b.c)
		}
		got := run(backend, func(inputs []*Node) map[string]*Node {
			outputs := map[string]*Node{}
			onehot := oneHot(inputs[0], inputs[1])
			for name, loss := range losses {
				outputs[name] = loss.Fn(inputs[:1], inputs[1:])
				derivative := Gradient(ReduceAllSum(loss.Each(onehot, inputs[1])), inputs[1])[0]
				outputs[name+", gradient error"] = Sub(loss.LogitGradient(onehot, inputs[1]), derivative)
			}
			return outputs
		}, b.labels, tensor(dtype, b.logits, b.n, b.c))
		wantAll(t, got, want, tolerance)
	})
}

func TestImbalancedCriteriaRefuseOtherSizes(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	for _, sizes := range [][]int{nil, {1, 2}, {1, 0, 2}} {
		for name, loss := range map[string]Criterion{"adjusted": LogitAdjusted{Tau: 1, Sizes: sizes},
			"ldam": LDAM{Largest: 0.5, Scale: 30, Sizes: sizes}} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s takes the sizes %v for 3 classes", name, sizes)
					}
				}()
				MustExecOnce(backend, func(labels, logits *Node) *Node {
					return loss.Fn([]*Node{labels}, []*Node{logits})
				}, []int32{0}, [][]float64{{1, 2, 3}})
			}()
		}
	}
}

func TestEffectiveWeights(t *testing.T) {
	rng := rand.New(rand.NewPCG(14, 0))
	for range 100 {
		sizes := make([]int, 2+rng.IntN(10))
		for c := range sizes {
			sizes[c] = 1 + rng.IntN(5000)
		}
		for _, beta := range []float64{0, 0.9, 0.9999} {
			weights, sum := EffectiveWeights(beta, sizes), 0.0
			for c, n := range sizes {
				sum += weights[c]
				// E_n = Σ_{k<n} β^k is the effective number of examples.
				effective := func(n int) (e float64) {
					for k := range n {
						e += math.Pow(beta, float64(k))
					}
					return e
				}
				ratio := effective(sizes[0]) / effective(n)
				if got := weights[c] / weights[0]; math.Abs(got-ratio) > 1e-9*ratio {
					t.Fatalf("β = %g, sizes %v: class %d weighs %g times class 0, want %g", beta, sizes, c, got, ratio)
				}
			}
			if math.Abs(sum-float64(len(sizes))) > 1e-9 {
				t.Fatalf("β = %g: the weights of %d classes add up to %g", beta, len(sizes), sum)
			}
		}
	}
}
