package training

import (
	"math"
	"slices"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// allHold returns made-up runs for which every claim of Claims and of NeuralCollapse holds.
func allHold() []vision.Outcome {
	grown := func(method string, early, last, first, final, distance, etf, efr float64) []vision.Outcome {
		list := runs(method, early, last, last+0.02, last+0.04)
		for i := range list {
			list[i] = withEFR(list[i], efr)
			jitter := 1 + 0.01*float64(i)
			for k, record := range []struct{ norm, distance float64 }{{first, distance}, {final, distance / 3}} {
				r := &list[i].Records[k]
				r.FeatureNorm2 = record.norm * jitter
				d := result.Number(record.distance * jitter)
				r.Collapse = &vision.Collapse{DistanceWM: d, DistancePrototypes: d,
					Means: vision.NC2{ETFDistance: result.Number(etf * jitter)}}
				r.PrototypeMax, r.PrototypeMin, r.PrototypeAngle = 1, 1, result.Number(math.Acos(-1./9)*180/math.Pi)
			}
		}
		return list
	}
	plain := grown("ul", 20, 20, 1e3, 1e20, 0.9, 1, 0)
	for i := range plain {
		plain[i].Diverged = &vision.Diverged{First: vision.StepSummary{FeatureNorm: 1, LargestPrototype: 1},
			Last: vision.StepSummary{FeatureNorm: 1e12, LargestPrototype: 1e9}}
		for k := range plain[i].Records {
			r := &plain[i].Records[k]
			r.PrototypeMax, r.PrototypeAngle = 50*(1+0.01*float64(i)), result.Number(1+0.01*float64(i))
		}
	}
	return concat(grown("ce", 60, 90, 1e3, 1e4, 0.9, 1, 0), grown("pal", 55, 90, 1e3, 1e8, 0.9, 0.2, 0),
		grown("pal-efr", 55, 91, 1e3, 1e6, 0.3, 0.2, 5e-6), grown("fnpal", 50, 90, 1e3, 1e4, 0.9, 0.2, 0),
		grown("fnpal-rlr", 58, 91, 1e3, 1e4, 0.9, 0.2, 0), plain)
}

// controls returns, for the id of each sentence, the change of a run that its control describes.
var controls = map[string]func(method string, o *vision.Outcome){
	comparable.ID: func(method string, o *vision.Outcome) {
		if method == "ce" {
			o.Records[1].ValidationAccuracy += 0.03
		}
	},
	normsGrow.ID: exchange,
	limitsNorms.ID: func(method string, o *vision.Outcome) {
		if method == "pal" {
			o.Records[1].FeatureNorm2 *= 1e-4
		}
	},
	generalises.ID: func(method string, o *vision.Outcome) {
		if method == "pal" {
			o.Records[1].ValidationAccuracy += 0.03
		}
	},
	withinLimit.ID: func(method string, o *vision.Outcome) { o.Records[1].FeatureNorm2 *= 1e4 },
	sooner.ID: func(method string, o *vision.Outcome) {
		if method == "pal" {
			o.Records[0].Collapse.DistanceWM /= 9
		}
	},
	slower.ID:      ahead,
	accelerates.ID: ahead,
	nearer.ID: func(method string, o *vision.Outcome) {
		if method == "fnpal-rlr" {
			o.Records[1].ValidationAccuracy -= 0.05
		}
	},
	stable.ID: func(method string, o *vision.Outcome) {
		if method == "pal" && o.Settings.Seed == 1 {
			o.Diverged = &vision.Diverged{}
		}
	},
	blowsUp.ID: func(method string, o *vision.Outcome) { o.Diverged = nil },
	largeRatio.ID: func(method string, o *vision.Outcome) {
		for i := range o.Records {
			o.Records[i].PrototypeMax = o.Records[i].PrototypeMin * (1 + 0.01*float64(o.Settings.Seed))
		}
	},
	smallAngle.ID: func(method string, o *vision.Outcome) {
		o.Records[1].PrototypeAngle = result.Number(60 + 0.01*float64(o.Settings.Seed))
	},
	nearerToWM.ID:         exchange,
	nearerToPrototypes.ID: exchange,
	nearerToETF.ID: func(method string, o *vision.Outcome) {
		if method == "ce" {
			o.Records[1].Collapse.Means.ETFDistance /= 10
		}
	},
	growAlike.ID: func(method string, o *vision.Outcome) {
		for i := range o.Records {
			o.Records[i].TrainLoss = -o.Records[i].PrototypeMax
		}
	},
	withinBound.ID: func(method string, o *vision.Outcome) {
		for i := range o.Records {
			o.Records[i].PrototypeMax = math.Pow(o.Records[i].PrototypeMax, 10)
		}
	},
	fasterThanFree.ID: func(method string, o *vision.Outcome) {
		for i := range o.Records {
			o.Records[i].PrototypeMax = 1 + 1e-9*float64(i)*float64(o.Settings.Seed)
		}
	},
	weakDecay.ID: func(method string, o *vision.Outcome) {
		for i := range o.Records {
			o.Records[i].PrototypeMax = math.Exp(-1e-5 * float64(o.Records[i].Step) * (1 +
				0.01*float64(o.Settings.Seed)))
		}
	},
}

func exchange(_ string, o *vision.Outcome) { slices.Reverse(o.Records) }

func ahead(method string, o *vision.Outcome) {
	if method == "fnpal" {
		o.Records[0].ValidationAccuracy += 0.2
	}
}

// TestEveryClaimHasANegativeControl checks that each claim holds for runs that are made for it, that it has a
// documented control, and that it fails under this control.
func TestEveryClaimHasANegativeControl(t *testing.T) {
	growing := func() []vision.Outcome { return []vision.Outcome{blown(1, 8, 3), blown(2, 8, 3.02), blown(3, 8, 2.98)} }
	tried := map[string]bool{}
	for _, judged := range []struct {
		runs   func() []vision.Outcome
		claims func([]vision.Outcome) []result.Claim
	}{
		{allHold, Claims},
		{allHold, func(o []vision.Outcome) []result.Claim {
			fig, err := NeuralCollapse(o)
			if err != nil {
				t.Fatal(err)
			}
			return fig.Claims
		}},
		{growing, func(o []vision.Outcome) []result.Claim {
			fig, err := Growth(o, 10)
			if err != nil {
				t.Fatal(err)
			}
			return fig.Claims
		}},
	} {
		for i, claim := range judged.claims(judged.runs()) {
			if claim.Verdict != result.Holds || claim.ID == "" || claim.Control == "" {
				t.Errorf("%q, with control %q: %s: %s", claim.ID, claim.Control, claim.Verdict, claim.Claim)
			}
			change := controls[claim.ID]
			if change == nil {
				t.Errorf("no control of %q", claim.ID)
				continue
			}
			changed := judged.runs()
			for k := range changed {
				change(changed[k].Settings.Method, &changed[k])
			}
			again := judged.claims(changed)
			if i >= len(again) || again[i].ID != claim.ID || again[i].Verdict != result.Fails {
				t.Errorf("under its control, %q is %+v", claim.ID, again[min(i, len(again)-1)])
			}
			tried[claim.ID] = true
		}
	}
	if len(tried) != len(controls) {
		t.Errorf("%d of %d controls were tried", len(tried), len(controls))
	}
}
