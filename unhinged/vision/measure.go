package vision

import (
	"errors"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/metrics"
	"github.com/unhinged-lab/lab/unhinged/result"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Record has the numbers that are measured during a run. The train loss is the mean over the steps since the previous
// record, and includes the feature regularisation. Everything else is measured in evaluation mode after the step.
// Numbers about training images are measured on Training.Probe of them, without augmentation.
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
	// Collapse and Decision are nil in records of versions that did not measure them.
	Collapse *Collapse `json:"collapse,omitempty"`
	Decision *Decision `json:"decision,omitempty"`
}

// Decision has the shares of test images that are classified correctly, for each class and by two rules: the largest
// logit, and the largest logit after the features were centred by the mean of the training images' class means
// (Appendix D.2; unhinged.CenteredLogits). A class without test images has NaN, and null in JSON.
type Decision struct {
	ByClass        []result.Number `json:"accuracy_by_class"`
	Centred        float64         `json:"centred_accuracy"`
	CentredByClass []result.Number `json:"centred_accuracy_by_class"`
}

// Collapse has the measures of package metrics for the features, as the prototypes see them, and for the prototypes.
// Every class has the same weight, whatever its number of images, except in accuracies and agreements, where every
// image has the same weight, and in the distances of features, which are sums over images. A measure that is not
// defined is NaN, and null in JSON.
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

// probe measures the network. It returns metrics.ErrNotFinite if a number is not finite.
func (r *run) probe(record *Record) error {
	images := r.data.Train.Sample(r.Probe, len(r.data.Classes))
	train, err := r.evaluate(images)
	if err != nil {
		return err
	}
	test, err := r.evaluate(r.data.Test)
	if err != nil {
		return err
	}
	geometry := metrics.Prototypes(train.prototypes)
	record.PrototypeMax, record.PrototypeMin = geometry.LargestNorm, geometry.SmallestNorm
	record.PrototypeAngle = result.Number(geometry.SmallestAngle)
	for _, v := range train.features[:min(r.Batch*train.p, len(train.features))] {
		record.FeatureNorm2 += float64(v) * float64(v)
	}
	if !isFinite(record.FeatureNorm2) || !isFinite(record.PrototypeMax) || !isFinite(record.PrototypeMin) {
		return metrics.ErrNotFinite
	}
	moments, err := metrics.New(metrics.Config{
		Classes: len(r.data.Classes), Dimension: train.p, Within: metrics.ClassBalanced, Between: metrics.ClassBalanced,
		Sizes: images.ClassCounts(len(r.data.Classes)), Normalize: r.Method.Head.NormalizeFeatures,
	})
	if err != nil {
		return err
	}
	if err := metrics.Add(moments, train.features, images.Labels); err != nil {
		return err
	}
	within, err := moments.NC1()
	if err != nil {
		return err
	}
	record.WithinClass = result.Number(within.Trace)
	if record.Collapse, err = r.collapse(moments, within, geometry, train.prototypes); err != nil {
		return err
	}
	predictions := test.decisions(nil)
	record.Collapse.TrainAccuracy, _ = accuracy(train.decisions(nil), images.Labels, 0)
	if record.Collapse.TrainAgreement, err = agreement(moments, train, images.Labels,
		train.decisions(nil)); err != nil {
		return err
	}
	if record.Collapse.TestAgreement, err = agreement(moments, test, r.data.Test.Labels, predictions); err != nil {
		return err
	}
	record.Decision = &Decision{}
	classes := len(r.data.Classes)
	record.ValidationAccuracy, record.Decision.ByClass = accuracy(predictions, r.data.Test.Labels, classes)
	record.Decision.Centred, record.Decision.CentredByClass = accuracy(test.decisions(r.logitsOfMean(moments,
		train.prototypes)), r.data.Test.Labels, classes)
	return nil
}

// collapse measures the features of training images and the prototypes, without accuracies and agreements.
func (r *run) collapse(moments *metrics.Moments, within metrics.NC1, geometry metrics.PrototypeGeometry,
	prototypes *mat.Dense) (*Collapse, error) {
	duality, err := moments.NC3(prototypes)
	if err != nil {
		return nil, err
	}
	norms := moments.FeatureNorms()
	c := &Collapse{
		Quotient: result.Number(within.Quotient), CDNV: result.Number(within.CDNV),
		Means: newNC2(moments.NC2()), Prototypes: newNC2(metrics.PrototypeNC2(prototypes)),
		Duality: result.Number(duality.Distance), DualityGram: result.Number(duality.GramDistance),
		DualityCosine: result.Number(duality.MeanCosine),
		DistanceWM:    result.Number(math.NaN()), DistancePrototypes: result.Number(math.NaN()),
		MeanAngle: result.Number(geometry.MeanAngle), LargestAngle: result.Number(geometry.LargestAngle),
		FeatureNormMean: norms.Mean, FeatureNormSD: norms.Std,
	}
	if r.Method.Head.NormalizeFeatures {
		distance, err := moments.DistanceToPrototypes(prototypes)
		if err != nil {
			return nil, err
		}
		images := 0
		for _, n := range moments.Counts() {
			images += n
		}
		c.DistancePrototypes = result.Number(distance / math.Sqrt(float64(images)))
		return c, nil
	}
	distance, err := moments.DistanceToWM(prototypes, 1/float64(len(r.data.Classes)-1))
	c.DistanceWM = result.Number(distance)
	return c, err
}

