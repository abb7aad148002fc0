package training

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Among all features, those of the limit must have the smallest objective, mean loss + λ Σ‖h‖², and it must be the
// value that the limit states.
func TestLimitIsTheMinimum(t *testing.T) {
	const classes, batch, efr = 4, 8, 0.01
	gamma := 1. / (classes - 1)
	o := withEFR(outcome("pal-efr", 1, 0.5), efr)
	o.Settings.Batch = batch
	o.Records[0].PrototypeMax, o.Records[0].PrototypeAngle = 1, result.Number(math.Acos(-gamma)*180/math.Pi)
	norm2, least := limit(o)
	// h = (r/‖w‖)w_y has logits r for its class and −rγ for the others.
	objective := func(r float64) float64 { return -r + gamma*(classes-1)*(-r*gamma) + efr*batch*r*r }
	best := math.Sqrt(norm2 / batch)
	if got := objective(best); math.Abs(got-least) > 1e-9*math.Abs(least) {
		t.Errorf("the limit's objective is %g, should be %g", got, least)
	}
	if a := Alignment(gamma, efr, batch, norm2, least); math.Abs(a-1) > 1e-9 {
		t.Errorf("the limit's features have an alignment of %g", a)
	}
	for _, r := range []float64{0.99 * best, 1.01 * best, -best, 0} {
		if objective(r) <= least {
			t.Errorf("‖h‖ = %g has the objective %g, under the least %g", r, objective(r), least)
		}
	}
}

// For any features, alignment must be the weighted mean of cosines from which the objective is computed.
func TestAlignmentOfAnyFeatures(t *testing.T) {
	const classes, p, batch, efr = 5, 4, 16, 0.02
	gamma := 1. / (classes - 1)
	random := rand.New(rand.NewPCG(3, 4))
	state, err := dynamics.GaussianETF(p, classes, 1, 1, 5) // W has unit columns that sum to zero
	if err != nil {
		t.Fatal(err)
	}
	norm2, loss, weighted := 0.0, 0.0, 0.0
	for i := range batch {
		h := make([]float64, p)
		for k := range h {
			h[k] = random.NormFloat64()
		}
		squared := floats.Dot(h, h)
		norm2 += squared
		for c := range classes {
			w := mat.Col(nil, c, state.W)
			if c == i%classes {
				loss -= floats.Dot(w, h) / batch
				weighted += floats.Dot(w, h) / batch // ‖h‖ cos(h, w_y)
			} else {
				loss += gamma * floats.Dot(w, h) / batch
			}
		}
	}
	loss += efr * norm2
	if got, want := Alignment(gamma, efr, batch, norm2, loss),
		weighted/math.Sqrt(norm2/batch); math.Abs(got-want) > 1e-12 {
		t.Errorf("alignment %g, should be %g", got, want)
	}
}

// The published curves of figures 12 and 13 end at the values of Theorem 6, up to features that are not yet aligned, if
// EFR sums over the batch of 256 and γ = 1/(C−1). The curve of figure 14 ends below the smallest possible objective for
// such a batch.
func TestPublishedEndsAreOfTheorem6(t *testing.T) {
	for _, end := range PublishedEnds() {
		gamma := 1 / float64(end.Classes-1)
		norm2, loss := AnchoredLimit(gamma, end.EFR, 256)
		alignment := Alignment(gamma, end.EFR, 256, end.Norm2, end.Loss)
		if possible := end.Figure != "14"; possible != (end.Loss > loss) || possible != (alignment <= 1) {
			t.Errorf("figure %s, λ = %g: loss %g, the least is %g; alignment %g", end.Figure, end.EFR, end.Loss, loss,
				alignment)
		} else if possible && (end.Norm2 < 0.7*norm2 || end.Norm2 > norm2 || end.Loss > 0.95*loss) {
			t.Errorf("figure %s, λ = %g: ‖H‖² = %g and loss %g, of %g and %g", end.Figure, end.EFR, end.Norm2, end.Loss,
				norm2, loss)
		}
	}
}
