package training

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/unhinged/vision"
)

// quantities are the series of a figure: their names and how they are read from a record.
var quantities = []struct {
	name string
	of   func(vision.Record) float64
}{
	{"step", func(r vision.Record) float64 { return float64(r.Step) }},
	{"epoch", func(r vision.Record) float64 { return r.Epoch }},
	{"accuracy", func(r vision.Record) float64 { return 100 * r.ValidationAccuracy }},
	{"train_accuracy", trainAccuracy},
	{"loss", func(r vision.Record) float64 { return r.TrainLoss }},
	{"minus_loss", func(r vision.Record) float64 { return -r.TrainLoss }},
	{"feature_norm2", func(r vision.Record) float64 { return r.FeatureNorm2 }},
	{"within_class", func(r vision.Record) float64 { return float64(r.WithinClass) }},
	{"prototype_max", func(r vision.Record) float64 { return r.PrototypeMax }},
	{"prototype_ratio", func(r vision.Record) float64 { return r.PrototypeMax / r.PrototypeMin }},
	{"prototype_angle", func(r vision.Record) float64 { return float64(r.PrototypeAngle) }},
}

// trainAccuracy returns the accuracy in percent, and NaN if it was not measured.
func trainAccuracy(r vision.Record) float64 {
	if r.Collapse == nil {
		return math.NaN()
	}
	return 100 * r.Collapse.TrainAccuracy
}

// Figure draws the outcomes of the methods that come to their end, against the epoch, and judges Claims. There is a
// curve for each method and λ of EFR: the mean over its seeds, with series NAME_sd for the standard deviations. Plain
// UL has no curves here; BlowUp draws them. All outcomes must be of one setup.
func Figure(outcomes []vision.Outcome) (result.Figure, error) {
	list, err := oneSetup(outcomes)
	if err != nil {
		return result.Figure{}, err
	}
	fig := result.Figure{ID: "training", Title: "Training with the unhinged loss and with cross-entropy",
		Panels: []result.Panel{
			{Title: "(a) Validation accuracy", Y: "accuracy", YLabel: "%"},
			{Title: "(b) One batch's ‖H‖²", Y: "feature_norm2", YLabel: "‖H‖²", Log: true},
			{Title: "(c) Within-class variability NC1", Y: "within_class", YLabel: "tr(Σ_W Σ_B†)/C", Log: true},
			{Title: "(d) Train loss", Y: "loss", YLabel: "loss", Curves: names(list, "ce", "fnpal")},
			{Title: "(e) −Train loss", Y: "minus_loss", YLabel: "−loss", Log: true, Curves: names(list, "pal",
				"fnpal-rlr")},
		}}
	fig.Claims = Claims(outcomes)
	err = draw(&fig, list, outcomes)
	return fig, err
}

// Figure2 draws validation accuracy by epoch as figure 2 does: with a panel for each setup of the outcomes and a curve
// for each method and λ of EFR, which is the mean over its seeds with a band of one standard deviation.
func Figure2(outcomes []vision.Outcome) (result.Figure, error) {
	fig := result.Figure{ID: "fig2", Title: "Validation accuracy of the loss functions", Settings: map[string]any{}}
	fig.Claims = append(Claims(outcomes), publishedClaims()...)
	setups := Compared(outcomes)
	for _, v := range anchoredOrCE(outcomes) {
		fig.Curves = append(fig.Curves, result.Curve{Name: v.name(), Params: map[string]float64{},
			Series: map[string]result.Series{"step": nil}})
	}
	for _, setup := range setups {
		list := anchoredOrCE(setup)
		if len(list) == 0 {
			continue
		}
		letter := string(rune('a' + len(fig.Panels)))
		settings := setup[0].Settings
		panel := result.Panel{Title: fmt.Sprintf("(%s) %s", letter, setupTitle(settings)), X: letter + "_epoch",
			XLabel: "Epoch", Y: letter + "_accuracy", YLabel: "validation accuracy, %"}
		if settings.Epochs >= 12 { // fewer need no magnifying glass
			panel.ZoomFrom = 0.75 * float64(settings.Epochs) // the last 50 of the paper's 200
		}
		for _, v := range list {
			curve, err := mean(v.name(), v.runs)
			if err != nil {
				return fig, err
			}
			to := &fig.Curves[slices.IndexFunc(fig.Curves, func(c result.Curve) bool { return c.Name == v.name() })]
			to.Params[letter+"_seeds"] = float64(len(v.runs))
			for _, name := range []string{"epoch", "accuracy", "accuracy_sd"} {
				if values, found := curve.Series[name]; found {
					to.Series[letter+"_"+name] = values
				}
			}
			if len(curve.Series["step"]) > len(to.Series["step"]) {
				to.Series["step"] = curve.Series["step"]
			}
			panel.Curves = append(panel.Curves, v.name())
		}
		fig.Panels = append(fig.Panels, panel)
		fig.Settings[letter] = shared(settings)
	}
	pad(&fig)
	err := origin(&fig, outcomes)
	return fig, err
}

