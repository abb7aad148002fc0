// Package vision trains image classifiers with the paper's methods: the loop, its optimizer, its networks, and what is
// measured on the way.
package vision

import (
	"context"
	"errors"
	"fmt"
	"math"
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
	"github.com/unhinged-lab/lab/internal/files"
	"github.com/unhinged-lab/lab/internal/lease"
	"github.com/unhinged-lab/lab/unhinged"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Training is one run: what is trained, how, and from which seed. The paper's settings are 200 epochs in batches of
// 256, learning rate 0.1, momentum 0.9, weight decay 5e-4, random shifts and horizontal flips (Appendix C).
type Training struct {
	Method       Method
	Model        Model
	Epochs       int
	Batch        int // images a step; an epoch leaves out the images that do not fill its last batch
	Augmentation datasets.Augmentation
	LearningRate float64 // the highest of the schedule
	Schedule     Schedule
	Momentum     float64
	Nesterov     bool
	WeightDecay  float64 // of all trainable variables
	ShiftRate    float64 // SGD.ShiftRate
	Seed         uint64  // of the initial variables, of the order of the images and of their augmentation

	// MicroBatches is how many equal parts a batch is put through the network in, one after the other, for want of
	// memory; their gradients are added up before the step. 0 is 1. Batch normalisation sees each part for itself, and
	// takes up each part's mean and variance: with it, a step in parts is not quite the step in one. All else is the
	// same.
	MicroBatches int
	// Devices is how many of the backend's devices share each part of a batch; 0 is 1. Their number is in the results
	// by rounding only: the statistics of batch normalisation are of all devices' images.
	Devices int
	// Precision is the type that the network computes in: "float32", as "" is, or "bfloat16", for devices that are
	// faster with it. With either, variables and their steps, batch normalisation, features and the head are float32.
	Precision string
	// Probe is the number of training images whose features are measured, as Images.Sample takes them; 0 means those of
	// 10 batches. A record puts them and the test images through the network once, without gradients, and keeps 4p
	// bytes of each of the former.
	Probe int

	// Mirror says that evaluation adds the logits of an image and of its mirror image to decide on its class. Features
	// are those of the image alone.
	Mirror bool

	// Tuned says that LearningRate and WeightDecay were chosen for the method, so that the run is compared with those
	// of other methods at their own.
	Tuned bool
	// Tag is a part of the run's name that tells runs apart that differ in something else.
	Tag string

	// RecordsPerEpoch is how often everything is measured, 0 meaning once, at the end of an epoch.
	RecordsPerEpoch int
	// Folder keeps the checkpoint and the log of the run; it is made if need be. Empty keeps neither.
	Folder string
	// Provenance is what the caller knows of where a run comes from, Command and Commit; the rest is filled in.
	Provenance result.Provenance
	// Report, if set, is called after every step.
	Report func(Progress)
}

// Name is what the run is called among those of other methods, λ and seeds, and its folder among theirs: METHOD-seedS,
// and METHOD-efrλ-seedS if λ of EFR is not the method's own, such as ce-efr5e-06-seed1 and, for PAL with EFR,
// pal-efr1e-05-seed1. Tag, if there is one, stands before the seed.
func (t Training) Name() string {
	name := t.Method.variant()
	if t.Tag != "" {
		name += "-" + t.Tag
	}
	return fmt.Sprintf("%s-seed%d", name, t.Seed)
}

// The files in a run's folder.
const (
	CheckpointFile = "checkpoint.gob" // written after every epoch and when the run is cancelled
	LogFile        = "log.jsonl"      // the records, one a line
	OutcomeFile    = "outcome.json"   // settings, provenance, and why it stopped early if it did; written at the end
)

// Progress is what Report is told.
type Progress struct {
	StepSummary
	Epoch, Epochs   int // the epoch under way, from 1
	Step, Steps     int64
	ImagesPerSecond float64
	Left            time.Duration // at this speed
	Record          *Record       // what was measured after this step, nil if nothing was
}

// Run trains on data.Train, measures on data.Test, and returns all records. A run whose folder has a checkpoint goes on
// from there, and ends with the same bits as one that was never interrupted. When the context is cancelled the step
// under way is finished, a checkpoint is written and the context's error returned. A training whose numbers overflow
// stops with a *Diverged. The records so far are returned with every error. While another process trains in the folder
// it is ErrElsewhere, and so it is if another process takes the run over.
func (t Training) Run(ctx context.Context, backend compute.Backend, data *datasets.Dataset) ([]Record, error) {
	t, err := t.complete(data)
	if err != nil {
		return nil, err
	}
	if t.Folder == "" {
		return t.run(ctx, backend, data, nil)
	}
	if done, err := t.Finished(backend, data); err != nil || done != nil {
		return done.result(err)
	}
	if err := os.MkdirAll(t.Folder, 0o755); err != nil {
		return nil, err
	}
	claim, err := claimFolder(t.Folder)
	if err != nil {
		return nil, err
	}
	defer claim.Release()
	if done, err := t.Finished(backend, data); err != nil || done != nil { // by another process, before the claim
		return done.result(err)
	}
	files.RemoveTemporary(t.Folder)
	return t.run(ctx, backend, data, claim)
}

// run is Run, of a training that is complete and not finished. claim is that of its folder, nil if it has none.
func (t Training) run(ctx context.Context, backend compute.Backend, data *datasets.Dataset, claim *lease.Lease) (
	[]Record, error) {
	r, err := t.start(backend, data)
	if err != nil {
		return nil, err
	}
	r.claim = claim
	if r.diverged != nil || r.step == r.steps { // and the process that did it was killed before it could say so
		if err := r.writeOutcome(); err != nil || r.diverged == nil {
			return r.records, err
		}
		return r.records, r.diverged
	}
	for batch := range r.batches.From(int(r.step/r.stepsPerEpoch), int(r.step%r.stepsPerEpoch)) {
		if err := ctx.Err(); err != nil {
			if !r.compiled.IsZero() { // before its first step the store has none of the checkpoint's variables yet
				if err := r.save(); err != nil {
					return r.records, err
				}
			}
			return r.records, fmt.Errorf("stopped after step %d of %d: %w", r.step, r.steps, err)
		}
		record, err := r.advance(batch)
		if err != nil {
			return r.records, err
		}
		if r.step%r.stepsPerEpoch == 0 {
			if err := r.save(); err != nil {
				return r.records, err
			}
		}
		r.report(record)
		if r.step == r.steps {
			break
		}
	}
	return r.records, r.writeOutcome()
}

// run is a Training under way.
type run struct {
	Training
	claim         *lease.Lease // of the folder; nil without one
	data          *datasets.Dataset
	settings      Settings
	steps         int64
	stepsPerEpoch int64
	batches       datasets.Batches
	store         *model.Store
	accumulate    *model.Exec // all parts of a batch but the last: images, labels → loss, ‖H‖, largest ‖w‖
	descend       *model.Exec // the last part, and the step: the same
	devices       devices     // that share a batch, if they are several
	evaluation    *model.Exec // images → logits, features, prototypes

	step     int64 // done so far
	records  []Record
	lossSum  float64 // over the steps since the last record
	lossN    int64
	first    *StepSummary // of the first step
	last     StepSummary
	diverged *Diverged

	began   time.Time     // the run, in its first process
	earlier time.Duration // spent in processes before this one
	here    time.Time     // this process began

	compiled time.Time // the first step of this process is done
	from     int64     // the step then
}

// maxEpochs bounds the epochs of a run, so that its steps can be counted.
const maxEpochs = 1_000_000

// complete checks the settings and fills in what they leave open.
func (t Training) complete(data *datasets.Dataset) (Training, error) {
	n, im := data.Train.Len(), data.Train
	switch {
	case im.Height < t.Model.Smallest || im.Width < t.Model.Smallest:
		return t, fmt.Errorf("images of %d×%d are too small for the network %s, which needs at least %[4]d×%[4]d",
			im.Height, im.Width, t.Model.Name, t.Model.Smallest)
	case t.Epochs < 1 || t.Epochs > maxEpochs:
		return t, fmt.Errorf("%d epochs; there must be at least 1 and at most %d", t.Epochs, maxEpochs)
	case t.Batch < 2 || t.Batch > n:
		return t, fmt.Errorf("batches of %d images; they must have at least 2 and at most the %d of the training set",
			t.Batch, n)
	case t.LearningRate > math.MaxFloat32 || t.WeightDecay > math.MaxFloat32 || t.ShiftRate > math.MaxFloat32:
		return t, fmt.Errorf("learning rate %g, weight decay %g, rate of shifts %g; they must be finite in float32",
			t.LearningRate, t.WeightDecay, t.ShiftRate)
	case !(t.LearningRate > 0) || !(t.Momentum >= 0 && t.Momentum < 1) || !(t.WeightDecay >= 0):
		return t, fmt.Errorf("learning rate %g, momentum %g, weight decay %g; they must be > 0, in [0, 1) and ≥ 0",
			t.LearningRate, t.Momentum, t.WeightDecay)
	case t.MicroBatches < 0 || t.MicroBatches > 1 && (t.Batch%t.MicroBatches != 0 || t.Batch/t.MicroBatches < 2):
		return t, fmt.Errorf("batches of %d images in %d parts; the parts must be equal and have at least 2 images",
			t.Batch, t.MicroBatches)
	case t.Probe < 0 || t.Probe > n:
		return t, fmt.Errorf("measurements of %d training images; there are %d", t.Probe, n)
	}
	if err := errors.Join(checkPrecision(t.Precision), t.Schedule.check()); err != nil {
		return t, err
	}
	if t.Precision == "" {
		t.Precision = single
	}
	if t.Devices == 0 {
		t.Devices = 1
	}
	if t.MicroBatches == 0 {
		t.MicroBatches = 1
	}
	if t.Probe == 0 {
		t.Probe = min(10*t.Batch, n)
	}
	if t.RecordsPerEpoch == 0 {
		t.RecordsPerEpoch = 1
	}
	for _, v := range []float64{t.Method.Head.FeatureRegularization, t.Method.Head.Scale, t.Method.Head.LogitScale} {
		if !(math.Abs(v) <= math.MaxFloat32) {
			return t, fmt.Errorf("the head's numbers must be finite in float32, and one is %g: %+v", v, t.Method.Head)
		}
	}
	if err := t.checkMemory(data); err != nil {
		return t, err
	}
	if t.RecordsPerEpoch > n/t.Batch || t.RecordsPerEpoch < 0 {
		return t, fmt.Errorf("%d records an epoch; there are %d steps in it", t.RecordsPerEpoch, n/t.Batch)
	}
	return t, nil
}

// start builds the model of a complete training, and loads the checkpoint if there is one.
func (t Training) start(backend compute.Backend, data *datasets.Dataset) (_ *run, err error) {
	now := time.Now()
	r := &run{Training: t, data: data, stepsPerEpoch: int64(data.Train.Len() / t.Batch), began: now, here: now}
	r.steps = r.stepsPerEpoch * int64(t.Epochs)
	r.batches = datasets.Batches{Images: data.Train, Size: t.Batch, Seed: t.Seed, Augmentation: t.Augmentation,
		Normalisation: data.Train.Normalisation()}
	if err := r.batches.Check(); err != nil {
		return nil, err
	}
	r.settings = r.Training.settings(backend, data)

	r.store = model.NewStore()
	r.store.SetParam(initializer.ParamInitialSeed, int64(t.Seed))
	if t.Folder != "" {
		if err := r.load(); err != nil {
			return nil, err
		}
	}
	if t.Model.Prepare != nil {
		if err := t.Model.Prepare(r.store.RootScope().In("model"), r.inputs(prepared)); err != nil {
			return nil, err
		}
	}
	if r.accumulate, err = model.NewExec(backend, r.store, r.accumulateGraph); err != nil {
		return nil, err
	}
	if r.descend, err = model.NewExec(backend, r.store, r.descendGraph); err != nil {
		return nil, err
	}
	if r.evaluation, err = model.NewExec(backend, r.store, r.evaluationGraph); err != nil {
		return nil, err
	}
	return r, r.shareDevices(backend)
}

// descendGraph is a step of training, or the last part of one.
func (r *run) descendGraph(scope *model.Scope, images, labels *Node) []*Node {
	loss, summary := r.lossGraph(scope, images, labels)
	r.sgd().UpdateGraph(scope, loss.Graph(), loss)
	return summary
}

// accumulateGraph is a part of a step that is not the last.
func (r *run) accumulateGraph(scope *model.Scope, images, labels *Node) []*Node {
	loss, summary := r.lossGraph(scope, images, labels)
	r.sgd().AccumulateGraph(scope, loss.Graph(), loss)
	return summary
}

// lossGraph is what the micro-batch adds to the objective: its share of the batch's mean loss, and, as a sum, all that
// the head adds for it. The summary is {loss, ‖H‖, largest ‖w‖}.
func (r *run) lossGraph(scope *model.Scope, images, labels *Node) (loss *Node, summary []*Node) {
	scope.Store().SetTraining(images.Graph(), true)
	predictions := r.forward(scope, images)
	mean := r.head().Loss(r.criterion().Fn)(r.weighted(scope, labels), predictions)
	train.AddMainLoss(DivScalar(mean, float64(r.MicroBatches)))
	loss = train.TotalLoss(images.Graph()) // with the regularisation that the head has added
	features, prototypes := predictions[1], predictions[2]
	return loss, []*Node{loss, L2Norm(features), ReduceAllMax(L2Norm(prototypes, -1))}
}

func (r *run) sgd() SGD {
	sgd := r.settings.SGD()
	sgd.Accumulated = r.MicroBatches > 1
	return sgd
}

// evaluationGraph is the model in evaluation: logits (with Mirror the sum of those of an image and its mirror image),
// features and prototypes.
func (r *run) evaluationGraph(scope *model.Scope, images *Node) []*Node {
	scope.Store().SetTraining(images.Graph(), false)
	if !r.Mirror {
		return r.forward(scope, images)
	}
	both := r.forward(scope, Concatenate([]*Node{images, Reverse(images, 2)}, 0))
	n := images.Shape().Dimensions[0]
	return []*Node{Add(Slice(both[0], AxisRangeFromStart(n)), Slice(both[0], AxisRangeToEnd(n))),
		Slice(both[1], AxisRangeFromStart(n)), both[2]}
}

// forward maps images [batch, height, width, channels] to logits [batch, C], features [batch, p] and prototypes [C, p].
func (r *run) forward(scope *model.Scope, images *Node) []*Node {
	if r.Precision == half {
		images = ConvertDType(images, dtypes.BFloat16)
	}
	features := r.Model.Features(scope.In("model"), images, r.Method.LastReLU)
	return r.head().Predictions(scope.In("head"), features)
}

func (r *run) head() unhinged.Head {
	head := r.Method.Head
	head.Classes, head.Seed = len(r.data.Classes), r.Seed
	return head
}

// advance does one step, and measures if it is time to.
func (r *run) advance(batch datasets.Batch) (*Record, error) {
	now, err := r.descendOn(batch)
	if err != nil {
		return nil, err
	}
	r.step++
	if !now.finite() {
		return nil, r.diverge()
	}
	if r.first == nil {
		r.first = &now
	}
	r.last = now
	if now.blewUp(*r.first) {
		return nil, r.diverge()
	}
	r.lossSum += now.Loss
	r.lossN++
	step, records := int64(batch.Step), int64(r.RecordsPerEpoch)
	if (step+1)*records/r.stepsPerEpoch == step*records/r.stepsPerEpoch {
		return nil, nil
	}
	return r.measure()
}

// descendOn puts a batch through the network, part by part.
func (r *run) descendOn(batch datasets.Batch) (StepSummary, error) {
	var summary StepSummary
	part, size := r.Batch/r.MicroBatches, r.data.Train.Size()
	for k := range r.MicroBatches {
		exec := r.accumulate
		if k == r.MicroBatches-1 {
			exec = r.descend
		}
		from, to := k*part, (k+1)*part
		out, err := r.call(exec, r.tensor(batch.Pixels[from*size:to*size]),
			tensors.FromFlatDataAndDimensions(batch.Labels[from:to], part))
		if err != nil {
			return summary, err
		}
		summary.Loss += scalar(out[0])
		summary.FeatureNorm = math.Hypot(summary.FeatureNorm, scalar(out[1]))
		summary.LargestPrototype = scalar(out[2])
	}
	return summary, nil
}

// tensor is pixels as the network takes them, [n, height, width, channels].
func (r *run) tensor(pixels []float32) *tensors.Tensor {
	im := r.data.Train
	return tensors.FromFlatDataAndDimensions(pixels, len(pixels)/im.Size(), im.Height, im.Width, im.Channels)
}

// inputs are the first n training images, or all if there are fewer.
func (r *run) inputs(n int) Inputs {
	im := r.data.Train.First(n)
	indices := make([]int, im.Len())
	for i := range indices {
		indices[i] = i
	}
	return Inputs{im.Height, im.Width, im.Channels, r.batches.Normalisation.Apply(im, indices)}
}

// diverge ends the run for good, in its last step: its variables are worth nothing, and are not saved.
func (r *run) diverge() error {
	r.diverged = &Diverged{Epoch: int((r.step-1)/r.stepsPerEpoch) + 1, Step: r.step, Last: r.last}
	if r.first != nil {
		r.diverged.First = *r.first
	}
	r.store = nil
	if err := r.save(); err != nil {
		return err
	}
	if err := r.writeLog(); err != nil { // there is none yet if nothing was measured
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
	if err := r.claimed(); err != nil {
		return err
	}
	return saveCheckpoint(filepath.Join(r.Folder, CheckpointFile), header{
		Settings: r.settings, Step: r.step, Records: r.records, LossSum: r.lossSum, LossN: r.lossN, First: r.first,
		Last: r.last, Diverged: r.diverged,
		Began: r.began, Spent: r.earlier + time.Since(r.here),
	}, r.store)
}

func (r *run) load() error {
	path := filepath.Join(r.Folder, CheckpointFile)
	saved, err := loadCheckpoint(path)
	if err != nil {
		return err
	}
	if saved == nil {
		return nil
	}
	if saved.Settings != r.settings {
		return otherSettings(path, saved.Settings, r.settings)
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
	content, err := logContent(r.records)
	if err := errors.Join(err, r.claimed()); err != nil {
		return err
	}
	return writeFile(filepath.Join(r.Folder, LogFile), content)
}

func (r *run) report(record *Record) {
	if r.compiled.IsZero() {
		r.compiled, r.from = time.Now(), r.step
	}
	if r.Report == nil {
		return
	}
	progress := Progress{StepSummary: r.last, Epoch: int((r.step-1)/r.stepsPerEpoch) + 1, Epochs: r.Epochs,
		Step:  r.step,
		Steps: r.steps, Record: record}
	if done := r.step - r.from; done > 0 {
		perStep := time.Since(r.compiled) / time.Duration(done)
		progress.ImagesPerSecond = float64(r.Batch) / perStep.Seconds()
		progress.Left = perStep * time.Duration(r.steps-r.step)
	}
	r.Report(progress)
}

func scalar(t *tensors.Tensor) float64 { return float64(tensors.ToScalar[float32](t)) }
