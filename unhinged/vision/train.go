// Package vision trains image classifiers with the paper's methods: the loop, its optimizer, its networks, and what is
// measured on the way.
package vision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/unhinged-lab/lab/unhinged"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/metrics"
	"github.com/unhinged-lab/lab/unhinged/result"
	"gonum.org/v1/gonum/mat"
)

// Training is one run: what is trained, how, and from which seed. The paper's settings are 200 epochs in batches of 256,
// learning rate 0.1, momentum 0.9, weight decay 5e-4 (Appendix C).
type Training struct {
	Method       Method
	Model        Model
	Epochs       int
	Batch        int     // images a step; an epoch leaves out the images that do not fill its last batch
	LearningRate float64 // at the first step; it falls to zero over all steps as a cosine does
	Momentum     float64
	WeightDecay  float64 // of all trainable variables
	Seed         uint64  // of the initial variables and of the order of the images

	// RecordsPerEpoch is how often everything is measured, 0 meaning once, at the end of an epoch.
	RecordsPerEpoch int
	// Folder keeps the checkpoint and the log of the run; it is made if need be. Empty keeps neither.
	Folder string
	// Provenance is what the caller knows of where a run comes from, Command and Commit; the rest is filled in.
	Provenance result.Provenance
	// Report, if set, is called after every step.
	Report func(Progress)
}

// The files in a run's folder.
const (
	CheckpointFile = "checkpoint.gob" // written after every epoch and when the run is cancelled
	LogFile        = "log.jsonl"      // the records, one a line
	OutcomeFile    = "outcome.json"   // settings, provenance, and why it stopped early if it did; written at the end
)

// Record is what is measured during a run. Train loss is the mean over the steps since the record before and has the
// feature regularisation in it; the rest is measured in evaluation mode after the step.
type Record struct {
	Epoch              float64 `json:"epoch"` // done so far
	Step               int64   `json:"step"`
	LearningRate       float64 `json:"learning_rate"` // of the next step
	TrainLoss          float64 `json:"train_loss"`
	ValidationAccuracy float64 `json:"validation_accuracy"` // on the test images, from 0 to 1
	FeatureNorm2       float64 `json:"feature_norm2"`       // ‖H‖²_F of the first batch of training images, before any normalisation
	// WithinClass is NC1, tr(Σ_W Σ_B†)/C, of the first 10 batches' features as the prototypes see them (normalised, if the head does
	// that): 0 when they have collapsed to their means, null when the means coincide.
	WithinClass    result.Number `json:"within_class"`
	PrototypeMax   float64       `json:"prototype_norm_max"`
	PrototypeMin   float64       `json:"prototype_norm_min"`
	PrototypeAngle result.Number `json:"prototype_angle"` // the smallest between two prototypes, in degrees
}

// Progress is what Report is told.
type Progress struct {
	Glance
	Epoch, Epochs   int // the epoch under way, from 1
	Step, Steps     int64
	ImagesPerSecond float64
	Left            time.Duration // at this speed
	Record          *Record       // what was measured after this step, nil if nothing was
}

// Run trains on data.Train, measures on data.Test, and returns all records. A run whose folder has a checkpoint goes on
// from there, and ends with the same bits as one that was never interrupted. When the context is cancelled the step
// under way is finished, a checkpoint is written and the context's error returned. A training whose numbers overflow
// stops with a *Diverged. The records so far are returned with every error.
func (t Training) Run(ctx context.Context, backend compute.Backend, data *datasets.Dataset) ([]Record, error) {
	r, err := t.start(backend, data)
	if err != nil {
		return nil, err
	}
	for r.step < r.steps {
		if err := ctx.Err(); err != nil {
			if saved := r.save(); saved != nil {
				return r.records, saved
			}
			return r.records, fmt.Errorf("stopped after step %d of %d: %w", r.step, r.steps, err)
		}
		record, err := r.advance()
		if err != nil {
			return r.records, err
		}
		if r.step%r.stepsPerEpoch == 0 {
			if err := r.save(); err != nil {
				return r.records, err
			}
		}
		r.report(record)
	}
	return r.records, r.writeOutcome()
}

