package training

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/plots"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// outcome returns a made-up run with one of these validation accuracies in each epoch.
func outcome(method string, seed uint64, accuracies ...float64) vision.Outcome {
	o := vision.Outcome{Settings: vision.Settings{Method: method, Seed: seed, Epochs: len(accuracies), Batch: 256}}
	for i, a := range accuracies {
		o.Records = append(o.Records, vision.Record{Epoch: float64(i + 1), Step: int64(i + 1), ValidationAccuracy: a,
			FeatureNorm2: 10, TrainLoss: -1, WithinClass: 0.5, PrototypeMin: 1, PrototypeMax: 2, PrototypeAngle: 3})
	}
	return o
}

// withEFR returns the outcome with another λ.
func withEFR(o vision.Outcome, efr float64) vision.Outcome {
	o.Settings.Head.FeatureRegularization = efr
	return o
}

func curveNames(fig result.Figure) string {
	var list []string
	for _, c := range fig.Curves {
		list = append(list, c.Name)
	}
	return strings.Join(list, "|")
}

func TestFigureIsMeanAndDeviation(t *testing.T) {
	outcomes := []vision.Outcome{outcome("ce", 1, 0.5, 0.7), outcome("ce", 2, 0.6, 0.8), outcome("ce", 3, 0.7, 0.9),
		outcome("fnpal", 1, 0.1, 0.2)}
	diverged := outcome("pal", 1, 0.1, 0.2)
	diverged.Diverged = &vision.Diverged{}
	outcomes = append(outcomes, diverged, outcome("ul", 1, 0.1, 0.1))
	fig, err := Figure(outcomes)
	if err != nil {
		t.Fatal(err)
	}
	if got := curveNames(fig); got != "CE|UL (FNPAL)" {
		t.Fatalf("curves %s", got)
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
	outcomes[1].Records = outcomes[1].Records[:1]
	if _, err := Figure(outcomes); err == nil || !strings.Contains(err.Error(),
		"seed 2 has 1 records and seed 1 has 2") {
		t.Errorf("error %v", err)
	}
	if _, err := Figure([]vision.Outcome{outcomes[0], outcomes[0]}); err == nil || !strings.Contains(err.Error(),
		"seed 1 is there twice") {
		t.Errorf("error %v of a run that is there twice", err)
	}
	finals := Finals([]vision.Outcome{outcome("ce", 1, 0.5, 0.7), outcome("ce", 2, 0.6, 0.9)})
	if len(finals) != 1 || math.Abs(finals[0].Mean-80) > 1e-12 || math.Abs(finals[0].SD-math.Sqrt(200)) > 1e-12 ||
		finals[0].Seeds != 2 {
		t.Errorf("finals %+v", finals)
	}
}

func TestFigure2HasAPanelASetup(t *testing.T) {
	at := func(dataset string, o vision.Outcome) vision.Outcome {
		o.Settings.Dataset, o.Settings.Model = dataset, "net"
		return o
	}
	long := make([]float64, 12)
	outcomes := []vision.Outcome{
		at("large", outcome("ce", 1, long...)), at("large", outcome("fnpal", 1, long...)),
		at("only", outcome("ul", 1, 0.1)),
		at("small", outcome("ce", 1, 0.5, 0.6)), at("small", outcome("pal-efr", 1, 0.2, 0.3)),
		at("small", withEFR(outcome("pal-efr", 1, 0.4, 0.5), 5e-5)),
		at("small", outcome("ce", 2, 0.7, 0.8)),
	}
	outcomes[6].Settings.Backend = "another"
	fig, err := Figure2(outcomes)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := curveNames(fig), "CE|UL* (PAL + EFR)|UL* (PAL + EFR), λ = 5e-05|UL (FNPAL)"; got != want {
		t.Fatalf("curves %s, should be %s", got, want)
	}
	if len(fig.Panels) != 2 || fig.Panels[0].Title != "(a) large, net, 12 epochs" ||
		fig.Panels[1].Title != "(b) small, net, 2 epochs" {
		t.Fatalf("panels %+v", fig.Panels)
	}
	if fig.Panels[0].ZoomFrom != 9 || fig.Panels[1].ZoomFrom != 0 {
		t.Errorf("zooms from %g and %g; 12 epochs should have one, 2 none", fig.Panels[0].ZoomFrom,
			fig.Panels[1].ZoomFrom)
	}
	if got := fig.Panels[1].Curves; !slices.Equal(got, []string{"CE", "UL* (PAL + EFR)",
		"UL* (PAL + EFR), λ = 5e-05"}) {
		t.Errorf("panel b shows %q", got)
	}
	ce := fig.Curves[0]
	if a, sd := ce.Series["b_accuracy"][1], ce.Series["b_accuracy_sd"][1]; math.Abs(a-70) > 1e-12 ||
		math.Abs(sd-math.Sqrt(200)) > 1e-12 || ce.Params["b_seeds"] != 2 {
		t.Errorf("accuracy %g ± %g of %g seeds, should be 70 ± √200 of 2", a, sd, ce.Params["b_seeds"])
	}
	for _, c := range fig.Curves {
		for name, values := range c.Series {
			if len(values) != len(c.Series["step"]) {
				t.Errorf("%s: %s has %d values, step has %d", c.Name, name, len(values), len(c.Series["step"]))
			}
		}
	}
	if _, err := plots.SVG(fig); err != nil {
		t.Error(err)
	}
	if _, err := Figure2(outcomes[2:3]); !errors.Is(err, ErrNoRuns) {
		t.Errorf("error %v of plain UL alone", err)
	}
}

func TestFigure12HasARowAFamily(t *testing.T) {
	outcomes := []vision.Outcome{outcome("ce", 1, 0.5, 0.6), withEFR(outcome("ce", 1, 0.5, 0.6), 1e-5),
		outcome("fnpal", 1, 0.5, 0.6), outcome("fnpal-rlr", 1, 0.5, 0.6),
		withEFR(outcome("pal-efr", 1, 0.5, 0.6), 5e-5), outcome("pal", 1, 0.5, 0.6),
		withEFR(outcome("pal-efr", 1, 0.5, 0.6), 5e-6)}
	fig, err := Figure12(outcomes)
	if err != nil {
		t.Fatal(err)
	}
	if len(fig.Panels) != 9 {
		t.Fatalf("%d panels", len(fig.Panels))
	}
	for i, want := range []string{"CE|CE, λ = 1e-05", "UL (PAL)|UL* (PAL + EFR), λ = 5e-06|UL* (PAL + EFR), λ = 5e-05",
		"UL (FNPAL)|UL (FNPAL) + RLR"} {
		for j, y := range []string{"feature_norm2", "loss", "accuracy"} {
			if p := fig.Panels[3*i+j]; p.Y != y || strings.Join(p.Curves, "|") != want {
				t.Errorf("panel %s: %s of %q, should be %s of %s", p.Title, p.Y, p.Curves, y, want)
			}
		}
	}
	if _, err := plots.SVG(fig); err != nil {
		t.Error(err)
	}
	other := outcome("ce", 1, 0.5, 0.6)
	other.Settings.LearningRate = 7
	if _, err := Figure12(append(outcomes, other)); err == nil || !strings.Contains(err.Error(), "2 setups") {
		t.Errorf("error %v", err)
	}
	fig, err = Figure12(outcomes[2:4])
	if err != nil || len(fig.Panels) != 3 {
		t.Errorf("%d panels of one family, error %v", len(fig.Panels), err)
	}
}

func TestFigure14LeavesOutWhatWasNotMeasured(t *testing.T) {
	outcomes := []vision.Outcome{outcome("ce", 1, 0.5, 0.6), outcome("pal", 1, 0.5, 0.6)}
	for _, panels := range []int{3, 4} {
		fig, err := Figure14(outcomes)
		if err != nil {
			t.Fatal(err)
		}
		if len(fig.Panels) != panels {
			t.Errorf("%d panels, should be %d", len(fig.Panels), panels)
		}
		if _, err := plots.SVG(fig); err != nil {
			t.Error(err)
		}
		outcomes[1].Records[0].Collapse = &vision.Collapse{TrainAccuracy: 0.5}
	}
}
