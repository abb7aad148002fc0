package vision

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/internal/regular"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/npy"
	"github.com/unhinged-lab/lab/unhinged/ood"
	"gonum.org/v1/gonum/mat"
)

// OutputsFile is a NumPy archive of the trained network's outputs for the test images and for images out of
// distribution. Calibration and out-of-distribution detection are measured from it. For each set of images it has
// SET.logits [n, C] and SET.scores [n, 5], the columns being FeatureScores, both in float16, or in float32 if a number
// is too large for that; and test.labels [n]. A run writes it at its end.
const OutputsFile = "outputs.npz"

// The sets of images in OutputsFile. All are normalised by the training images' mean and standard deviation. The names
// of other data sets are those of datasets.Names; of these data sets 2,000 test images are used, and of SVHN all, as in
// the paper.
const (
	TestSet       = "test"
	UnknownSet    = "unknown" // the test images of classes that were not trained, if Known leaves some out
	UniformSet    = "uniform-noise"
	GaussianSet   = "gaussian-noise"
	BlurredSet    = "blurred"        // test images
	PatchesSet    = "patch-shuffled" // test images
	unfamiliarOf  = 2000             // images of each of the last four, and of other data sets
	unfamiliarOwn = 1                // seed of the random numbers in them
)

// FeatureScores names the columns of the scores: the Euclidean norm of the feature, and scores of package ood that are
// fitted to the features of the training images that Training.Probe says: Mahalanobis, KNN with ood.Neighbours of
// the images, NECO with C directions, and ViM with C. They are of the features before any normalisation. A score that
// cannot be fitted is NaN.
func FeatureScores() []string { return []string{"norm", "mahalanobis", "knn", "neco", "vim"} }

// Outputs are the outputs of a finished run.
type Outputs struct {
	Labels []int // of the test images
	Sets   map[string]SetOutputs
}

// SetOutputs are the network's outputs for a set of images.
type SetOutputs struct {
	Logits *mat.Dense // [n, C]
	Scores *mat.Dense // [n, 5], as FeatureScores has them
}

