package main

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/mat"

	"github.com/unhinged-lab/lab/unhinged/npy"
	"github.com/unhinged-lab/lab/unhinged/ood"
)

// measure runs the command, and returns its output and the content of the file of --json.
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

// write writes a matrix, or a vector as a matrix of one row, to an .npy file for the test.
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

// TestMeasure compares with values that were computed by hand from the definitions.
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
		"there are energy, knn":     {"ood", "--in", logits, "--ood", logits, "--score", "odin"},
		"features 2: want the same": {"collapse", "--features", logits, "--labels", labels, "--prototypes",
			write(t, 1, 1, 2)},
		"sample 0 is -1: want 0 … 0":     {"collapse", "--features", logits, "--labels", writeLabels(t, -1, 0)},
		"is fitted to training features": {"ood", "--in", logits, "--ood", logits, "--score", "knn"},
		"no meaning for scores": {"ood", "--in", logits, "--ood", logits, "--train", logits, "--labels",
			labels},
		"no meaning for --score norm": {"ood", "--in", logits, "--ood", logits, "--score", "norm", "--prototypes",
			logits},
		"makes logits of the features": {"ood", "--in", logits, "--ood", logits, "--score", "vim", "--train", logits,
			"--labels", writeLabels(t, 0, 1)},
		"has 2 labels and": {"ood", "--in", logits, "--ood", logits, "--score", "knn", "--train", write(t, 2, 1, 2),
			"--labels", labels},
		"features have dimension 2": {"ood", "--in", logits, "--ood", logits, "--score", "knn", "--train",
			write(t, 1, 1, 2), "--labels", labels},
		"class 1 has no training features": {"ood", "--in", logits, "--ood", logits, "--score", "mahalanobis",
			"--train",
			logits, "--labels", labels},
		"want 2 to 1,000,000": {"calibration", "--logits", logits, "--labels", writeLabels(t, 0, 1), "--resamples",
			"1"},
		"held-out held-out-labels": {"calibration", "--logits", logits, "--labels", writeLabels(t, 0, 1), "--held-out",
			logits},
		"temperature is 0": {"calibration", "--logits", logits, "--labels", writeLabels(t, 0, 1), "--held-out", logits,
			"--held-out-labels", writeLabels(t, 0, 1)},
		"out-of-distribution score 0 i": {"ood", "--in", write(t, 0, 1), "--ood", write(t, 0, math.NaN())},
	} {
		if _, _, err := measure(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v; want one that says %q", args, err, want)
		}
	}
}

