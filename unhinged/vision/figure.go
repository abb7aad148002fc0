package vision

import (
	"errors"
	"fmt"
	"slices"

	"github.com/unhinged-lab/lab/unhinged/result"
	"gonum.org/v1/gonum/stat"
)

// quantities are the series of a figure: what they are called and how they are read from a record.
var quantities = []struct {
	name string
	of   func(Record) float64
}{
	{"step", func(r Record) float64 { return float64(r.Step) }},
	{"epoch", func(r Record) float64 { return r.Epoch }},
	{"accuracy", func(r Record) float64 { return 100 * r.ValidationAccuracy }},
	{"loss", func(r Record) float64 { return r.TrainLoss }},
	{"minus_loss", func(r Record) float64 { return -r.TrainLoss }},
	{"feature_norm2", func(r Record) float64 { return r.FeatureNorm2 }},
	{"within_class", func(r Record) float64 { return float64(r.WithinClass) }},
	{"prototype_max", func(r Record) float64 { return r.PrototypeMax }},
	{"prototype_ratio", func(r Record) float64 { return r.PrototypeMax / r.PrototypeMin }},
	{"prototype_angle", func(r Record) float64 { return float64(r.PrototypeAngle) }},
}

// Figure draws the outcomes of the methods that come to an end, against the epoch, as figures 2 and 12 to 14 do: a curve
// a method, the mean over its seeds, with series NAME_sd for the standard deviations; and judges Claims.
// It leaves the curves of plain UL to BlowUp.
func Figure(outcomes []Outcome) (result.Figure, error) {
	fig := result.Figure{ID: "training", Title: "Training with the unhinged loss and with cross-entropy", Panels: []result.Panel{
		{Title: "(a) Validation accuracy", Y: "accuracy", YLabel: "%"},
		{Title: "(b) ‖H‖² of one batch", Y: "feature_norm2", YLabel: "‖H‖²", Log: true},
		{Title: "(c) Within-class variability NC1", Y: "within_class", YLabel: "tr(Σ_W Σ_B†)/C", Log: true},
		{Title: "(d) Train loss", Y: "loss", YLabel: "loss", Curves: titles("ce", "fnpal")},
		{Title: "(e) −Train loss", Y: "minus_loss", YLabel: "−loss", Log: true, Curves: titles("pal", "pal-efr", "fnpal-rlr")},
	}}
	for i := range fig.Panels {
		fig.Panels[i].X, fig.Panels[i].XLabel = "epoch", "Epoch"
	}
	for _, m := range Methods() {
		var runs []Outcome
		for _, o := range outcomes {
			if o.Settings.Method == m.Name && o.Settings.Method != "ul" && o.Diverged == nil {
				runs = append(runs, o)
			}
		}
		if len(runs) == 0 {
			continue
		}
		curve, err := mean(m.Title, runs)
		if err != nil {
			return fig, err
		}
		fig.Curves = append(fig.Curves, curve)
	}
	fig.Claims = Claims(outcomes)
	err := finish(&fig, outcomes)
	return fig, err
}

// ErrNoRuns is wrapped by the errors of figures that no run belongs into.
var ErrNoRuns = errors.New("no finished run belongs into this figure")

// titles are the legend names of methods.
func titles(names ...string) []string {
	var list []string
	for _, m := range Methods() {
		if slices.Contains(names, m.Name) {
			list = append(list, m.Title)
		}
	}
	return list
}

// mean is the mean of runs that differ in their seed only, record by record.
func mean(name string, runs []Outcome) (result.Curve, error) {
	curve := result.Curve{Name: name, Params: map[string]float64{"seeds": float64(len(runs))}, Series: map[string]result.Series{}}
	for _, run := range runs {
		if len(run.Records) != len(runs[0].Records) {
			return curve, fmt.Errorf("%s: seed %d has %d records and seed %d has %d; runs of one figure must have the same settings",
				name, run.Settings.Seed, len(run.Records), runs[0].Settings.Seed, len(runs[0].Records))
		}
	}
	values := make([]float64, len(runs))
	for _, q := range quantities {
		for i := range runs[0].Records {
			for k, run := range runs {
				values[k] = q.of(run.Records[i])
			}
			m, sd := stat.MeanStdDev(values, nil)
			curve.Series[q.name] = append(curve.Series[q.name], m)
			if len(runs) > 1 && q.name != "step" && q.name != "epoch" {
				curve.Series[q.name+"_sd"] = append(curve.Series[q.name+"_sd"], sd)
			}
		}
	}
	return curve, nil
}

// finish drops the panels that have no curve, and notes settings and provenance.
func finish(fig *result.Figure, outcomes []Outcome) error {
	if len(fig.Curves) == 0 {
		return fmt.Errorf("%s: %w", fig.ID, ErrNoRuns)
	}
	has := func(name string) bool {
		return slices.ContainsFunc(fig.Curves, func(c result.Curve) bool { return c.Name == name })
	}
	fig.Panels = slices.DeleteFunc(fig.Panels, func(p result.Panel) bool {
		return p.Curves != nil && !slices.ContainsFunc(p.Curves, has)
	})
	for i, p := range fig.Panels {
		fig.Panels[i].Curves = slices.DeleteFunc(p.Curves, func(name string) bool { return !has(name) })
	}
	s := outcomes[0].Settings
	fig.Settings = map[string]any{"dataset": s.Dataset, "images": s.Images, "model": s.Model, "epochs": s.Epochs, "batch": s.Batch,
		"learning_rate": s.LearningRate, "momentum": s.Momentum, "weight_decay": s.WeightDecay}
	fig.Provenance = outcomes[0].Provenance
	fig.Provenance.Duration = 0
	for _, o := range outcomes {
		fig.Provenance.Duration += o.Provenance.Duration
	}
	return nil
}

// Final is the mean and the standard deviation, over seeds, of a method's last validation accuracy in percent.
type Final struct {
	Method   Method
	Seeds    int
	Mean, SD float64 // SD is NaN for a single seed
}

// Finals lists them in the order of Methods, without the runs that diverged.
func Finals(outcomes []Outcome) []Final {
	var list []Final
	for _, m := range Methods() {
		if values := lastOf(outcomes, m.Name, func(r []Record) float64 { return 100 * r[len(r)-1].ValidationAccuracy }); len(values) > 0 {
			mean, sd := stat.MeanStdDev(values, nil)
			list = append(list, Final{Method: m, Seeds: len(values), Mean: mean, SD: sd})
		}
	}
	return list
}

// lastOf is a number of each finished run of a method.
func lastOf(outcomes []Outcome, method string, of func([]Record) float64) []float64 {
	var values []float64
	for _, o := range outcomes {
		if o.Settings.Method == method && o.Diverged == nil && len(o.Records) > 0 {
			values = append(values, of(o.Records))
		}
	}
	return values
}