// run is a Training under way.
type run struct {
	Training
	data          *datasets.Dataset
	settings      Settings
	steps         int64
	stepsPerEpoch int64
	mean, std     float64 // of the training images' pixels
	store         *model.Store
	descend       *model.Exec // one step: images, labels → loss, ‖H‖², largest ‖w‖²
	look          *model.Exec // evaluation: images → predicted classes, features, prototypes

	step     int64 // done so far
	order    []int // of the training images in this epoch
	records  []Record
	lossSum  float64 // over the steps since the last record
	lossN    int64
	first    *Glance // of the first step
	last     Glance
	diverged *Diverged

	began   time.Time     // the run, in its first process
	earlier time.Duration // spent in processes before this one
	here    time.Time     // this process began

	compiled time.Time // the first step of this process is done
	from     int64     // the step then
}

// start checks the settings, builds the model, and loads the checkpoint if there is one.
func (t Training) start(backend compute.Backend, data *datasets.Dataset) (*run, error) {
	n := data.Train.Len()
	switch {
	case t.Epochs < 1:
		return nil, fmt.Errorf("%d epochs; there must be at least 1", t.Epochs)
	case t.Batch < 2 || t.Batch > n:
		return nil, fmt.Errorf("batches of %d images; they must have at least 2 and at most the %d of the training set", t.Batch, n)
	case !(t.LearningRate > 0) || !(t.Momentum >= 0 && t.Momentum < 1) || !(t.WeightDecay >= 0):
		return nil, fmt.Errorf("learning rate %g, momentum %g, weight decay %g; they must be > 0, in [0, 1) and ≥ 0", t.LearningRate, t.Momentum, t.WeightDecay)
	}
	now := time.Now()
	r := &run{Training: t, data: data, stepsPerEpoch: int64(n / t.Batch), began: now, here: now}
	r.steps = r.stepsPerEpoch * int64(t.Epochs)
	if r.RecordsPerEpoch == 0 {
		r.RecordsPerEpoch = 1
	}
	if int64(r.RecordsPerEpoch) > r.stepsPerEpoch || r.RecordsPerEpoch < 0 {
		return nil, fmt.Errorf("%d records an epoch; there are %d steps in it", r.RecordsPerEpoch, r.stepsPerEpoch)
	}
	r.mean, r.std = meanAndDeviation(data.Train.Pixels)
	r.settings = t.settings(backend, data)

	r.store = model.NewStore()
	r.store.SetParam(initializer.ParamInitialSeed, int64(t.Seed))
	if t.Folder != "" {
		if err := os.MkdirAll(t.Folder, 0o755); err != nil {
			return nil, err
		}
		if err := r.load(); err != nil {
			return nil, err
		}
	}
	var err error
	if r.descend, err = model.NewExec(backend, r.store, r.descendGraph); err != nil {
		return nil, err
	}
	r.look, err = model.NewExec(backend, r.store, r.lookGraph)
	return r, err
}

// descendGraph is a step of training.
func (r *run) descendGraph(scope *model.Scope, inputs []*Node) []*Node {
	images, labels := inputs[0], inputs[1]
	scope.Store().SetTraining(images.Graph(), true)
	predictions := r.forward(scope, images)
	train.AddMainLoss(r.head().Loss(r.Method.Criterion.Fn)([]*Node{labels}, predictions))
	loss := train.TotalLoss(images.Graph()) // with the regularisation that the head has added
	SGD{r.LearningRate, r.Momentum, r.WeightDecay, r.steps}.UpdateGraph(scope, images.Graph(), loss)
	features, prototypes := predictions[1], predictions[2]
	return []*Node{loss, L2Norm(features), ReduceAllMax(L2Norm(prototypes, -1))}
}

// lookGraph is the model in evaluation.
func (r *run) lookGraph(scope *model.Scope, images *Node) []*Node {
	scope.Store().SetTraining(images.Graph(), false)
	predictions := r.forward(scope, images)
	return []*Node{ArgMax(predictions[0], -1, dtypes.Int32), predictions[1], predictions[2]}
}

// forward maps pixels [batch, height·width] of bytes to logits [batch, C], features [batch, p] and prototypes [C, p].
func (r *run) forward(scope *model.Scope, pixels *Node) []*Node {
	images := DivScalar(SubScalar(ConvertDType(pixels, dtypes.Float32), r.mean), r.std)
	images = Reshape(images, -1, r.data.Train.Height, r.data.Train.Width, r.data.Train.Channels)
	features := r.Model.Features(scope.In("model"), images, r.Method.LastReLU)
	return r.head().Predictions(scope.In("head"), features)
}