// Figure12 draws the outcomes of one setup as figures 12 and 13 do. CE, PAL and FNPAL (with and without RLR) have a row
// each, with ‖H‖² of one batch, the train loss including EFR's term, and the validation accuracy. Each λ has a curve.
// Grey lines show the values at PAL's limit under EFR by Theorem 6.
func Figure12(outcomes []vision.Outcome) (result.Figure, error) {
	fig := result.Figure{ID: "fig12", Title: "Feature norm, loss and accuracy under EFR"}
	list, err := oneSetup(outcomes)
	if err != nil {
		return fig, err
	}
	for _, methods := range [][]string{{"ce"}, {"pal"}, {"fnpal", "fnpal-rlr"}} {
		curves := names(list, methods...)
		if len(curves) == 0 {
			continue
		}
		title := map[string]string{"ce": "CE", "pal": "PAL", "fnpal": "FNPAL"}[methods[0]]
		norm, loss := map[string]float64{}, map[string]float64{}
		for _, v := range list {
			if v.family() == "pal" && methods[0] == "pal" && v.efr > 0 {
				name := fmt.Sprintf("Theorem 6, λ = %g", v.efr)
				norm[name], loss[name] = limit(v.runs[0])
			}
		}
		fig.Panels = append(fig.Panels,
			result.Panel{Title: title + ": one batch's ‖H‖²", Y: "feature_norm2", YLabel: "‖H‖²", Log: true,
				Curves: curves, Lines: norm},
			result.Panel{Title: title + ": train loss", Y: "loss", YLabel: "loss", Curves: curves, Lines: loss},
			result.Panel{Title: title + ": validation accuracy", Y: "accuracy", YLabel: "%", Curves: curves})
	}
	for i := range fig.Panels {
		fig.Panels[i].Title = fmt.Sprintf("(%c) %s", 'a'+i, fig.Panels[i].Title)
	}
	err = draw(&fig, list, outcomes)
	return fig, err
}

// Figure14 draws the outcomes of one setup as figure 14 does: a panel each for the train loss, ‖H‖² of one batch, the
// train accuracy and the validation accuracy, with all methods in each panel.
func Figure14(outcomes []vision.Outcome) (result.Figure, error) {
	fig := result.Figure{ID: "fig14", Title: "Loss, feature norm and accuracy of all methods", Panels: []result.Panel{
		{Title: "(a) Train loss", Y: "loss", YLabel: "loss"},
		{Title: "(b) One batch's ‖H‖²", Y: "feature_norm2", YLabel: "‖H‖²", Log: true},
		{Title: "(c) Train accuracy", Y: "train_accuracy", YLabel: "%"},
		{Title: "(d) Validation accuracy", Y: "accuracy", YLabel: "%"},
	}}
	list, err := oneSetup(outcomes)
	if err != nil {
		return fig, err
	}
	err = draw(&fig, list, outcomes)
	return fig, err
}

// ErrNoRuns is wrapped by the errors of figures for which there is no run.
var ErrNoRuns = errors.New("there is no finished run for this figure")

