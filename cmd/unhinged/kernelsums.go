package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"gonum.org/v1/gonum/mat"

	"github.com/unhinged-lab/lab/internal/numbers"
	"github.com/unhinged-lab/lab/internal/parallel"
	"github.com/unhinged-lab/lab/ntk"
	"github.com/unhinged-lab/lab/ntk/tiles"
	"github.com/unhinged-lab/lab/unhinged/backends"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/dynamics"
)

// kernelSummer sums the kernels of a network of infinite width over the classes of the training images.
type kernelSummer struct {
	kernelTrainOptions
	network  ntk.Network
	backend  compute.Backend
	images   [2]datasets.Images // training and test images
	classes  int
	budget   int64 // memory of a tile
	side     int   // images along the sides of the last kernel's tiles
	terminal io.Writer
}

// open opens the images and the backend.
func (o kernelTrainOptions) open(terminal io.Writer) (*kernelSummer, error) {
	s := &kernelSummer{kernelTrainOptions: o, terminal: terminal}
	var err error
	if s.budget, err = parseBytes(o.memory); err != nil {
		return nil, fmt.Errorf("--memory %s: %w", o.memory, err)
	}
	if s.network, err = ntk.Parse(o.network); err != nil {
		return nil, fmt.Errorf("--network: %w", err)
	}
	data, err := openDataset(o.data)
	if err != nil {
		return nil, err
	}
	s.classes, s.images = len(data.Classes), [2]datasets.Images{data.Train, data.Test}
	for i, n := range o.examples {
		if n > s.images[i].Len() {
			return nil, fmt.Errorf("%s has %d %s images, %d are asked for", o.data, s.images[i].Len(),
				[]string{"training", "test"}[i], n)
		}
		if n > 0 {
			s.images[i] = s.images[i].Sample(n, s.classes)
		}
	}
	if o.sums != "" {
		if err := os.MkdirAll(o.sums, 0o755); err != nil {
			return nil, err
		}
	}
	var note string
	if s.backend, note, err = backends.Open(o.backend); err != nil {
		return nil, err
	}
	if note != "" {
		fmt.Fprintln(terminal, note)
	}
	return s, nil
}

// sum returns the sums of the kernel between the training images (part 0), or from them to the test images (part 1).
func (s *kernelSummer) sum(ctx context.Context, part int) (dynamics.ClassSums, error) {
	checkpoint := ""
	if s.sums != "" {
		checkpoint = filepath.Join(s.sums, partNames[part]+".sums")
	}
	if s.stores[part] != "" {
		return s.sumStore(ctx, part, checkpoint)
	}
	// Garbage is collected before the memory exceeds a tile's and that of the images.
	limit := s.budget + int64(len(s.images[0].Pixels)+len(s.images[1].Pixels))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(limit))
	var x [2]func(tiles.Range) *ntk.Images
	identity := map[string]string{"network": s.network.String(), "width": "infinite", "normalize": s.normalize,
		"products": "whole"}
	for i, name := range partNames[:part+1] {
		var err error
		if x[i], err = scaledImages(s.images[i], s.normalize); err != nil {
			return dynamics.ClassSums{}, fmt.Errorf("%s, %s: %w", s.data, name, err)
		}
		identity[name+" images"] = fmt.Sprintf("%x", sha256.Sum256(s.images[i].Pixels))
	}
	infinite := s.network.Infinite(s.backend)
	f := tiles.InfiniteOfImages(infinite, x[0], x[1], tiles.NTK)
	side, err := tiles.CheckpointSide(checkpoint)
	if err == nil && side == 0 {
		plan := tiles.Plan{Budget: s.budget}
		shape := shapes.Make(dtypes.Float32, imageShape(s.images[0])...)
		if plan.Pair, plan.Example, plan.Fixed, err = infinite.Memory(shape); err == nil {
			plan.Pair += 8 // the sum of the products' parts
			// The bytes, and at most their parts as float32 or bfloat16, here and on the backend.
			plan.Example += int64((4 + 1 + 2) * s.images[0].Size())
			side, err = tiles.StreamSide(f, plan, s.images[0].Len(), s.images[part].Len())
		}
	}
	if err != nil {
		return dynamics.ClassSums{}, err
	}
	return sumTiles(ctx, s, part, f, side, checkpoint, identity)
}

// partNames are those of the two parts of the images.
var partNames = []string{"train", "test"}

// storeIdentity returns the identity of the kernel of this part in a folder of `unhinged kernel compute`.
func storeIdentity[T float32 | float64](s *kernelSummer, part int) (map[string]string, error) {
	identity := map[string]string{"network": s.network.String(), "width": "infinite"}
	for i, name := range []string{"inputs", "inputs2"}[:part+1] {
		x, err := imageTensors[T](s.images[i], s.normalize)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", s.data, partNames[i], err)
		}
		identity[name] = tiles.SumOf[T](x, imageShape(s.images[i])...)
	}
	return identity, nil
}

// sumStore sums the tiles of a folder of `unhinged kernel compute`.
func (s *kernelSummer) sumStore(ctx context.Context, part int, checkpoint string) (sums dynamics.ClassSums, err error) {
	dir := s.stores[part]
	store, err := tiles.Open(dir)
	if err != nil {
		return sums, err
	}
	array, err := store.Array(tiles.NTK)
	if err != nil {
		return sums, err
	}
	identity := storeIdentity[float32]
	if array.DType == tiles.Float64 {
		identity = storeIdentity[float64]
	}
	want, err := identity(s, part)
	if err != nil {
		return sums, err
	}
	for name, value := range want {
		if there := store.Kernel.Identity[name]; there != value {
			return sums, fmt.Errorf("%s holds another kernel: %s is %s there and %s here; name the folder of "+
				"this network and these images", dir, name, there, value)
		}
	}
	if len(store.Kernel.Identity) != len(want) {
		return sums, fmt.Errorf("%s holds another kernel, between other images", dir)
	}
	return sumTiles(ctx, s, part, array.Tiles(), store.Side(), checkpoint, want)
}

