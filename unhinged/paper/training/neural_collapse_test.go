package training

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/plots"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// collapsing returns a made-up run whose measures fall from start to end over its records.
func collapsing(method string, seed uint64, records int, start, end float64) vision.Outcome {
	o := outcome(method, seed, make([]float64, records)...)
	for i := range o.Records {
		x := result.Number(start + (end-start)*float64(i)/float64(records-1))
		c := &vision.Collapse{Quotient: x, CDNV: 2 * x, Means: vision.NC2{NormSpread: x, AngleSpread: x,
			AngleDistance: x, ETFDistance: x}, Prototypes: vision.NC2{NormSpread: x}, Duality: x,
			TrainAgreement: 1 - x/10, TestAgreement: 1 - x/5,
			DistanceWM: x, DistancePrototypes: result.Number(math.NaN())}
		if strings.HasPrefix(method, "fnpal") {
			c.DistanceWM, c.DistancePrototypes = c.DistancePrototypes, c.DistanceWM
		}
		o.Records[i].Collapse = c
	}
	return o
}

func TestNeuralCollapseIsMeanAndDeviation(t *testing.T) {
	early := collapsing("ul", 2, 3, 1, 0.9)
	early.Diverged, early.Settings.Epochs = &vision.Diverged{}, 5
	late := collapsing("ul", 1, 5, 1, 0.8)
	late.Diverged = &vision.Diverged{}
	outcomes := []vision.Outcome{collapsing("ce", 1, 5, 2, 1), collapsing("ce", 2, 5, 4, 1), collapsing("pal", 1, 5, 2,
		0.1), collapsing("fnpal", 1, 5, 2, 0.1), early, late}
	outcomes[1].Records[4].Collapse.Quotient = result.Number(math.NaN())
	fig, err := NeuralCollapse(outcomes)
	if err != nil {
		t.Fatal(err)
	}
	if len(fig.Curves) != 4 || len(fig.Panels) != 14 {
		t.Fatalf("%d curves in %d panels, should be 4 in 14", len(fig.Curves), len(fig.Panels))
	}
	ce := fig.Curves[0].Series
	if ce["nc1_quotient"][0] != 3 || math.Abs(ce["nc1_quotient_sd"][0]-math.Sqrt2) > 1e-12 ||
		!math.IsNaN(ce["nc1_quotient"][4]) || ce["nc1_cdnv"][0] != 6 {
		t.Errorf("quotient %v ± %v, CDNV %v", ce["nc1_quotient"], ce["nc1_quotient_sd"], ce["nc1_cdnv"])
	}
	if got := ce["nc4_train"][4]; math.Abs(got-10) > 1e-12 {
		t.Errorf("NC4: %g %% decided otherwise, should be 10", got)
	}
	if ul := fig.Curves[3]; len(ul.Series["step"]) != 3 || ul.Params["seeds"] != 2 ||
		ul.Series["nc1_quotient"][2] != 0.9 {
		t.Errorf("plain UL: %v", ul)
	}
	if len(late.Records) != 5 {
		t.Error("the outcomes were changed")
	}
	for _, c := range []struct {
		panel string
		want  []string
	}{
		{"(m) Theorem 6", []string{"CE", "UL (PAL)", "UL (trainable prototypes)"}},
		{"(n) Theorem 7", []string{"UL (FNPAL)"}},
	} {
		i := slices.IndexFunc(fig.Panels, func(p result.Panel) bool { return strings.HasPrefix(p.Title, c.panel) })
		if i < 0 || !slices.Equal(fig.Panels[i].Curves, c.want) {
			t.Errorf("%s has %v, should have %v", c.panel, fig.Panels[i].Curves, c.want)
		}
	}
	if _, err := plots.SVG(fig); err != nil {
		t.Error(err)
	}
	if _, err := json.Marshal(fig); err != nil {
		t.Error(err)
	}
}

func TestNeuralCollapseOfOlderRuns(t *testing.T) {
	fig, err := NeuralCollapse([]vision.Outcome{outcome("ce", 1, 0.5, 0.7), outcome("pal", 1, 0.6, 0.8)})
	if err != nil {
		t.Fatal(err)
	}
	if len(fig.Panels) != 1 || fig.Panels[0].Y != "within_class" || len(fig.Claims) != 0 {
		t.Errorf("panels %+v, claims %+v", fig.Panels, fig.Claims)
	}
	if _, err := plots.SVG(fig); err != nil {
		t.Error(err)
	}
	if _, err := NeuralCollapse(nil); !errors.Is(err, ErrNoRuns) {
		t.Errorf("a figure of nothing: error %v", err)
	}
	other := outcome("ce", 1, 0.5)
	other.Settings.Dataset = "another"
	if _, err := NeuralCollapse([]vision.Outcome{outcome("ce", 1, 0.5), other}); err == nil ||
		!strings.Contains(err.Error(), "2 setups") {
		t.Errorf("two setups in one figure: error %v", err)
	}
}

func TestNeuralCollapseClaims(t *testing.T) {
	seeds := func(method string, start, end float64) []vision.Outcome {
		return []vision.Outcome{collapsing(method, 1, 4, start, end), collapsing(method, 2, 4, start+0.01, end),
			collapsing(method, 3, 4, start, end+0.01)}
	}
	verdicts := func(groups ...[]vision.Outcome) map[string]result.Verdict {
		fig, err := NeuralCollapse(slices.Concat(groups...))
		if err != nil {
			t.Fatal(err)
		}
		list := map[string]result.Verdict{}
		for _, c := range fig.Claims {
			list[c.Claim[:len("Theorem 6")]] = c.Verdict
		}
		return list
	}
	got := verdicts(seeds("ce", 2, 1), seeds("pal", 2, 0.5), seeds("fnpal", 1, 2))
	if len(got) != 3 || got["Theorem 6"] != result.Holds || got["Theorem 7"] != result.Fails {
		t.Errorf("verdicts %v", got)
	}
	got = verdicts(seeds("pal", 1, 1.004)[:2])
	if len(got) != 1 || got["Theorem 6"] != result.Undecided {
		t.Errorf("two seeds that hardly change: verdicts %v", got)
	}
}