// TestMeasurePlots checks that every command draws a picture, and that the JSON has every key that the help lists, with
// intervals.
func TestMeasurePlots(t *testing.T) {
	logits, labels := write(t, 2, 2, 0, 1, 0, 0, 3, 0, 1), writeLabels(t, 0, 1, 1, 1)
	features, classes := write(t, 2, 1.5, 0, 0.5, 0, -1, 0.5, -1, -0.5), writeLabels(t, 0, 0, 1, 1)
	for _, c := range []struct{ args, keys []string }{
		{[]string{"collapse", "--features", features, "--labels", classes, "--prototypes", write(t, 2, 1, 0, -1, 0)},
			[]string{"nc1_trace", "nc1_quotient", "cdnv", "nc2_norm_spread", "nc2_angle_spread", "nc2_angle_distance",
				"nc2_etf_distance", "nc3_distance", "nc3_mean_cosine", "nc4", "accuracy"}},
		{[]string{"calibration", "--logits", logits, "--labels", labels, "--bins", "3", "--resamples", "50",
			"--held-out",
			logits, "--held-out-labels", labels},
			[]string{"accuracy", "accuracy_low", "accuracy_high", "confidence", "ece", "ece_low", "ece_debiased",
				"ece_debiased_high", "ece_adaptive", "ece_classwise", "mce", "rmsce", "nll", "nll_low", "brier",
				"brier_high",
				"brier_reliability", "brier_resolution", "brier_uncertainty", "brier_within", "bins", "temperature",
				"ece_scaled", "nll_scaled", "brier_scaled"}},
		{[]string{"ood", "--in", write(t, 0, 1, 2, 3), "--ood", write(t, 0, 0, 2), "--resamples", "50"},
			[]string{"auroc", "auroc_low", "auroc_high", "aupr_in", "aupr_in_low", "aupr_in_trapezoid", "aupr_out",
				"aupr_out_high", "fpr95_in_positive", "fpr95_in_positive_low", "fpr95_out_positive",
				"fpr95_out_positive_high", "base_rate"}},
	} {
		picture := filepath.Join(t.TempDir(), "x.svg")
		_, values, err := measure(t, append(c.args, "--plot", picture)...)
		if err != nil {
			t.Errorf("%v: %v", c.args, err)
			continue
		}
		if content, err := os.ReadFile(picture); err != nil || !bytes.HasPrefix(content, []byte("<svg")) {
			t.Errorf("%s: the picture begins with %.20q, error %v", c.args[0], content, err)
		}
		for _, key := range c.keys {
			if v, found := values[key]; !found || v == nil {
				t.Errorf("%s: there is no %s", c.args[0], key)
			}
		}
	}
	_, values, err := measure(t, "calibration", "--logits", logits, "--labels", labels, "--resamples", "0")
	if _, found := values["ece_low"]; err != nil || found {
		t.Errorf("0 resamples: an interval, or error %v", err)
	}
}

// TestMeasureFittedScores checks that each score that is fitted to training features equals that of package ood.
func TestMeasureFittedScores(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	const p = 4
	draw := func(n int, shift float64) *mat.Dense {
		x := mat.NewDense(n, p, nil)
		x.Apply(func(i, j int, _ float64) float64 {
			return random.NormFloat64() + float64(3*(i%2)*(j%2)) + shift
		}, x)
		return x
	}
	train, in, out, w := draw(60, 0), draw(20, 0), draw(20, 1.5), mat.NewDense(2, p, []float64{1, -1, 0, 0, 0, 1, 1, 0})
	classes := make([]int, 60)
	for i := range classes {
		classes[i] = i % 2
	}
	biases := []float64{0.5, -1}
	logits := func(x *mat.Dense) *mat.Dense {
		var z mat.Dense
		z.Mul(x, w.T())
		z.Apply(func(_, c int, v float64) float64 { return v + biases[c] }, &z)
		return &z
	}
	mahalanobis, err1 := ood.Mahalanobis(train, classes, 2)
	knn, err2 := ood.KNN(train, 1)
	neco, err3 := ood.NECO(train, 2)
	origin, err4 := ood.LogitOrigin(w, biases)
	vim, err5 := ood.NewViM(train, logits(train), origin, 2)
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			t.Fatal(err)
		}
	}
	file := func(x *mat.Dense) string {
		_, columns := x.Dims()
		return write(t, columns, mat.DenseCopyOf(x).RawMatrix().Data...)
	}
	files := []string{"ood", "--in", file(in), "--ood", file(out), "--train", file(train), "--labels",
		writeLabels(t, classes...), "--resamples", "0", "--score"}
	for score, of := range map[string]ood.Score{"mahalanobis": mahalanobis, "knn": knn, "neco": neco,
		"vim": func(x *mat.Dense) []float64 { return vim.Score(x, logits(x)) }} {
		c, err := ood.Compare(of(in), of(out))
		if err != nil {
			t.Fatal(err)
		}
		args := append(slices.Clone(files), score)
		if score == "vim" {
			args = append(args, "--prototypes", file(w), "--biases", write(t, 0, biases...))
		}
		_, values, err := measure(t, args...)
		if err != nil || math.Abs(*values["auroc"]-c.AUROC()) > 1e-12 {
			t.Errorf("%s: %v, error %v; want AUROC %v", score, values, err, c.AUROC())
		}
	}
}