func (r *run) head() unhinged.Head {
	head := r.Method.Head
	head.Classes, head.Seed = len(r.data.Classes), r.Seed
	return head
}

// advance does one step, and measures if it is time to.
func (r *run) advance() (*Record, error) {
	if r.diverged != nil {
		return nil, r.diverged
	}
	epoch, within := r.step/r.stepsPerEpoch, int(r.step%r.stepsPerEpoch)
	if r.order == nil || within == 0 {
		r.order = rand.New(rand.NewPCG(r.Seed, uint64(epoch))).Perm(r.data.Train.Len())
	}
	images, labels := gather(r.data.Train, r.order[within*r.Batch:(within+1)*r.Batch])
	out, err := r.descend.Call(images, labels)
	if err != nil {
		return nil, err
	}
	now := Glance{scalar(out[0]), scalar(out[1]), scalar(out[2])}
	if r.first == nil {
		r.first = &now
	}
	if now.finite() {
		r.last = now
	}
	if !now.finite() || now.blewUp(*r.first) {
		return nil, r.diverge()
	}
	r.step++
	r.lossSum += now.Loss
	r.lossN++
	if int64(within+1)*int64(r.RecordsPerEpoch)/r.stepsPerEpoch == int64(within)*int64(r.RecordsPerEpoch)/r.stepsPerEpoch {
		return nil, nil
	}
	return r.measure()
}

// measure appends a record and writes the log.
func (r *run) measure() (*Record, error) {
	record := Record{
		Epoch:        float64(r.step) / float64(r.stepsPerEpoch),
		Step:         r.step,
		LearningRate: SGD{LearningRate: r.LearningRate, Steps: r.steps}.Rate(r.step),
		TrainLoss:    r.lossSum / float64(r.lossN),
	}
	r.lossSum, r.lossN = 0, 0
	predicted, _, prototypes, err := r.evaluate(r.data.Test)
	if err != nil {
		return nil, err
	}
	correct := 0
	for i, class := range predicted {
		if class == int32(r.data.Test.Labels[i]) {
			correct++
		}
	}
	record.ValidationAccuracy = float64(correct) / float64(len(predicted))
	probe := r.data.Train.First(10 * r.Batch)
	_, features, _, err := r.evaluate(probe)
	if err != nil {
		return nil, err
	}
	_, p := features.Dims()
	for _, v := range features.RawMatrix().Data[:r.Batch*p] {
		record.FeatureNorm2 += v * v
	}
	geometry := metrics.Prototypes(prototypes)
	record.PrototypeMax, record.PrototypeMin = geometry.LargestNorm, geometry.SmallestNorm
	record.PrototypeAngle = result.Number(geometry.SmallestAngle)
	if !isFinite(record.FeatureNorm2) || !isFinite(record.PrototypeMax) || !isFinite(record.PrototypeMin) {
		return nil, r.diverge() // in the update of a step whose loss was still finite
	}
	moments, err := metrics.New(metrics.Config{
		Classes: len(r.data.Classes), Dimension: p, Between: metrics.ClassBalanced, Normalize: r.Method.Head.NormalizeFeatures,
	})
	if err != nil {
		return nil, err
	}
	if err := metrics.Add(moments, features.RawMatrix().Data, probe.Labels); errors.Is(err, metrics.ErrNotFinite) {
		return nil, r.diverge()
	} else if err != nil {
		return nil, err
	}
	collapse, err := moments.NC1()
	if err != nil {
		return nil, err
	}
	record.WithinClass = result.Number(collapse.Trace)
	r.records = append(r.records, record)
	return &record, r.writeLog()
}

// diverge ends the run for good: its variables are worth nothing, and are not saved.
func (r *run) diverge() error {
	r.diverged = &Diverged{Epoch: int(r.step/r.stepsPerEpoch) + 1, Step: r.step + 1, First: *r.first, Last: r.last}
	r.store = nil
	if err := r.save(); err != nil {
		return err
	}
	if err := r.writeOutcome(); err != nil {
		return err
	}
	return r.diverged
}

func (r *run) save() error {
	if r.Folder == "" {
		return nil
	}
	return saveCheckpoint(filepath.Join(r.Folder, CheckpointFile), header{
		Settings: r.settings, Step: r.step, Records: r.records, LossSum: r.lossSum, LossN: r.lossN, First: r.first, Last: r.last, Diverged: r.diverged,
		Began: r.began, Spent: r.earlier + time.Since(r.here),
	}, r.store)
}

