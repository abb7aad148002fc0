package datasets

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"sync"
)

// Batches prepares the batches of a training ahead of its steps: the images in a new order every epoch, augmented and
// normalised. The content of a batch depends only on Images, Size, Seed, Augmentation and Normalisation. A training can
// therefore be resumed at any step of any epoch, with any number of processors, and gets the same bits.
type Batches struct {
	Images        Images
	Size          int // images in a batch; images that do not fill a last batch are left out of an epoch
	Seed          uint64
	Augmentation  Augmentation // none by default
	Normalisation Normalisation
	Workers       int // batches prepared at the same time; 0 for as many as there are processors
}

// Batch is the input of one step.
type Batch struct {
	Epoch, Step int       // both from 0; Step is within the epoch
	Indices     []int     // [Size], of the images
	Pixels      []float32 // [Size·Height·Width·Channels], channels last
	Labels      []int32   // [Size]
}

// Check returns an error that says what is wrong with the fields.
func (b Batches) Check() error {
	n := b.Images.Len()
	switch {
	case b.Size < 1 || b.Size > n:
		return fmt.Errorf("batches of %d images; they must have at least 1 and at most all %d", b.Size, n)
	case len(b.Images.Pixels) != n*b.Images.Size():
		return fmt.Errorf("%d pixel values for %d images of %d×%d×%d", len(b.Images.Pixels), n, b.Images.Height,
			b.Images.Width, b.Images.Channels)
	case len(b.Normalisation.Mean) != b.Images.Channels || len(b.Normalisation.Std) != b.Images.Channels:
		return fmt.Errorf("normalisation of %d means and %d standard deviations for %d channels",
			len(b.Normalisation.Mean), len(b.Normalisation.Std), b.Images.Channels)
	case b.Workers < 0:
		return fmt.Errorf("%d workers; there cannot be fewer than 0", b.Workers)
	}
	return b.Augmentation.check(b.Images.Height, b.Images.Width)
}

// StepsPerEpoch is the number of whole batches in an epoch.
func (b Batches) StepsPerEpoch() int { return b.Images.Len() / b.Size }

// order returns the order of the images in an epoch.
func (b Batches) order(epoch int) []int {
	return rand.New(rand.NewPCG(b.Seed, uint64(epoch))).Perm(b.Images.Len())
}

// From returns the batches from a step of an epoch on, without end. Later batches are prepared at the same time. The
// fields must pass Check. Each batch has memory of its own.
func (b Batches) From(epoch, step int) iter.Seq[Batch] {
	return func(yield func(Batch) bool) {
		workers := b.Workers
		if workers == 0 {
			workers = runtime.GOMAXPROCS(0)
		}
		type job struct {
			batch Batch
			done  chan Batch
		}
		var (
			jobs  = make(chan job)
			queue = make(chan chan Batch, workers+1) // the results in order; so many are prepared in advance
			stop  = make(chan struct{})
			all   sync.WaitGroup
		)
		defer all.Wait()
		defer close(stop)
		all.Go(func() {
			defer close(jobs)
			for epoch, step := epoch, step; ; epoch, step = epoch+1, 0 {
				order := b.order(epoch)
				for ; step < b.StepsPerEpoch(); step++ {
					j := job{Batch{Epoch: epoch, Step: step, Indices: order[step*b.Size : (step+1)*b.Size]},
						make(chan Batch, 1)}
					select {
					case queue <- j.done:
					case <-stop:
						return
					}
					select {
					case jobs <- j:
					case <-stop:
						return
					}
				}
			}
		})
		table := b.Normalisation.table()
		for range workers {
			all.Go(func() {
				for j := range jobs {
					j.done <- b.fill(j.batch, table)
				}
			})
		}
		for done := range queue {
			if !yield(<-done) {
				return
			}
		}
	}
}

// fill prepares a batch whose indices are known.
func (b Batches) fill(batch Batch, table lookup) Batch {
	size := b.Images.Size()
	batch.Pixels, batch.Labels = make([]float32, b.Size*size), make([]int32, b.Size)
	for k, i := range batch.Indices {
		down, right, flip := b.Augmentation.draw(b.Seed, batch.Epoch, i)
		b.Augmentation.apply(batch.Pixels[k*size:(k+1)*size], b.Images.Pixels[i*size:(i+1)*size], b.Images, table, down,
			right, flip)
		batch.Labels[k] = int32(b.Images.Labels[i])
	}
	return batch
}
