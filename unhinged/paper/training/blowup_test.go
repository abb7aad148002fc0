package training

import (
	"math"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/plots"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// blown is a made-up run of plain UL whose norms grow by a factor between records, which are 10 steps apart.
func blown(seed uint64, records int, factor float64) vision.Outcome {
	o := vision.Outcome{Settings: vision.Settings{Method: "ul", Model: "mlp-8", Seed: seed, Images: 1000, Epochs: 100,
		Batch: 10, LearningRate: 0.1, Momentum: 0.9, WeightDecay: 5e-4}}
	norm := 1.0
	for i := range records {
		o.Records = append(o.Records, vision.Record{Step: int64(10 * (i + 1)), TrainLoss: -norm * norm,
			FeatureNorm2: norm * norm, PrototypeMax: 20 * norm, PrototypeMin: norm,
			PrototypeAngle: result.Number(1 + 0.1*float64(seed))})
		norm *= factor
	}
	o.Diverged = &vision.Diverged{Epoch: 1, Step: int64(10*records + 1), First: vision.StepSummary{Loss: -1,
		FeatureNorm:      1,
		LargestPrototype: 1}, Last: vision.StepSummary{Loss: -1e18, FeatureNorm: 1e9, LargestPrototype: 1e9}}
	return o
}

func TestBlowUpDrawsFigure19(t *testing.T) {
	notFinite := blown(3, 5, 30)
	notFinite.Diverged.Last = vision.StepSummary{Loss: -2, FeatureNorm: 2, LargestPrototype: 2}
	outcomes := []vision.Outcome{outcome("ce", 1, 0.5), blown(1, 8, 10), blown(2, 6, 20), notFinite,
		{Settings: vision.Settings{Method: "ul"}}}
	fig, err := BlowUp(outcomes)
	if err != nil {
		t.Fatal(err)
	}
	if len(fig.Panels) != 5 {
		t.Errorf("%d panels, figure 19 has 5", len(fig.Panels))
	}
	var names []string
	for _, c := range fig.Curves {
		names = append(names, c.Name)
	}
	if got, want := strings.Join(names, "; "),
		"seed 1, blown up at step 81; seed 2, blown up at step 61; seed 3, not finite at step 51"; got != want {
		t.Errorf("curves %q, should be %q", got, want)
	}
	series := fig.Curves[1].Series
	for i, want := range []float64{1, 20, 400, 8000, 160000, 3.2e6} {
		if series["prototype_min"][i] != want || series["minus_loss"][i] != want*want ||
			series["prototype_ratio"][i] != 20 || series["step"][i] != float64(10*(i+1)) {
			t.Errorf("record %d: min‖w‖ %g, −loss %g, ratio %g at step %g", i, series["prototype_min"][i],
				series["minus_loss"][i], series["prototype_ratio"][i], series["step"][i])
		}
	}
	if _, err := plots.SVG(fig); err != nil {
		t.Error(err)
	}
}

func TestBlowUpClaims(t *testing.T) {
	verdicts := func(outcomes ...vision.Outcome) string {
		var list []string
		for _, c := range blowUpClaims(outcomes) {
			list = append(list, string(c.Verdict))
		}
		return strings.Join(list, " ")
	}
	held := outcome("ul", 3, 0.9) // ratio 2, angle 3°
	held.Records[0].PrototypeAngle = 60
	other := outcome("ul", 4, 0.9)
	other.Records[0].PrototypeMax, other.Records[0].PrototypeAngle = 2.1, 61
	lost := blown(3, 4, 2)
	// the ratio overflows
	lost.Records[3].PrototypeMin, lost.Records[3].PrototypeAngle = math.SmallestNonzeroFloat64, result.Number(40)
	for _, c := range []struct {
		outcomes []vision.Outcome
		want     string
	}{
		{nil, ""},
		{[]vision.Outcome{outcome("ce", 1, .5)}, ""},
		{[]vision.Outcome{blown(1, 5, 10)}, "holds undecided undecided"}, // one seed has no standard deviation
		{[]vision.Outcome{blown(1, 5, 10), blown(2, 5, 10)}, "holds holds holds"},
		{[]vision.Outcome{held, other}, "fails fails fails"},
		{[]vision.Outcome{blown(1, 0, 1), blown(2, 0, 1)}, "holds"}, // they end before their first record
		{[]vision.Outcome{blown(1, 0, 1), held, other}, "fails fails fails"},
		{[]vision.Outcome{blown(1, 5, 10), held}, "fails undecided undecided"},
		{[]vision.Outcome{blown(1, 5, 10), blown(2, 5, 10), lost}, "holds undecided undecided"},
	} {
		if got := verdicts(c.outcomes...); got != c.want {
			t.Errorf("%d runs: %q, should be %q", len(c.outcomes), got, c.want)
		}
	}
}
