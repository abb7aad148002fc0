package vision

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/unhinged-lab/lab/plots"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// TestWatch gives a Watch the events of a training that is resumed at step 201 of 1000, in 5 epochs, with loss 1/step.
func TestWatch(t *testing.T) {
	var figures []result.Figure
	var status string
	began := time.Now()
	report := Watch("PAL", func(fig result.Figure, s string) {
		figures, status = append(figures, fig), s
		if _, err := plots.SVG(fig); err != nil {
			t.Error(err)
		}
	})
	for step := int64(201); step <= 1000; step++ {
		p := Progress{StepSummary: StepSummary{Loss: 1 / float64(step)}, Epoch: int(step-1)/200 + 1, Epochs: 5,
			Step:  step,
			Steps: 1000, ImagesPerSecond: 4321, Left: 61 * time.Second}
		if step%200 == 0 {
			p.Record = &Record{Epoch: float64(step) / 200, ValidationAccuracy: float64(step) / 2000}
		}
		report(p)
	}
	// There is output for the first step, the last step, and at most one step in every half second between them.
	if n := len(figures); n < 2 || n > 2+int(time.Since(began)/(time.Second/2)) {
		t.Fatalf("%d pictures in %v", n, time.Since(began))
	}
	loss, accuracy := figures[len(figures)-1].Curves[0], figures[len(figures)-1].Curves[1]
	if len(loss.Series["loss"]) != 200 || loss.Series["step"][199] != 5 ||
		math.Abs(loss.Series["step"][0]-204./200) > 1e-12 {
		t.Errorf("%d points, from epoch %g to %g", len(loss.Series["loss"]), loss.Series["step"][0],
			loss.Series["step"][len(loss.Series["step"])-1])
	}
	if want := (1./201 + 1./202 + 1./203 + 1./204) / 4; math.Abs(loss.Series["loss"][0]-want) > 1e-15 {
		t.Errorf("the first point is %g, should be the mean %g of its steps", loss.Series["loss"][0], want)
	}
	want := []float64{math.NaN(), 20, 30, 40, 50}
	for i, got := range accuracy.Series["accuracy"] {
		if i > 0 && (math.Abs(got-want[i]) > 1e-12 || accuracy.Series["step"][i] != float64(i+1)) ||
			len(accuracy.Series["accuracy"]) != len(want) {
			t.Errorf("accuracies %v at epochs %v", accuracy.Series["accuracy"], accuracy.Series["step"])
		}
	}
	if !strings.Contains(accuracy.Name, "50.00 %") ||
		status != "PAL: epoch 5 of 5, step 1000 of 1000, 4321 images/s, 1m1s left" {
		t.Errorf("%q, %q", accuracy.Name, status)
	}
}
