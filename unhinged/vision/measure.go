package vision

import (
	"errors"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/metrics"
	"github.com/unhinged-lab/lab/unhinged/result"
	"gonum.org/v1/gonum/mat"
)

// Record is what is measured during a run. Train loss is the mean over the steps since the record before and has the
// feature regularisation in it; the rest is measured in evaluation mode after the step, what is of training images on
// Training.Probe of them, without augmentation.
type Record struct {
	Epoch              float64 `json:"epoch"` // done so far
	Step               int64   `json:"step"`
	LearningRate       float64 `json:"learning_rate"` // of the next step
	TrainLoss          float64 `json:"train_loss"`
	ValidationAccuracy float64 `json:"validation_accuracy"` // on the test images, from 0 to 1
	// ‖H‖²_F of the first batch of training images (of Probe's, if they are fewer), before any normalisation
	FeatureNorm2 float64 `json:"feature_norm2"`
	// WithinClass is NC1, tr(Σ_W Σ_B†)/C, of the training images' features as the prototypes see them (normalised, if
	// the head does that), every class counting alike in both: 0 when they have collapsed to their means, null when the
	// means coincide.
	WithinClass    result.Number `json:"within_class"`
	PrototypeMax   float64       `json:"prototype_norm_max"`
	PrototypeMin   float64       `json:"prototype_norm_min"`
	PrototypeAngle result.Number `json:"prototype_angle"` // the smallest between two prototypes, in degrees
	// Collapse is nil in records of versions that did not measure it.
	Collapse *Collapse `json:"collapse,omitempty"`
}

// Collapse is what package metrics says of the features, as the prototypes see them, and of the prototypes. Classes
// count alike, whatever their numbers of images, in all but accuracies and agreements, where images do, and in the
// distances of features, which are sums over images. What is not defined is NaN, and null in JSON.
type Collapse struct {
	TrainAccuracy float64 `json:"train_accuracy"` // of the training images measured, from 0 to 1

	Quotient result.Number `json:"nc1_quotient"` // tr Σ_W / tr Σ_B
	CDNV     result.Number `json:"nc1_cdnv"`

	Means      NC2 `json:"nc2_means"`      // of the centred class means
	Prototypes NC2 `json:"nc2_prototypes"` // of the prototypes, not centred

	Duality       result.Number `json:"nc3_distance"` // ‖W/‖W‖ − M/‖M‖‖_F, M the centred class means
	DualityGram   result.Number `json:"nc3_gram_distance"`
	DualityCosine result.Number `json:"nc3_mean_cosine"`

	// share of images that the nearest class mean decides as the network does
	TrainAgreement result.Number `json:"nc4_train"`
	TestAgreement  result.Number `json:"nc4_test"`

	// ‖Ĥ − V̂‖_F, V = WM: the error of Theorem 6; null where features are normalised
	DistanceWM result.Number `json:"distance_wm"`
	// √(Σ‖ĥ − ŵ_y‖²/n): the error (20) of Theorem 7, an image; null where they are not
	DistancePrototypes result.Number `json:"distance_prototypes"`

	MeanAngle    result.Number `json:"prototype_angle_mean"` // between two prototypes, in degrees
	LargestAngle result.Number `json:"prototype_angle_max"`

	FeatureNormMean float64 `json:"feature_norm_mean"` // of ‖h‖, before any normalisation
	FeatureNormSD   float64 `json:"feature_norm_sd"`
}

// NC2 is metrics.NC2: all are 0 for a simplex ETF.
type NC2 struct {
	NormSpread    result.Number `json:"norm_spread"`
	AngleSpread   result.Number `json:"angle_spread"`
	AngleDistance result.Number `json:"angle_distance"`
	ETFDistance   result.Number `json:"etf_distance"`
}

func newNC2(m metrics.NC2) NC2 {
	return NC2{result.Number(m.NormSpread), result.Number(m.AngleSpread), result.Number(m.AngleDistance),
		result.Number(m.ETFDistance)}
}

// measure appends a record and writes the log.
func (r *run) measure() (*Record, error) {
	record := Record{
		Epoch:        float64(r.step) / float64(r.stepsPerEpoch),
		Step:         r.step,
		LearningRate: r.sgd().Rate(r.step),
		TrainLoss:    r.lossSum / float64(r.lossN),
	}
	r.lossSum, r.lossN = 0, 0
	err := r.probe(&record)
	if errors.Is(err, metrics.ErrNotFinite) {
		return nil, r.diverge() // in the update of a step whose loss was still finite
	}
	if err != nil {
		return nil, err
	}
	r.records = append(r.records, record)
	return &record, r.writeLog()
}

