package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/npy"
)

// inputs are the examples along one side of a kernel.
type inputs struct {
	n      int
	values *tensors.Tensor // [n, …]
	labels []int           // nil if they are not known
	what   string          // their source
}

// readBoth reads the examples of the rows and, if they are other ones, those of the columns. Each must fit into the
// budget.
func readBoth[T float32 | float64](o kernelOptions, budget int64) (x1, x2 *inputs, err error) {
	normalize := o.normalize
	switch {
	case normalize == "" && o.data != "":
		normalize = "unit"
	case normalize == "":
		normalize = "none"
	case normalize != "unit" && normalize != "none":
		return nil, nil, fmt.Errorf("--normalize %s: want unit or none", normalize)
	}
	switch {
	case (o.inputs[0] == "") == (o.data == ""):
		return nil, nil, errors.New("set either --inputs x.npy or --data NAME")
	case o.inputs[1] != "" && o.data != "":
		return nil, nil, errors.New("--inputs2 goes with --inputs; with --data, use --split2")
	case o.examples[0] < 0 || o.examples[1] < 0:
		return nil, nil, fmt.Errorf("--examples %d, --examples2 %d: must not be negative", o.examples[0], o.examples[1])
	case o.data == "" && o.split[0] != "train":
		return nil, nil, errors.New("--split goes with --data: a .npy file has only one part")
	case o.data == "" && o.split[1] != "":
		return nil, nil, errors.New("--split2 goes with --data; with --inputs, use --inputs2")
	case o.examples[1] > 0 && o.split[1] == "" && o.inputs[1] == "":
		return nil, nil, errors.New("--examples2 is for the columns: set --split2 or --inputs2, too")
	}
	if o.data == "" {
		if x1, err = readNPY[T](o.inputs[0], o.examples[0], normalize, budget); err != nil || o.inputs[1] == "" {
			return x1, nil, err
		}
		if x2, err = readNPY[T](o.inputs[1], o.examples[1], normalize, budget); err != nil {
			return nil, nil, err
		}
		if one, two := x1.values.Shape().Dimensions[1:], x2.values.Shape().Dimensions[1:]; !slices.Equal(one, two) {
			return nil, nil, fmt.Errorf("%s has examples of shape %v, %s of %v: want the same", o.inputs[0], one,
				o.inputs[1], two)
		}
		return x1, x2, nil
	}
	data, err := openDataset(o.data)
	if err != nil {
		return nil, nil, err
	}
	part := func(flag, split string, n int) (*inputs, error) {
		images := data.Train
		switch split {
		case "train":
		case "test":
			images = data.Test
		default:
			return nil, fmt.Errorf("--%s %s: want train or test", flag, split)
		}
		return fromImages[T](images, len(data.Classes), fmt.Sprintf("%s, %s", data.Name, split), n, normalize, budget)
	}
	if x1, err = part("split", o.split[0], o.examples[0]); err != nil || o.split[1] == "" {
		return x1, nil, err
	}
	x2, err = part("split2", o.split[1], o.examples[1])
	return x1, x2, err
}

// checkFit returns an error if count numbers of type T take more than the budget.
func checkFit[T float32 | float64](what string, count float64, budget int64) error {
	if bytes := count * float64(binary.Size(T(0))); bytes > float64(budget) {
		return fmt.Errorf("%s has %.4g numbers, which take %s of the %s that --memory allows: want fewer examples or "+
			"more memory",
			what, count, formatBytes(int64(min(bytes, math.MaxInt64/2))), formatBytes(budget))
	}
	return nil
}

