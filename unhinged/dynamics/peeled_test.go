package dynamics

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// TestPeeled checks that at the minimum of cross-entropy, minority prototypes coincide exactly from the threshold on.
// The unhinged loss has no such threshold, but a rate of merging for every ratio.
func TestPeeled(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 13))
	for range 12 {
		p := Peeled{Step: Step{Majority: 1 + rng.IntN(3), Minority: 2 + rng.IntN(3), Small: 2 + rng.IntN(20)}}
		p.Large = p.Small * (1 + rng.IntN(20))
		critical := math.Sqrt(float64(p.Small)) / float64(p.Majority*p.Large+p.Minority*p.Small)
		for _, factor := range []float64{0.9, 1.1} {
			balance := 0.3 + rng.Float64()
			p.Lambda1, p.Lambda2 = factor*critical*balance, factor*critical/balance
			m := must[*ClassMeans](t)(p.Minimize())
			if off := p.gradient(m); off > 1e-7 {
				t.Errorf("%+v: the gradient at the minimum is %g", p, off)
			}
			apart := m.Apart(p.Majority, p.Majority+1)
			if p.Collapsed() != (factor > 1) || p.Collapsed() != (apart < 1e-4) {
				t.Errorf("%+v: collapsed %v, minority prototypes %g apart", p, p.Collapsed(), apart)
			}
		}
	}
	if _, err := (Peeled{Step: Step{2, 2, 5, 1}}).Minimize(); err == nil {
		t.Error("without penalties: no error")
	}
}

// gradient returns, from the definition, the largest element of the gradient by the prototypes and by the feature of
// one sample of each class, the latter times n.
func (p Peeled) gradient(m *ClassMeans) float64 {
	sizes := p.Sizes()
	n := (Classes{Sizes: sizes}).samples()
	dw := scaledCopy(p.Lambda2, m.W)
	largest := 0.0
	for y, size := range sizes {
		h := mat.Col(nil, y, m.H)
		off := make([]float64, len(sizes)) // softmax − onehot
		for j := range off {
			off[j] = floats.Dot(h, mat.Col(nil, j, m.W))
		}
		log := floats.LogSumExp(off)
		for j := range off {
			off[j] = math.Exp(off[j] - log)
		}
		off[y]--
		for i, x := range h {
			dh := p.Lambda1 * x * n
			for j, d := range off {
				dw.Set(i, j, dw.At(i, j)+float64(size)/n*d*x)
				dh += d * m.W.At(i, j)
			}
			largest = math.Max(largest, math.Abs(dh))
		}
	}
	return math.Max(largest, mat.Norm(dw, math.Inf(1)))
}