// ReadOutputs reads the outputs of a finished run, and compares their checksum. It returns an error that wraps
// os.ErrNotExist if the run has none.
func (o Outcome) ReadOutputs() (*Outputs, error) {
	if o.Outputs == "" {
		return nil, fmt.Errorf("%s: an earlier version trained this run, and kept no outputs: %w", o.Folder,
			os.ErrNotExist)
	}
	path := filepath.Join(o.Folder, OutputsFile)
	content, err := regular.ReadFile(path, maxLog)
	if err != nil {
		return nil, err
	}
	if sumOf(content) != o.Outputs {
		return nil, fmt.Errorf("%s: the file is damaged or of another run: its checksum is not the one in %s", path,
			OutcomeFile)
	}
	out, err := unpackOutputs(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

func unpackOutputs(content []byte) (*Outputs, error) {
	archive, err := npy.UnpackArchive(content)
	if err != nil {
		return nil, err
	}
	out := &Outputs{Sets: map[string]SetOutputs{}}
	if out.Labels, err = archive.Integers(TestSet + ".labels"); err != nil {
		return nil, err
	}
	for _, name := range archive.Names() {
		set, isLogits := strings.CutSuffix(name, ".logits")
		if !isLogits {
			continue
		}
		var s SetOutputs
		if s.Logits, err = archive.Matrix(name); err != nil {
			return nil, err
		}
		if s.Scores, err = archive.Matrix(set + ".scores"); err != nil {
			return nil, err
		}
		out.Sets[set] = s
	}
	return out, nil
}

// writeOutputs writes the outputs file and returns its checksum.
func (r *run) writeOutputs() (sum string, err error) {
	train := r.data.Train.Sample(r.Probe, len(r.data.Classes))
	of, err := r.evaluate(train)
	if err != nil {
		return "", err
	}
	score, err := r.featureScores(of, train.IntLabels())
	if err != nil {
		return "", err
	}
	sets, err := r.unfamiliar()
	if err != nil {
		return "", err
	}
	sets[TestSet] = r.data.Test
	arrays := map[string]npy.Array{TestSet + ".labels": npy.Bytes(r.data.Test.Labels)}
	for name, images := range sets {
		of, err := r.evaluate(images)
		if err != nil {
			return "", err
		}
		logits := dense(of.logits, of.classes)
		arrays[name+".logits"] = compact(logits)
		arrays[name+".scores"] = compact(score(dense(of.features, of.p), logits))
	}
	if err := r.claimed(); err != nil {
		return "", err
	}
	content, err := npy.PackArchive(arrays)
	if err != nil {
		return "", err
	}
	return sumOf(content), writeFile(filepath.Join(r.Folder, OutputsFile), content)
}

// compact returns m in float16, or in float32 if a number is too large for that.
func compact(m *mat.Dense) npy.Array {
	a, err := npy.Half(m)
	if err != nil {
		return npy.Single(m)
	}
	return a
}

// unfamiliar returns the sets of images that are out of distribution: unknown classes, noise, changed test images, and
// the test images of all data sets on this machine whose images have the same size.
func (r *run) unfamiliar() (map[string]datasets.Images, error) {
	sets, test := map[string]datasets.Images{}, r.data.Test
	n := min(unfamiliarOf, test.Len())
	few := test.Sample(n, len(r.data.Classes))
	sets[UniformSet], sets[GaussianSet] = test.UniformNoise(n, unfamiliarOwn), test.GaussianNoise(n, unfamiliarOwn)
	sets[BlurredSet], sets[PatchesSet] = few.Blurred(), few.PatchShuffled(unfamiliarOwn)
	if r.data.Unknown.Len() > 0 {
		sets[UnknownSet] = r.data.Unknown
	}
	if !slices.Contains(datasets.Names(), r.data.Name) {
		return sets, nil
	}
	for _, name := range datasets.Names() {
		if name == r.data.Name {
			continue
		}
		other, err := datasets.Open(name)
		switch {
		case errors.Is(err, datasets.ErrMissing):
			continue
		case err != nil:
			return nil, fmt.Errorf("the outputs for images that are out of distribution: %w", err)
		}
		if im := other.Test; im.Height == test.Height && im.Width == test.Width && im.Channels == test.Channels {
			sets[name] = im.Sample(unfamiliarOf, len(other.Classes))
			if name == "svhn" {
				sets[name] = im
			}
		}
	}
	return sets, nil
}

// featureScores fits the scores to the outputs for training images.
func (r *run) featureScores(train evaluated, labels []int) (func(features, logits *mat.Dense) *mat.Dense, error) {
	features, classes := dense(train.features, train.p), len(r.data.Classes)
	origin, err := r.logitOrigin(train.prototypes)
	if err != nil {
		return nil, err
	}
	type fit func(features, logits *mat.Dense) []float64
	columns := make([]fit, len(FeatureScores()))
	columns[0] = func(features, _ *mat.Dense) []float64 { return ood.Norm(features) }
	ofFeatures := func(column int, score ood.Score, err error) {
		if err == nil {
			columns[column] = func(features, _ *mat.Dense) []float64 { return score(features) }
		}
	}
	mahalanobis, err := ood.Mahalanobis(features, labels, classes)
	ofFeatures(1, mahalanobis, err)
	knn, err := ood.KNN(features, ood.Neighbours(len(labels)))
	ofFeatures(2, knn, err)
	neco, err := ood.NECO(features, classes)
	ofFeatures(3, neco, err)
	if vim, err := ood.NewViM(features, dense(train.logits, train.classes), origin, classes); err == nil {
		columns[4] = vim.Score
	}
	return func(features, logits *mat.Dense) *mat.Dense {
		n, _ := features.Dims()
		out := mat.NewDense(n, len(columns), nil)
		for k, score := range columns {
			scores := slices.Repeat([]float64{math.NaN()}, n) // there are too few features or images to fit it
			if score != nil {
				scores = score(features, logits)
			}
			out.SetCol(k, scores)
		}
		return out
	}, nil
}

// logitOrigin returns the point at which the head's logits are 0; nil stands for 0.
func (r *run) logitOrigin(prototypes *mat.Dense) ([]float64, error) {
	biases := r.store.RootScope().In("head").GetVariable("biases")
	if biases == nil {
		return nil, nil
	}
	value, err := biases.Value()
	if err != nil {
		return nil, err
	}
	flat := tensors.MustCopyFlatData[float32](value)
	return ood.LogitOrigin(prototypes, dense(flat, len(flat)).RawRowView(0))
}