func readNPY[T float32 | float64](path string, n int, normalize string, budget int64) (*inputs, error) {
	shape, err := npy.ReadShape(path)
	if err != nil {
		return nil, err
	}
	count := 1.0
	for _, size := range shape {
		count *= float64(size)
	}
	if err := checkFit[T](path, count, budget); err != nil {
		return nil, err
	}
	shape, values, err := npy.ReadArray[T](path)
	if err != nil {
		return nil, err
	}
	if len(shape) != 2 && len(shape) != 4 {
		return nil, fmt.Errorf("%s: shape %v: want [examples, features] or [examples, height, width, channels]", path,
			shape)
	}
	if n > shape[0] {
		return nil, fmt.Errorf("%s has %d examples, %d are asked for", path, shape[0], n)
	}
	if n > 0 {
		values = values[:n*len(values)/shape[0]]
		shape[0] = n
	}
	in, err := newInputs(shape, values, normalize, fmt.Sprintf("%s, %d examples, normalize %s", path, shape[0],
		normalize))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return in, nil
}

func fromImages[T float32 | float64](images datasets.Images, classes int, name string, n int, normalize string,
	budget int64) (*inputs, error) {
	if n > images.Len() {
		return nil, fmt.Errorf("%s has %d examples, %d are asked for", name, images.Len(), n)
	}
	if n > 0 {
		images = images.Sample(n, classes)
	}
	n = images.Len()
	if err := checkFit[T](name, float64(len(images.Pixels)), budget); err != nil {
		return nil, err
	}
	values := make([]T, len(images.Pixels))
	for i, v := range images.Pixels {
		values[i] = T(v) / 255
	}
	shape := []int{n, images.Height, images.Width, images.Channels}
	in, err := newInputs(shape, values, normalize, fmt.Sprintf("%s, %d examples, normalize %s", name, n, normalize))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	in.labels = images.IntLabels()
	return in, nil
}

// newInputs returns the values as inputs. With normalize "unit", each example is scaled to mean square 1. A number that
// is not finite is an error here, before any tile is computed.
func newInputs[T float32 | float64](shape []int, values []T, normalize, what string) (*inputs, error) {
	n := shape[0]
	size := len(values) / n
	for i := range n {
		x := values[i*size : (i+1)*size]
		for j, v := range x {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return nil, fmt.Errorf("example %d (from 0) has %g as its number %d: they must be finite", i, v, j)
			}
		}
		if normalize == "unit" {
			squares := 0.0
			for _, v := range x {
				squares += float64(v) * float64(v)
			}
			scale := math.Sqrt(float64(size) / squares)
			if !(scale > 0) || math.IsInf(scale, 0) {
				return nil,
					fmt.Errorf("example %d has squares of sum %g and cannot be scaled to mean square 1: leave it out "+
						"or use --normalize none", i, squares)
			}
			for j, v := range x {
				x[j] = T(float64(v) * scale)
			}
		}
	}
	return &inputs{n: n, values: tensors.FromFlatDataAndDimensions(values, shape...), what: what}, nil
}

// units of --memory.
var units = []struct {
	name  string
	bytes float64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6},
	{"kB", 1e3}, {"B", 1}, {"", 1}}

// parseBytes reads a number with a unit, such as 1.5GiB.
func parseBytes(text string) (int64, error) {
	for _, unit := range units {
		number, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err == nil && v*unit.bytes >= 1 && v*unit.bytes < math.MaxInt64 {
			return int64(v * unit.bytes), nil
		}
		break
	}
	return 0, errors.New("want a number of bytes with a unit, such as 500MB or 1GiB")
}

func formatBytes(n int64) string {
	for _, unit := range units[:4] {
		if v := float64(n) / unit.bytes; v >= 1 {
			return fmt.Sprintf("%.3g%s", v, unit.name)
		}
	}
	return fmt.Sprintf("%dB", n)
}

// parseShare reads k/n, the value of a flag.
func parseShare(flag, text string) (worker, workers int, err error) {
	k, n, _ := strings.Cut(text, "/")
	worker, err1 := strconv.Atoi(k)
	workers, err2 := strconv.Atoi(n)
	if err1 != nil || err2 != nil || worker < 1 || worker > workers {
		return 0, 0, fmt.Errorf("--%s %s: want k/n with 1 ≤ k ≤ n, such as 2/5", flag, text)
	}
	return worker, workers, nil
}
