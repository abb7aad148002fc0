package vision

import (
	"math"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/plots"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// outcome is a made-up run with this validation accuracy after its two epochs.
func outcome(method string, seed uint64, accuracies ...float64) Outcome {
	o := Outcome{Settings: Settings{Method: method, Seed: seed}}
	for i, a := range accuracies {
		o.Records = append(o.Records, Record{Epoch: float64(i + 1), Step: int64(i + 1), ValidationAccuracy: a, FeatureNorm2: 10, TrainLoss: -1, WithinClass: 0.5, PrototypeMin: 1, PrototypeMax: 2, PrototypeAngle: 3})
	}
	return o
}

func TestFigureIsMeanAndDeviation(t *testing.T) {
	outcomes := []Outcome{outcome("ce", 1, 0.5, 0.7), outcome("ce", 2, 0.6, 0.8), outcome("ce", 3, 0.7, 0.9), outcome("fnpal", 1, 0.1, 0.2)}
	outcomes = append(outcomes, Outcome{Settings: Settings{Method: "pal"}, Diverged: &Diverged{}}, outcome("ul", 1, 0.1))
	fig, err := Figure(outcomes)
	if err != nil {
		t.Fatal(err)
	}
	if len(fig.Curves) != 2 || fig.Curves[0].Name != "CE" || fig.Curves[1].Name != "UL (FNPAL)" {
		t.Fatalf("curves %+v", fig.Curves)
	}
	ce := fig.Curves[0].Series
	for i, want := range []float64{60, 80} {
		if math.Abs(ce["accuracy"][i]-want) > 1e-12 || math.Abs(ce["accuracy_sd"][i]-10) > 1e-12 {
			t.Errorf("accuracy %g ± %g, should be %g ± 10", ce["accuracy"][i], ce["accuracy_sd"][i], want)
		}
	}
	if _, ok := fig.Curves[1].Series["accuracy_sd"]; ok {
		t.Error("a deviation over one seed")
	}
	if len(fig.Panels) != 4 {
		t.Errorf("%d panels; that of PAL's loss has no curve and should be gone", len(fig.Panels))
	}
	if _, err := plots.SVG(fig); err != nil {
		t.Error(err)
	}
	blown, err := BlowUp(outcomes)
	if err != nil || len(blown.Curves) != 1 {
		t.Fatalf("%d curves, error %v", len(blown.Curves), err)
	}
	if ratio := blown.Curves[0].Series["prototype_ratio"][0]; ratio != 2 {
		t.Errorf("max‖w‖/min‖w‖ is %g, should be 2", ratio)
	}
	if _, err := plots.SVG(blown); err != nil {
		t.Error(err)
	}
	if _, err := BlowUp(outcomes[:3]); err == nil {
		t.Error("a figure without curves")
	}
	outcomes[1].Records = outcomes[1].Records[:1]
	if _, err := Figure(outcomes); err == nil || !strings.Contains(err.Error(), "seed 2 has 1 records and seed 1 has 2") {
		t.Errorf("error %v", err)
	}
	finals := Finals([]Outcome{outcome("ce", 1, 0.5, 0.7), outcome("ce", 2, 0.6, 0.9)})
	if len(finals) != 1 || math.Abs(finals[0].Mean-80) > 1e-12 || math.Abs(finals[0].SD-math.Sqrt(200)) > 1e-12 || finals[0].Seeds != 2 {
		t.Errorf("finals %+v", finals)
	}
}

// By hand: means 3 and 6.5, variances 2.5 and 0.5 of 5 and 2 values: errors 0.5 and 0.25, freedom
// 0.75²/(0.5²/4 + 0.25²/1) = 4.5, and a t table's interpolation between 2.776 (4) and 2.571 (5).
func TestWelch(t *testing.T) {
	difference, interval, ok := welch([]float64{1, 2, 3, 4, 5}, []float64{6, 7})
	if !ok || difference != -3.5 {
		t.Errorf("difference %g", difference)
	}
	if q := interval / math.Sqrt(0.75); q < 2.64 || q > 2.68 {
		t.Errorf("quantile %g, should lie between t's for 4 and 5 degrees of freedom", q)
	}
	if _, _, ok := welch([]float64{1}, []float64{1, 2}); ok {
		t.Error("one value has no deviation")
	}
}

func TestClaimsFollowTheNumbers(t *testing.T) {
	judged := func(outcomes []Outcome, part string) result.Verdict {
		for _, c := range Claims(outcomes) {
			if strings.Contains(c.Claim, part) {
				return c.Verdict
			}
		}
		return "not judged"
	}
	base := []Outcome{outcome("ce", 1, .5, .9), outcome("ce", 2, .5, .901), outcome("fnpal", 1, .5, .90), outcome("fnpal", 2, .5, .899), outcome("pal", 1, .1, .5), outcome("pal", 2, .1, .5)}
	for _, c := range []struct {
		part string
		more []Outcome
		want result.Verdict
	}{
		{"with FNPAL is comparable", nil, result.Holds},
		{"with PAL is comparable", nil, result.Fails},
		{"with PAL + EFR is comparable", []Outcome{outcome("pal-efr", 1, .5, .95), outcome("pal-efr", 2, .5, .86)}, result.Fails}, // the spread is too large
		{"RLR accelerates", nil, "not judged"},
		{"RLR accelerates", []Outcome{outcome("fnpal-rlr", 1, .8, .9), outcome("fnpal-rlr", 2, .81, .9)}, result.Holds},
		{"RLR accelerates", []Outcome{outcome("fnpal-rlr", 1, .3, .9), outcome("fnpal-rlr", 2, .8, .9)}, result.Fails}, // the spread is too large
		{"EFR limits", []Outcome{outcome("pal-efr", 1, .3, .9), outcome("pal-efr", 2, .8, .9)}, result.Fails},          // equal norms
		{"limits the norms", []Outcome{outcome("ul", 1, .3)}, result.Fails},
		{"smallest angle", []Outcome{outcome("ul", 1, .3)}, result.Holds},
	} {
		if got := judged(append(base, c.more...), c.part); got != c.want {
			t.Errorf("%q: %s, should be %s", c.part, got, c.want)
		}
	}
}
