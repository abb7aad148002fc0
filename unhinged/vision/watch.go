package vision

import (
	"fmt"
	"math"
	"time"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// Watch makes a Training.Report that draws the training of this name as it goes, at most twice a second: the loss and
// the validation accuracy by epoch; in words, how far it is, how fast, and for how long still. show is the method Show
// of a plots.Live.
func Watch(name string, show func(picture result.Figure, status string)) func(Progress) {
	// of all steps
	var losses []float64
	// the panel is there from the start
	accuracy := result.Curve{Name: "validation accuracy", Series: map[string]result.Series{"step": {0},
		"accuracy": {math.NaN()}}}
	var drawn time.Time
	return func(p Progress) {
		losses = append(losses, p.Loss)
		if p.Record != nil {
			accuracy.Name = fmt.Sprintf("validation accuracy, now %.2f %%", 100*p.Record.ValidationAccuracy)
			for name, value := range map[string]float64{"step": p.Record.Epoch,
				"accuracy": 100 * p.Record.ValidationAccuracy} {
				accuracy.Series[name] = append(accuracy.Series[name], value)
			}
		}
		if p.Step < p.Steps && time.Since(drawn) < time.Second/2 {
			return
		}
		drawn = time.Now()
		show(progressFigure(name, p, losses, accuracy))
	}
}

// stretches is how many points the curve of the loss has at most; each is the mean of as many steps.
const stretches = 200

func progressFigure(name string, p Progress, losses []float64, accuracy result.Curve) (picture result.Figure,
	status string) {
	size := (len(losses) + stretches - 1) / stretches
	loss := result.Curve{Series: map[string]result.Series{}}
	for from := 0; from < len(losses); from += size {
		stretch := losses[from:min(from+size, len(losses))]
		sum := 0.0
		for _, v := range stretch {
			sum += v
		}
		// done at its end; a training may have gone on from a checkpoint
		steps := p.Step - int64(len(losses)-from-len(stretch))
		loss.Series["step"] = append(loss.Series["step"], float64(p.Epochs)*float64(steps)/float64(p.Steps))
		loss.Series["loss"] = append(loss.Series["loss"], sum/float64(len(stretch)))
	}
	loss.Name = fmt.Sprintf("train loss, now %.4g", loss.Series["loss"][len(loss.Series["loss"])-1])
	picture = result.Figure{ID: "progress", Title: name, Curves: []result.Curve{loss, accuracy}, Panels: []result.Panel{
		{Title: "Train loss", Y: "loss", YLabel: "loss", XLabel: "Epoch", Curves: []string{loss.Name}},
		{Title: "Validation accuracy", Y: "accuracy", YLabel: "%", XLabel: "Epoch", Curves: []string{accuracy.Name}},
	}}
	return picture, fmt.Sprintf("%s: epoch %d of %d, step %d of %d, %.0f images/s, %v left", name, p.Epoch, p.Epochs,
		p.Step, p.Steps, p.ImagesPerSecond, p.Left.Round(time.Second))
}
