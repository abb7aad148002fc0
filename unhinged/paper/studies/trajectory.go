package studies

import (
	"github.com/unhinged-lab/lab/internal/numbers"
	"gonum.org/v1/gonum/mat"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Trajectory turns the records of a training, of a network or in closed form, into a curve with the series step, loss,
// train_accuracy and, if there were points to test on, test_accuracy.
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

// Apart is how far theory is from a network at the same moments, after the first: a curve with the series step and,
// relative to the distance that the network's logits have moved, train_error and test_error (‖F − F_theory‖/‖F − F(0)‖,
// Frobenius). Both must have points to test on.
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

// Matrix returns a tensor of two axes, such as a kernel, as gonum and package dynamics have it.
func Matrix(t *tensors.Tensor) *mat.Dense { return numbers.Matrix(t) }