// sumTiles sums the tiles and shows the progress.
func sumTiles[T float32 | float64](ctx context.Context, s *kernelSummer, part int, f tiles.Func[T], side int,
	checkpoint string, identity map[string]string) (dynamics.ClassSums, error) {
	s.side = side
	show, end := showTiles(s.terminal)
	defer end()
	stream := tiles.Stream[T]{Tile: f, Labels: s.images[0].IntLabels(), Classes: s.classes, Side: side,
		Checkpoint: checkpoint, Identity: identity, Progress: show}
	if part == 1 {
		stream.Cols = s.images[1].Len()
	}
	sums, err := stream.Sum(ctx)
	if errors.Is(err, context.Canceled) && checkpoint != "" {
		return sums, fmt.Errorf("%w; the same command goes on from there", err)
	}
	return sums, err
}

// imageShape returns [n, height, width, channels].
func imageShape(im datasets.Images) []int { return []int{im.Len(), im.Height, im.Width, im.Channels} }

// imageScales returns the factor of each image whose numbers are number(byte): the one that brings them to mean
// square 1 or, without normalisation, none.
func imageScales(im datasets.Images, normalize string, none float64, number func(v uint8) float64) ([]float64, error) {
	size := im.Size()
	scales := make([]float64, im.Len())
	var squared [256]float64
	for v := range squared {
		x := number(uint8(v))
		squared[v] = x * x
	}
	return scales, parallel.Try(im.Len(), func(i int) error {
		if scales[i] = none; normalize == "none" {
			return nil
		}
		squares := 0.0
		for _, v := range im.Pixels[i*size : (i+1)*size] {
			squares += squared[v]
		}
		if scales[i] = math.Sqrt(float64(size) / squares); math.IsInf(scales[i], 0) {
			return fmt.Errorf("image %d (from 0) is black and cannot be scaled to mean square 1: use "+
				"--normalize none", i)
		}
		return nil
	})
}

// imageTensors returns the function that makes ranges of the images into tensors, with the numbers of fromImages.
func imageTensors[T float32 | float64](im datasets.Images, normalize string) (func(tiles.Range) *tensors.Tensor,
	error) {
	size := im.Size()
	scales, err := imageScales(im, normalize, 1, func(v uint8) float64 { return float64(T(v) / 255) })
	return func(r tiles.Range) *tensors.Tensor {
		values := make([]T, r.Len()*size)
		parallel.For(r.Len(), func(i int) {
			var table [256]T
			for v := range table {
				table[v] = T(float64(T(v)/255) * scales[r.From+i])
			}
			for j, v := range im.Pixels[(r.From+i)*size : (r.From+i+1)*size] {
				values[i*size+j] = table[v]
			}
		})
		return tensors.FromFlatDataAndDimensions(values, append([]int{r.Len()}, imageShape(im)[1:]...)...)
	}, err
}

// scaledImages returns the function that takes ranges of the images, with the scales of [imageTensors].
func scaledImages(im datasets.Images, normalize string) (func(tiles.Range) *ntk.Images, error) {
	size := im.Size()
	scales, err := imageScales(im, normalize, 1./255, func(v uint8) float64 { return float64(v) })
	return func(r tiles.Range) *ntk.Images {
		bytes := im.Pixels[r.From*size : r.To*size]
		dims := append([]int{r.Len()}, imageShape(im)[1:]...)
		return &ntk.Images{Bytes: tensors.FromFlatDataAndDimensions(bytes, dims...), Scale: scales[r.From:r.To]}
	}, err
}

// firstLogits returns the logits of a network of the given widths in the NTK parameterisation, with parameters drawn
// from the seed, [n, classes].
func (s *kernelSummer) firstLogits(im datasets.Images, seed int64) (*mat.Dense, error) {
	x, err := imageTensors[float32](im, s.normalize)
	if err != nil {
		return nil, err
	}
	store := model.NewStore()
	store.RootScope().SetParam(initializer.ParamInitialSeed, seed)
	exec, err := model.NewExec(s.backend, store, func(scope *model.Scope, x *graph.Node) *graph.Node {
		return s.network.Model(scope, ntk.NTKParameterization, x)
	})
	if err != nil {
		return nil, err
	}
	defer exec.Finalize()
	logits := mat.NewDense(im.Len(), s.classes, nil)
	const batch = 500
	for from := 0; from < im.Len(); from += batch {
		to := min(from+batch, im.Len())
		images := x(tiles.Range{From: from, To: to})
		outputs, err := exec.Call1(images)
		images.MustFinalizeAll()
		if err != nil {
			return nil, err
		}
		if dims := outputs.Shape().Dimensions; len(dims) != 2 || dims[1] != s.classes {
			return nil, fmt.Errorf("--network has outputs %v: --seed needs one for each of the %d classes", dims[1:],
				s.classes)
		}
		logits.Slice(from, to, 0, s.classes).(*mat.Dense).Copy(numbers.Matrix(outputs))
		outputs.MustFinalizeAll()
	}
	return logits, nil
}