// logitsOfMean returns the logits of the mean of the class means, [C]. Subtracting them from the logits has the effect
// of centring the features.
func (r *run) logitsOfMean(moments *metrics.Moments, prototypes *mat.Dense) []float64 {
	head, means := r.Method.Head, moments.Means()
	classes, p := means.Dims()
	mean, out := make([]float64, p), make([]float64, classes)
	for c := range classes {
		floats.AddScaled(mean, 1/float64(classes), means.RawRowView(c))
	}
	for c := range out {
		w := prototypes.RawRowView(c)
		out[c] = floats.Dot(w, mean)
		if head.NormalizePrototypes {
			out[c] /= floats.Norm(w, 2)
		}
		if head.LogitScale != 0 {
			out[c] *= head.LogitScale
		}
		if r.Mirror { // then the logits are the sum of two images'
			out[c] *= 2
		}
	}
	return out
}

// agreement returns the share of images for which the nearest class mean is that of the class that the network chooses.
func agreement(moments *metrics.Moments, of evaluated, labels []uint8, predictions []int32) (result.Number, error) {
	nearest, err := moments.NearestCentre()
	if err != nil {
		return 0, err
	}
	err = metrics.AddDecisions(nearest, of.features, labels, predictions)
	return result.Number(nearest.Agreement(metrics.SampleWeighted)), err
}

// accuracy returns the share of correct predictions, from 0 to 1, over all images and for each class.
func accuracy(predictions []int32, labels []uint8, classes int) (all float64, byClass []result.Number) {
	right, counts, correct := make([]float64, classes), make([]float64, classes), 0
	for i, class := range predictions {
		hit := class == int32(labels[i])
		if hit {
			correct++
		}
		if label := int(labels[i]); label < classes {
			counts[label]++
			if hit {
				right[label]++
			}
		}
	}
	floats.Div(right, counts)
	for _, share := range right {
		byClass = append(byClass, result.Number(share))
	}
	return float64(correct) / float64(len(predictions)), byClass
}

// evaluated has the network's outputs for images.
type evaluated struct {
	logits     []float32 // [n, classes]
	features   []float32 // [n, p], before any normalisation
	classes, p int
	prototypes *mat.Dense // [classes, p]
}

// decisions returns the classes of the largest logits. If without is not nil, it is subtracted from the logits of each
// image first.
func (e evaluated) decisions(without []float64) []int32 {
	out := make([]int32, len(e.logits)/e.classes)
	row := make([]float64, e.classes)
	for i := range out {
		for c := range row {
			row[c] = float64(e.logits[i*e.classes+c])
		}
		if without != nil {
			floats.Sub(row, without)
		}
		out[i] = int32(floats.MaxIdx(row))
	}
	return out
}

// evaluate runs the model over images in parts of one size, so that the model is compiled only once.
func (r *run) evaluate(images datasets.Images) (e evaluated, err error) {
	n := images.Len()
	indices := make([]int, r.Batch/r.MicroBatches) // as many images as a step has in memory with gradients
	for from := 0; from < n; from += len(indices) {
		for i := range indices {
			indices[i] = min(from+i, n-1) // the last part is filled up with the last image
		}
		out, err := r.call(r.evaluation, r.tensor(r.batches.Normalisation.Apply(images, indices)))
		if err != nil {
			return e, err
		}
		size := min(len(indices), n-from)
		e.classes, e.p = out[0].Shape().Dimensions[1], out[1].Shape().Dimensions[1]
		e.logits = append(e.logits, tensors.MustCopyFlatData[float32](out[0])[:size*e.classes]...)
		e.features = append(e.features, tensors.MustCopyFlatData[float32](out[1])[:size*e.p]...)
		e.prototypes = matrix(out[2])
	}
	return e, nil
}

func matrix(t *tensors.Tensor) *mat.Dense {
	return dense(tensors.MustCopyFlatData[float32](t), t.Shape().Dimensions[1])
}

// dense returns the rows of float32 numbers as a matrix.
func dense(flat []float32, columns int) *mat.Dense {
	wide := make([]float64, len(flat))
	for i, v := range flat {
		wide[i] = float64(v)
	}
	return mat.NewDense(len(flat)/columns, columns, wide)
}