// anchoredOrCE returns the variants that have runs, except those of plain UL.
func anchoredOrCE(outcomes []vision.Outcome) []variant {
	return slices.DeleteFunc(variants(outcomes), func(v variant) bool {
		return v.method.Name == "ul" ||
			len(v.runs) == 0
	})
}

// oneSetup returns anchoredOrCE of the outcomes. It is an error if they are of several setups.
func oneSetup(outcomes []vision.Outcome) ([]variant, error) {
	if setups := Compared(outcomes); len(setups) > 1 {
		return nil, fmt.Errorf("the runs are of %d setups, such as %s and %s; a figure needs runs of one setup",
			len(setups), setupTitle(setups[0][0].Settings), setupTitle(setups[1][0].Settings))
	}
	return anchoredOrCE(outcomes), nil
}

// names returns the legend names of the variants of some families. It never returns nil, because a panel with nil shows
// all curves.
func names(list []variant, families ...string) []string {
	found := []string{}
	for _, v := range list {
		if slices.Contains(families, v.family()) {
			found = append(found, v.name())
		}
	}
	return found
}

// draw adds a curve for each variant, against the epoch.
func draw(fig *result.Figure, list []variant, outcomes []vision.Outcome) error {
	for i := range fig.Panels {
		fig.Panels[i].X, fig.Panels[i].XLabel = "epoch", "Epoch"
	}
	for _, v := range list {
		curve, err := mean(v.name(), v.runs)
		if err != nil {
			return err
		}
		fig.Curves = append(fig.Curves, curve)
	}
	return finish(fig, outcomes)
}

// mean returns the mean, record by record, of runs that differ only in their seed.
func mean(name string, runs []vision.Outcome) (result.Curve, error) {
	curve := result.Curve{Name: name, Params: map[string]float64{"seeds": float64(len(runs))},
		Series: map[string]result.Series{}}
	seeds := map[uint64]bool{}
	for _, run := range runs {
		if seeds[run.Settings.Seed] {
			return curve, fmt.Errorf("%s: seed %d is there twice in %s; a run must not count as two", name,
				run.Settings.Seed, setupTitle(run.Settings))
		}
		seeds[run.Settings.Seed] = true
		if len(run.Records) != len(runs[0].Records) {
			return curve,
				fmt.Errorf("%s: seed %d has %d records and seed %d has %d; runs of one figure must have the same "+
					"settings",
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

// finish removes panels without curves, and notes settings and provenance.
func finish(fig *result.Figure, outcomes []vision.Outcome) error {
	fig.Panels = slices.DeleteFunc(fig.Panels, func(p result.Panel) bool {
		return !slices.ContainsFunc(fig.Curves, func(c result.Curve) bool {
			return (p.Curves == nil || slices.Contains(p.Curves, c.Name)) && slices.ContainsFunc(c.Series[p.Y],
				isFinite)
		})
	})
	if err := origin(fig, outcomes); err != nil {
		return err
	}
	fig.Settings = shared(outcomes[0].Settings)
	return nil
}

// shared returns the settings that all runs of a setup have.
func shared(s vision.Settings) map[string]any {
	return map[string]any{"dataset": s.Dataset, "images": s.Images, "model": s.Model, "epochs": s.Epochs,
		"batch":         s.Batch,
		"learning_rate": s.LearningRate, "momentum": s.Momentum, "weight_decay": s.WeightDecay}
}

var ofOneRun = regexp.MustCompile(` --(method|seed|backend) \S+`)

// setupCommand returns the command that makes the runs of an outcome's setup: its own, without what is about one run.
func setupCommand(o vision.Outcome) string {
	return ofOneRun.ReplaceAllString(o.Provenance.Command, "")
}

// origin notes where the runs come from, and how long all of them took.
func origin(fig *result.Figure, outcomes []vision.Outcome) error {
	if len(fig.Curves) == 0 {
		return fmt.Errorf("%s: %w", fig.ID, ErrNoRuns)
	}
	fig.Provenance = outcomes[0].Provenance
	fig.Provenance.Duration = 0
	for _, o := range outcomes {
		fig.Provenance.Duration += o.Provenance.Duration
	}
	return nil
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
