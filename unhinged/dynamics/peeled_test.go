package dynamics

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestPeeled: at the minimum of cross-entropy minority prototypes coincide just where the threshold says; there is one,
// where the unhinged loss has a rate for every ratio.
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