// probe fills in what is measured of the network. What is not finite in it gives metrics.ErrNotFinite.
func (r *run) probe(record *Record) error {
	images := r.data.Train.Sample(r.Probe, len(r.data.Classes))
	var features []float32
	var predictions []int32
	var prototypes *mat.Dense
	if err := r.evaluate(images, func(at int, p []int32, h []float32, w *mat.Dense) error {
		predictions, features, prototypes = append(predictions, p...), append(features, h...), w
		return nil
	}); err != nil {
		return err
	}
	p := len(features) / len(predictions)
	geometry := metrics.Prototypes(prototypes)
	record.PrototypeMax, record.PrototypeMin = geometry.LargestNorm, geometry.SmallestNorm
	record.PrototypeAngle = result.Number(geometry.SmallestAngle)
	for _, v := range features[:min(r.Batch*p, len(features))] {
		record.FeatureNorm2 += float64(v) * float64(v)
	}
	if !isFinite(record.FeatureNorm2) || !isFinite(record.PrototypeMax) || !isFinite(record.PrototypeMin) {
		return metrics.ErrNotFinite
	}
	moments, err := metrics.New(metrics.Config{
		Classes: len(r.data.Classes), Dimension: p, Within: metrics.ClassBalanced, Between: metrics.ClassBalanced,
		Sizes: images.ClassCounts(len(r.data.Classes)), Normalize: r.Method.Head.NormalizeFeatures,
	})
	if err != nil {
		return err
	}
	if err := metrics.Add(moments, features, images.Labels); err != nil {
		return err
	}
	within, err := moments.NC1()
	if err != nil {
		return err
	}
	duality, err := moments.NC3(prototypes)
	if err != nil {
		return err
	}
	norms := moments.FeatureNorms()
	record.WithinClass = result.Number(within.Trace)
	c := &Collapse{
		Quotient: result.Number(within.Quotient), CDNV: result.Number(within.CDNV),
		Means: newNC2(moments.NC2()), Prototypes: newNC2(metrics.PrototypeNC2(prototypes)),
		Duality: result.Number(duality.Distance), DualityGram: result.Number(duality.GramDistance),
		DualityCosine: result.Number(duality.MeanCosine),
		DistanceWM:    result.Number(math.NaN()), DistancePrototypes: result.Number(math.NaN()),
		MeanAngle: result.Number(geometry.MeanAngle), LargestAngle: result.Number(geometry.LargestAngle),
		FeatureNormMean: norms.Mean, FeatureNormSD: norms.Std,
	}
	record.Collapse = c
	if r.Method.Head.NormalizeFeatures {
		distance, err := moments.DistanceToPrototypes(prototypes)
		if err != nil {
			return err
		}
		c.DistancePrototypes = result.Number(distance / math.Sqrt(float64(images.Len())))
	} else {
		distance, err := moments.DistanceToWM(prototypes, 1/float64(len(r.data.Classes)-1))
		if err != nil {
			return err
		}
		c.DistanceWM = result.Number(distance)
	}
	c.TrainAccuracy = accuracy(predictions, images.Labels)

	onTrain, err := moments.NearestCentre()
	if err != nil {
		return err
	}
	if err := metrics.AddDecisions(onTrain, features, images.Labels, predictions); err != nil {
		return err
	}
	c.TrainAgreement = result.Number(onTrain.Agreement(metrics.SampleWeighted))
	onTest, err := moments.NearestCentre()
	if err != nil {
		return err
	}
	predictions = predictions[:0]
	test := r.data.Test
	if err := r.evaluate(test, func(at int, p []int32, h []float32, _ *mat.Dense) error {
		predictions = append(predictions, p...)
		return metrics.AddDecisions(onTest, h, test.Labels[at:at+len(p)], p)
	}); err != nil {
		return err
	}
	c.TestAgreement = result.Number(onTest.Agreement(metrics.SampleWeighted))
	record.ValidationAccuracy = accuracy(predictions, test.Labels)
	return nil
}

func accuracy(predictions []int32, labels []uint8) float64 {
	correct := 0
	for i, class := range predictions {
		if class == int32(labels[i]) {
			correct++
		}
	}
	return float64(correct) / float64(len(predictions))
}

// evaluate runs the model over images in parts of one size, so that one compilation serves, and tells each what it is
// from image at on: predicted classes [n], features [n, p] and prototypes [C, p].
func (r *run) evaluate(images datasets.Images, each func(at int, predictions []int32, features []float32,
	prototypes *mat.Dense) error) error {
	n := images.Len()
	indices := make([]int, r.Batch/r.MicroBatches) // as many as a step has in memory with all their gradients
	for from := 0; from < n; from += len(indices) {
		for i := range indices {
			indices[i] = min(from+i, n-1) // the last part is filled up with the last image
		}
		out, err := r.call(r.look, r.tensor(r.batches.Normalisation.Apply(images, indices)))
		if err != nil {
			return err
		}
		size, p := min(len(indices), n-from), out[1].Shape().Dimensions[1]
		if err := each(from, tensors.MustCopyFlatData[int32](out[0])[:size],
			tensors.MustCopyFlatData[float32](out[1])[:size*p], matrix(out[2])); err != nil {
			return err
		}
	}
	return nil
}

func matrix(t *tensors.Tensor) *mat.Dense {
	flat := tensors.MustCopyFlatData[float32](t)
	wide := make([]float64, len(flat))
	for i, v := range flat {
		wide[i] = float64(v)
	}
	return mat.NewDense(t.Shape().Dimensions[0], t.Shape().Dimensions[1], wide)
}
