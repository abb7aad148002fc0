package ntk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/internal/backendtest"
	"github.com/unhinged-lab/lab/unhinged"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
)

// TestTrainProducts checks that Theorem 8 by products with the Jacobian equals Theorem 8 by the full kernel, for
// networks with hidden layers, with and without heads. p·C products are always enough, and two are enough if the
// prototypes do not move.
func TestTrainProducts(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		random := rand.New(rand.NewPCG(7, 3))
		for _, head := range []*unhinged.Head{nil, {Prototypes: unhinged.ETF}, {UseBias: true}, {}} {
			classes := 2 + random.IntN(3)
			n, m, p := classes+random.IntN(5), 1+random.IntN(3), classes
			x := normals(random.Uint64(), dtypes.Float64, n, 5)
			unseen := normals(random.Uint64(), dtypes.Float64, m, 5)
			train, test := Examples{x, shuffled(random, n, classes)}, Examples{unseen, shuffled(random, m, classes)}
			d := Descent{Backend: backend, Loss: unhinged.Loss{}, Rates: dynamics.Constant(0.3, 0.2)}
			products, moving := 2, head != nil && head.Prototypes != unhinged.ETF
			if head != nil {
				p++
				d.Head = &unhinged.Head{Classes: classes, Prototypes: head.Prototypes, UseBias: head.UseBias, Seed: 5}
			}
			if moving {
				products = p * classes
			}
			d.Network = Serial(Dense(7), Erf, Dense(p))
			store := seeded(random.Int64())
			start := must.M1(d.Train(context.Background(), store, train, test, []int{0}))[0]
			theory := must.M1(d.Theory(start))
			e := d.Network.Empirical(backend, seeded(3).RootScope(), NTKParameterization)
			whole := must.M1(theory.Train(must.M1(e.Full(x, nil)), train.Labels))
			must.M(whole.Test(must.M1(e.Full(x, unseen)), test.Labels))
			trained := must.M1(theory.TrainProducts(e, x, products, train.Labels))
			must.M(trained.TestProducts(unseen, test.Labels))
			for _, time := range []float64{0, 1, 30} {
				what := fmt.Sprintf("head %+v, time %g", head, time)
				sameRecord(t, what, must.M1(trained.At(time)), must.M1(whole.At(time)), 1e-9)
				if whole := must.M1(whole.Defect(time)); whole != 0 {
					t.Errorf("%s: a whole kernel has the defect %g", what, whole)
				}
				if defect := must.M1(trained.Defect(time)); moving && defect > 1e-9 {
					t.Errorf("%s: defect %g", what, defect)
				}
			}
			if err := whole.TestProducts(unseen, test.Labels); err == nil {
				t.Error("TestProducts was accepted after Train")
			}
		}
		if _, err := (Unhinged{}).TrainProducts(nil, nil, 2, []int{0, 1}); err == nil {
			t.Error("no network was accepted")
		}
	})
}
