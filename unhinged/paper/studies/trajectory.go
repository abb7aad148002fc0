package studies

import (
	"github.com/unhinged-lab/lab/internal/numbers"
	"gonum.org/v1/gonum/mat"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Trajectory returns the records of a training, of a network or in closed form, as a curve with the series step, loss,
// train_accuracy and, if there are test points, test_accuracy.
func Trajectory(name string, records []ntk.Record) result.Curve {
	c := result.Curve{Name: name, Params: map[string]float64{}, Series: map[string]result.Series{}}
	for _, r := range records {
		values := map[string]float64{"step": r.Time, "loss": r.Loss, "train_accuracy": r.Train.Accuracy}
		if r.Test.Logits != nil {
			values["test_accuracy"] = r.Test.Accuracy
		}
		for name, v := range values {
			c.Series[name] = append(c.Series[name], v)
		}
	}
	return c
}

// Apart compares theory with a network at the same times, except the first one. It returns a curve with the series
// step, train_error and test_error (‖F − F_theory‖/‖F − F(0)‖, Frobenius), the errors relative to the distance that the
// network's logits have moved. Both must have test points.
func Apart(name string, network, theory []ntk.Record) result.Curve {
	c := result.Curve{Name: name, Params: map[string]float64{}, Series: map[string]result.Series{}}
	for i, r := range network[1:] {
		for name, v := range map[string]float64{"step": r.Time,
			"train_error": relative(r.Train.Logits, theory[i+1].Train.Logits, network[0].Train.Logits),
			"test_error":  relative(r.Test.Logits, theory[i+1].Test.Logits, network[0].Test.Logits)} {
			c.Series[name] = append(c.Series[name], v)
		}
	}
	return c
}

// Matrix returns a tensor of two axes, such as a kernel, as a gonum matrix, which package dynamics uses.
func Matrix(t *tensors.Tensor) *mat.Dense { return numbers.Matrix(t) }