func (r *run) load() error {
	path := filepath.Join(r.Folder, CheckpointFile)
	saved, err := loadCheckpoint(path)
	if saved == nil || err != nil {
		return err
	}
	if saved.Settings != r.settings {
		return fmt.Errorf("%s is of a run with other settings: %s. Choose another folder, or remove it to start again", path, difference(saved.Settings, r.settings))
	}
	r.step, r.records, r.diverged = saved.Step, saved.Records, saved.Diverged
	r.lossSum, r.lossN, r.first, r.last = saved.LossSum, saved.LossN, saved.First, saved.Last
	r.began, r.earlier = saved.Began, saved.Spent
	r.store.SetLoader(saved)
	return r.writeLog() // the log may be ahead of the checkpoint
}

func (r *run) writeLog() error {
	if r.Folder == "" {
		return nil
	}
	return writeAtomically(filepath.Join(r.Folder, LogFile), func(out io.Writer) error {
		encoder := json.NewEncoder(out)
		for _, record := range r.records {
			if err := encoder.Encode(record); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *run) report(record *Record) {
	if r.compiled.IsZero() {
		r.compiled, r.from = time.Now(), r.step
	}
	if r.Report == nil {
		return
	}
	progress := Progress{Glance: r.last, Epoch: int((r.step-1)/r.stepsPerEpoch) + 1, Epochs: r.Epochs, Step: r.step, Steps: r.steps, Record: record}
	if done := r.step - r.from; done > 0 {
		perStep := time.Since(r.compiled) / time.Duration(done)
		progress.ImagesPerSecond = float64(r.Batch) / perStep.Seconds()
		progress.Left = perStep * time.Duration(r.steps-r.step)
	}
	r.Report(progress)
}

// gather copies the images and labels of these indices: pixels [len, height·width·channels] and labels [len].
func gather(from datasets.Images, indices []int) (images, labels *tensors.Tensor) {
	size := from.Size()
	pixels, classes := make([]uint8, 0, len(indices)*size), make([]int32, 0, len(indices))
	for _, i := range indices {
		pixels = append(pixels, from.Pixels[i*size:(i+1)*size]...)
		classes = append(classes, int32(from.Labels[i]))
	}
	return tensors.FromFlatDataAndDimensions(pixels, len(indices), size), tensors.FromFlatDataAndDimensions(classes, len(indices))
}

// evaluate runs the model over images in chunks of one size, so that one compilation serves: classes [n], features [n, p]
// and prototypes [C, p].
func (r *run) evaluate(images datasets.Images) (classes []int32, features, prototypes *mat.Dense, err error) {
	const chunk = 1000
	n := images.Len()
	indices := make([]int, chunk)
	for from := 0; from < n; from += chunk {
		for i := range indices {
			indices[i] = min(from+i, n-1) // the last chunk is filled up with the last image
		}
		pixels, _ := gather(images, indices)
		out, err := r.look.Call(pixels)
		if err != nil {
			return nil, nil, nil, err
		}
		size := min(chunk, n-from)
		classes = append(classes, tensors.MustCopyFlatData[int32](out[0])[:size]...)
		part := matrix(out[1])
		_, p := part.Dims()
		if features == nil {
			features = mat.NewDense(n, p, nil)
			prototypes = matrix(out[2])
		}
		features.Slice(from, from+size, 0, p).(*mat.Dense).Copy(part)
	}
	return classes, features, prototypes, nil
}

func matrix(t *tensors.Tensor) *mat.Dense {
	flat := tensors.MustCopyFlatData[float32](t)
	wide := make([]float64, len(flat))
	for i, v := range flat {
		wide[i] = float64(v)
	}
	return mat.NewDense(t.Shape().Dimensions[0], t.Shape().Dimensions[1], wide)
}

func meanAndDeviation(pixels []uint8) (mean, deviation float64) {
	var counts [256]float64
	for _, v := range pixels {
		counts[v]++
	}
	n := float64(len(pixels))
	for v, count := range counts {
		mean += float64(v) * count / n
	}
	for v, count := range counts {
		deviation += math.Pow(float64(v)-mean, 2) * count / n
	}
	if deviation == 0 { // all pixels are equal: centring them is all that can be done
		return mean, 1
	}
	return mean, math.Sqrt(deviation)
}

func scalar(t *tensors.Tensor) float64 { return float64(tensors.ToScalar[float32](t)) }
