package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/mat"

	"github.com/unhinged-lab/lab/unhinged/npy"
)

// measure runs the command, and returns what it printed and what it wrote to --json.
func measure(t *testing.T, args ...string) (string, map[string]*float64, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.json")
	root := &cobra.Command{Use: "unhinged", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(measureCommand())
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append(append([]string{"measure"}, args...), "--json", file))
	if err := root.Execute(); err != nil {
		return out.String(), nil, err
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]*float64{}
	if err := json.Unmarshal(content, &values); err != nil {
		t.Fatal(err)
	}
	return out.String(), values, nil
}

// write writes a matrix, or a vector of one row, as an .npy file of the test.
func write(t *testing.T, columns int, values ...float64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.npy")
	err := npy.WriteVector(path, values)
	if columns > 0 {
		err = npy.WriteMatrix(path, mat.NewDense(len(values)/columns, columns, values))
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func writeLabels(t *testing.T, labels ...int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "y.npy")
	if err := npy.WriteIntegers(path, labels); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMeasure: values that were computed by hand, from the definitions.
func TestMeasure(t *testing.T) {
	logits, labels := write(t, 2, 2, 0, 1, 0, 0, 3, 0, 1), writeLabels(t, 0, 1, 1, 1)
	in, out := write(t, 0, 0.9, 0.8, 0.7, 0.3), write(t, 0, 0.6, 0.4, 0.2)
	features, classes := write(t, 2, 1.5, 0, 0.5, 0, -1, 0.5, -1, -0.5), writeLabels(t, 0, 0, 1, 1)
	prototypes := write(t, 2, 1, 0, -1, 0)
	softmax := func(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
	for _, c := range []struct {
		args []string
		want map[string]float64
	}{
		{[]string{"calibration", "--logits", logits, "--labels", labels, "--bins", "10"}, map[string]float64{
			"accuracy": 0.75, "mce": softmax(1) - 0.5,
			"ece": (1 - softmax(2) + 2*(softmax(1)-0.5) + 1 - softmax(3)) / 4,
			"nll": -(math.Log(softmax(2)) + math.Log(1-softmax(1)) + math.Log(softmax(3)) + math.Log(softmax(1))) / 4,
		}},
		{[]string{"ood", "--in", in, "--ood", out}, map[string]float64{
			"auroc": 10.0 / 12, "aupr_in": 0.75 + 0.25*4/6, "fpr95_in_positive": 2.0 / 3, "base_rate": 4.0 / 7,
			"fpr95_out_positive": 1.0 / 4, "aupr_out": (1 + 2.0/3 + 3.0/4) / 3,
		}},
		{[]string{"collapse", "--features", features, "--labels", classes, "--prototypes", prototypes},
			map[string]float64{
				"nc1_quotient": 0.25, "nc1_trace": 0.0625, "nc2_norm_spread": 0, "nc2_etf_distance": 0,
				"nc3_distance": 0,
				"nc4":          1, "accuracy": 1,
			}},
	} {
		text, got, err := measure(t, c.args...)
		if err != nil {
			t.Errorf("%v: %v", c.args, err)
			continue
		}
		for key, want := range c.want {
			if v := got[key]; v == nil || math.Abs(*v-want) > 1e-12 || !strings.Contains(text, key) {
				t.Errorf("%s: %s is not %v in %v, or not in\n%s", c.args[0], key, want, got[key], text)
			}
		}
	}
}

func TestMeasureRefuses(t *testing.T) {
	logits, labels := write(t, 2, 1, 0, 0, 1), writeLabels(t, 0, 2)
	for want, args := range map[string][]string{
		"label of sample 1 is 2":    {"calibration", "--logits", logits, "--labels", labels},
		`required flag(s) "labels"`: {"calibration", "--logits", logits},
		"there are msp, energy":     {"ood", "--in", logits, "--ood", logits, "--score", "odin"},
		"features 2: want the same": {"collapse", "--features", logits, "--labels", labels, "--prototypes",
			write(t, 1, 1, 2)},
		"sample 0 is -1: want 0 … 0":    {"collapse", "--features", logits, "--labels", writeLabels(t, -1, 0)},
		"out-of-distribution score 0 i": {"ood", "--in", write(t, 0, 1), "--ood", write(t, 0, math.NaN())},
	} {
		if _, _, err := measure(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v; want one that says %q", args, err, want)
		}
	}
}
