package main

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/ntk/tiles"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
)

const smallNetwork = "flatten dense:16 relu dense:16 relu dense:3"

// trainKernel runs `unhinged kernel train` and returns its output.
func trainKernel(t *testing.T, args ...string) (kernelTraining, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "result.json")
	_, err := kernel(t.Context(), append([]string{"train", "--json", path, "--backend", "go"}, args...)...)
	var r kernelTraining
	if err != nil {
		return r, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return r, json.Unmarshal(text, &r)
}

// TestKernelTrain compares streamed training with training in memory on the whole kernel in float64.
func TestKernelTrain(t *testing.T) {
	name := smallData(t)
	data, err := openDataset(name)
	if err != nil {
		t.Fatal(err)
	}
	network, err := ntk.Parse(smallNetwork)
	if err != nil {
		t.Fatal(err)
	}
	r, err := trainKernel(t, "--data", name, "--network", smallNetwork, "--gamma", "0.2", "--lambda", "0.3",
		"--rate", "0.5", "--times", "0,1,7")
	if err != nil {
		t.Fatal(err)
	}
	var x [2]*tensors.Tensor
	for i, part := range []datasets.Images{data.Train, data.Test} {
		of, err := imageTensors[float64](part, "unit")
		if err != nil {
			t.Fatal(err)
		}
		x[i] = of(tiles.Range{From: 0, To: part.Len()})
	}
	backend, _, err := backends.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Finalize()
	infinite := network.Infinite(backend)
	theta, err1 := infinite.Kernels(x[0], nil)
	thetaStar, err2 := infinite.Kernels(x[0], x[1])
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	trained, err := ntk.Unhinged{Gamma: 0.2, Lambda1: 0.3, Rates: dynamics.Constant(0.5, 0.5)}.Train(theta.NTK,
		data.Train.IntLabels())
	if err != nil {
		t.Fatal(err)
	}
	if err := trained.Test(thetaStar.NTK, data.Test.IntLabels()); err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Points {
		want, err := trained.At(p.Time)
		if err != nil {
			t.Fatal(err)
		}
		// tiles are stored in float32
		if math.Abs(p.Loss-want.Loss) > 1e-6*math.Abs(want.Loss) || p.Train != want.Train.Accuracy ||
			p.Test != want.Test.Accuracy {
			t.Errorf("%+v, want the loss %g and the accuracies %g and %g", p, want.Loss, want.Train.Accuracy,
				want.Test.Accuracy)
		}
	}
	if len(r.Points) != 3 || r.PeakBytes <= 0 {
		t.Errorf("%+v", r)
	}
}

// TestKernelTrainOnce checks that saved sums serve for every γ, without computing tiles again, and that the tiles of a
// store, whose inputs are rounded to float32, give the same numbers but for this rounding. Another network, other
// images or a damaged file are errors.
func TestKernelTrainOnce(t *testing.T) {
	name, sums, stores := smallData(t), filepath.Join(t.TempDir(), "sums"), t.TempDir()
	args := []string{"--data", name, "--network", smallNetwork, "--examples", "20", "--examples2", "7", "--sums",
		sums, "--seed", "5"}
	first, err := trainKernel(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(filepath.Join(sums, "train.sums"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := trainKernel(t, append(args, "--gamma", "0.1")...)
	if err != nil || reflect.DeepEqual(first.Points, other.Points) {
		t.Errorf("another γ: error %v, points %+v", err, other.Points)
	}
	if after, err := os.Stat(filepath.Join(sums, "train.sums")); err != nil || !os.SameFile(before, after) {
		t.Errorf("the sums are written again: %v", err)
	}

	for i, more := range [][]string{nil, {"--split2", "test", "--examples2", "7"}} {
		if _, err := kernel(t.Context(), append([]string{"compute", "--data", name, "--network", smallNetwork,
			"--examples", "20", "--out", filepath.Join(stores, string(rune('a'+i)))}, more...)...); err != nil {
			t.Fatal(err)
		}
	}
	fromStore := append(args[:len(args)-4:len(args)-4], "--seed", "5", "--store", filepath.Join(stores, "a"),
		"--store2", filepath.Join(stores, "b"))
	again, err := trainKernel(t, fromStore...)
	if err != nil || len(again.Points) != len(first.Points) {
		t.Fatalf("from stores: %+v, error %v, want %+v", again.Points, err, first.Points)
	}
	for i, want := range first.Points {
		got := again.Points[i]
		if math.Abs(got.Loss-want.Loss) > 1e-7*math.Abs(want.Loss) || got.Train != want.Train || got.Test != want.Test {
			t.Errorf("from stores: %+v, want %+v", got, want)
		}
	}

	for want, change := range map[string][]string{
		"holds the sums of another kernel: network": {"--network", "flatten dense:3 dense:3"},
		"normalize is unit there and none here":     {"--normalize", "none"},
		"holds another kernel: inputs":              {"--store", filepath.Join(stores, "a"), "--examples", "21"},
		"holds another kernel, between":             {"--store", filepath.Join(stores, "b")},
		"one for each of the 3 classes":             {"--network", "flatten dense:5", "--sums", ""},
		"--gamma -1":                                {"--gamma", "-1"},
		"--times -1":                                {"--times", "0,-1"},
		"--memory 3x":                               {"--memory", "3x"},
		"training images: want more of them":        {"--examples", "2", "--sums", ""},
		"training images, 100000000 are asked for":  {"--examples", "100000000"},
	} {
		if _, err := trainKernel(t, append(args[:len(args):len(args)], change...)...); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestKernelTrainGoesOn checks that an interrupted command says that it can be resumed.
func TestKernelTrainGoesOn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sums := filepath.Join(t.TempDir(), "sums")
	args := []string{"train", "--backend", "go", "--data", smallData(t), "--network", smallNetwork, "--sums", sums}
	if _, err := kernel(ctx, args...); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "goes on "+
		"from there") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(sums, "train.sums")); err != nil {
		t.Error(err)
	}
	if _, err := kernel(t.Context(), args...); err != nil {
		t.Error(err)
	}
}
