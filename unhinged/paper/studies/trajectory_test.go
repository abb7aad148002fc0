package studies

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/unhinged/result"
)

func TestTrajectory(t *testing.T) {
	at := func(time, loss float64, logits ...float64) ntk.Record {
		outputs := func(scale float64) ntk.Outputs {
			m := mat.NewDense(1, 2, append([]float64(nil), logits...))
			m.Scale(scale, m)
			return ntk.Outputs{Logits: m, Accuracy: scale / 4}
		}
		return ntk.Record{Time: time, Loss: loss, Train: outputs(1), Test: outputs(2)}
	}
	same := func(what string, got result.Series, want ...float64) {
		t.Helper()
		for i, v := range want {
			if len(got) != len(want) || math.Abs(got[i]-v) > 1e-15 {
				t.Fatalf("%s: %v, want %v", what, got, want)
			}
		}
	}
	network := []ntk.Record{at(0, 5, 1, 1), at(3, 6, 4, 5)}
	c := Trajectory("n", network)
	same("step", c.Series["step"], 0, 3)
	same("loss", c.Series["loss"], 5, 6)
	same("train", c.Series["train_accuracy"], 0.25, 0.25)
	same("test", c.Series["test_accuracy"], 0.5, 0.5)
	apart := Apart("n", network, []ntk.Record{at(0, 5, 1, 1), at(3, 6, 4, 4)})
	same("step", apart.Series["step"], 3)
	same("train error", apart.Series["train_error"], 1/5.)
	same("test error", apart.Series["test_error"], 2/10.)
	network[0].Test = ntk.Outputs{}
	if _, ok := Trajectory("n", network[:1]).Series["test_accuracy"]; ok {
		t.Error("an accuracy on no points")
	}
	if m := Matrix(tensors.FromValue([][]float32{{1, 2, 3}, {4, 5, 6}})); !mat.Equal(m, mat.NewDense(2, 3,
		[]float64{1, 2, 3, 4, 5, 6})) {
		t.Errorf("matrix %v", mat.Formatted(m))
	}
}
