package studies

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/unhinged-lab/lab/internal/numbers"
	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// TestLazy checks that a network without hidden layers, which is linear in its parameters, never leaves the closed
// form, and that its kernel never changes. A network with hidden layers must leave the closed form, and the closed
// form's logits must move by Distance.
func TestLazy(t *testing.T) {
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	single := func(seed uint64, each int) ntk.Examples {
		e := gaussianClasses(3, seed, each)
		dims := e.X.Shape().Dimensions
		e.X = numbers.Tensor(dtypes.Float32, numbers.Of(e.X), dims...)
		return e
	}
	l := Lazy{Train: single(0, 5), Test: single(1, 2), Widths: []int{16, 64}, Hidden: 1, Steps: 4, Distance: 0.5,
		Probe: 6}
	f, err := l.Run(context.Background(), backend)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Curves) != 4 || len(f.Panels) != 4 {
		t.Fatalf("%d curves, %d panels", len(f.Curves), len(f.Panels))
	}
	for _, c := range f.Curves {
		last := func(name string) float64 { s := c.Series[name]; return s[len(s)-1] }
		switch {
		case strings.HasPrefix(c.Name, "width"):
			if !(last("apart") > 1e-3 && last("drift") > 1e-4) || c.Series["drift"][0] != 0 || last("moved") != 0.5 {
				t.Errorf("%s: apart %v, drift %v", c.Name, c.Series["apart"], c.Series["drift"])
			}
		case last("step") != 4 || math.IsNaN(last("test_accuracy")):
			t.Errorf("%s: %v", c.Name, c.Series)
		}
	}
	linear := l
	linear.Hidden = 0
	plan, err := linear.plan(context.Background(), backend)
	if err != nil {
		t.Fatal(err)
	}
	r, err := linear.follow(context.Background(), backend, plan, 16, nil)
	if err != nil {
		t.Fatal(err)
	}
	if apart, drift := r.apart[3], r.drift[4]; apart > 1e-5 || drift > 1e-5 {
		t.Errorf("a linear network left the closed form: apart %g, drift %g", apart, drift)
	}
	if _, err := (Lazy{Train: l.Train}).Run(context.Background(), backend); err == nil {
		t.Error("no test examples were accepted")
	}
	l.Widths = []int{64, 16}
	if _, err := l.Run(context.Background(), backend); err == nil {
		t.Error("widths that are not ascending were accepted")
	}
	for _, c := range f.Claims {
		if c.ID != widerIsNearer.ID || c.Verdict == result.NotClaimed {
			t.Errorf("claim %+v", c)
		}
	}
}
