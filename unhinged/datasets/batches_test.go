package datasets

import (
	"iter"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

// reference prepares one image by the definition: pad with black or by reflection, crop, flip, normalise.
func reference(im Images, i, down, right int, flip, reflect bool, norm Normalisation) []float32 {
	fold := func(i, n int) int { // …, 2, 1, 0, 1, 2, …, n−2, n−1, n−2, …
		if period := 2 * (n - 1); period > 0 {
			i = ((i % period) + period) % period
		}
		return min(i, 2*(n-1)-i)
	}
	at := func(y, x, c int) uint8 {
		if reflect {
			y, x = fold(y, im.Height), fold(x, im.Width)
		}
		if y < 0 || y >= im.Height || x < 0 || x >= im.Width {
			return 0
		}
		return im.Pixels[((i*im.Height+y)*im.Width+x)*im.Channels+c]
	}
	var out []float32
	for y := range im.Height {
		for x := range im.Width {
			from := x
			if flip {
				from = im.Width - 1 - x
			}
			for c := range im.Channels {
				out = append(out, float32((float64(at(y-down, from-right, c))/255-norm.Mean[c])/norm.Std[c]))
			}
		}
	}
	return out
}

func TestBatchesAreTheDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	for range 50 {
		im := randomImages(1+random.IntN(20), 1+random.IntN(7), 1+random.IntN(7), 1+2*random.IntN(2), 5,
			random.Uint64())
		b := Batches{Images: im, Size: 1 + random.IntN(im.Len()), Seed: random.Uint64(),
			Normalisation: im.Normalisation(),
			Augmentation: Augmentation{Shift: random.IntN(im.Height), Flip: random.IntN(2) == 0,
				Reflect: random.IntN(2) == 0}, Workers: random.IntN(4)}
		b.Augmentation.Shift = min(b.Augmentation.Shift, im.Width-1)
		if err := b.Check(); err != nil {
			t.Fatal(err)
		}
		var seen []int
		for batch := range b.From(0, 0) {
			if batch.Epoch == 1 {
				break
			}
			for k, i := range batch.Indices {
				down, right, flip := b.Augmentation.draw(b.Seed, 0, i)
				if got := batch.Pixels[k*im.Size() : (k+1)*im.Size()]; !slices.Equal(got, reference(im, i, down, right,
					flip, b.Augmentation.Reflect, b.Normalisation)) {
					t.Fatalf("image %d of %d×%d×%d, moved by (%d, %d), flip %v", i, im.Height, im.Width, im.Channels,
						down, right, flip)
				}
				if batch.Labels[k] != int32(im.Labels[i]) {
					t.Fatalf("image %d has label %d instead of %d", i, batch.Labels[k], im.Labels[i])
				}
			}
			seen = append(seen, batch.Indices...)
		}
		if len(seen) != b.StepsPerEpoch()*b.Size {
			t.Errorf("an epoch has %d images", len(seen))
		}
		slices.Sort(seen)
		if len(slices.Compact(seen)) != len(seen) {
			t.Error("an image came twice in an epoch")
		}
	}
}

// first returns the first n elements.
func first(n int, batches iter.Seq[Batch]) []Batch {
	var out []Batch
	for batch := range batches {
		if out = append(out, batch); len(out) == n {
			return out
		}
	}
	return out
}

func sameBatches(a, b []Batch) bool {
	return slices.EqualFunc(a, b, func(a, b Batch) bool {
		return a.Epoch == b.Epoch && a.Step == b.Step && slices.Equal(a.Indices, b.Indices) && slices.Equal(a.Pixels,
			b.Pixels) && slices.Equal(a.Labels, b.Labels)
	})
}

func TestBatchesGoOnAnywhereWithAnyNumberOfWorkers(t *testing.T) {
	im := randomImages(50, 6, 6, 3, 5, 1)
	b := Batches{Images: im, Size: 7, Seed: 3, Normalisation: im.Normalisation(), Augmentation: Augmentation{Shift: 2,
		Flip: true}, Workers: 1}
	whole := first(4*b.StepsPerEpoch(), b.From(0, 0))
	if whole[7].Epoch != 1 || whole[7].Step != 0 || slices.Equal(whole[0].Indices, whole[7].Indices) {
		t.Errorf("after an epoch of 7 steps comes epoch %d, step %d, or the order is the same", whole[7].Epoch,
			whole[7].Step)
	}
	for from, batch := range whole {
		for workers := range 5 {
			b.Workers = workers
			if got := first(len(whole)-from, b.From(batch.Epoch, batch.Step)); !sameBatches(got, whole[from:]) {
				t.Errorf("from batch %d on with %d workers: other batches", from, workers)
			}
		}
	}
	b.Workers = 0
	if got := first(1, b.From(1, 7)); !sameBatches(got, whole[14:15]) {
		t.Error("the step after an epoch's last is not the next epoch's first")
	}
	b.Seed++
	if got := first(1, b.From(0, 0)); sameBatches(got, whole[:1]) {
		t.Error("another seed gives the same batch")
	}
}

func TestBatchesStop(t *testing.T) {
	im := randomImages(50, 6, 6, 3, 5, 1)
	b := Batches{Images: im, Size: 7, Normalisation: im.Normalisation(), Workers: 4}
	before := runtime.NumGoroutine()
	for range 20 {
		first(1+before%3, b.From(0, 0))
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines are left, %d were there before", runtime.NumGoroutine(), before)
		}
	}
}

// TestAugmentationIsUniform checks that each of 9×9 shifts and 2 flips is equally frequent, and that every epoch draws
// new ones. χ² with 161 degrees of freedom has mean 161 and standard deviation 18.
func TestAugmentationIsUniform(t *testing.T) {
	a := Augmentation{Shift: 4, Flip: true}
	counts := map[[3]int]float64{}
	const images, epochs = 5000, 10
	same := 0
	for index := range images {
		var last [3]int
		for epoch := range epochs {
			down, right, flip := a.draw(1, epoch, index)
			drawn := [3]int{down, right, 0}
			if flip {
				drawn[2] = 1
			}
			counts[drawn]++
			if epoch > 0 && drawn == last {
				same++
			}
			last = drawn
		}
	}
	chi2, expected := 0.0, float64(images*epochs)/162
	for down := -4; down <= 4; down++ {
		for right := -4; right <= 4; right++ {
			for flip := range 2 {
				chi2 += math.Pow(counts[[3]int{down, right, flip}]-expected, 2) / expected
			}
		}
	}
	if len(counts) != 162 || math.Abs(chi2-161) > 5*18 {
		t.Errorf("%d of 162 augmentations, χ² = %.0f", len(counts), chi2)
	}
	if repeats := float64(images*(epochs-1)) / 162; math.Abs(float64(same)-repeats) > 5*math.Sqrt(repeats) {
		t.Errorf("%d times the same in two epochs one after the other; chance gives %.0f", same, repeats)
	}
}

// TestAlternatingFlips checks that an image is flipped in every second epoch, and half of the images in the first.
func TestAlternatingFlips(t *testing.T) {
	a := Augmentation{Flip: true, Alternate: true}
	flipped := 0
	for index := range 2000 {
		_, _, last := a.draw(1, 0, index)
		if last {
			flipped++
		}
		for epoch := 1; epoch < 6; epoch++ {
			_, _, now := a.draw(1, epoch, index)
			if now == last {
				t.Fatalf("image %d is flipped: %v, in epoch %d and in the one before", index, now, epoch)
			}
			last = now
		}
	}
	if math.Abs(float64(flipped)-1000) > 5*math.Sqrt(500) {
		t.Errorf("%d of 2000 images are flipped in the first epoch", flipped)
	}
}

func TestNormalisation(t *testing.T) {
	im := randomImages(40, 3, 5, 3, 2, 8)
	for i := 2; i < len(im.Pixels); i += 3 {
		im.Pixels[i] = 51 // 0.2
	}
	norm := im.Normalisation()
	if math.Abs(norm.Mean[2]-0.2) > 1e-12 || norm.Std[2] != 1 {
		t.Errorf("a channel of 0.2 has mean %g and standard deviation %g; should be 0.2 and 1", norm.Mean[2],
			norm.Std[2])
	}
	all := make([]int, im.Len())
	for i := range all {
		all[i] = i
	}
	var sum, squares [3]float64
	out := norm.Apply(im, all)
	for i, v := range out {
		sum[i%3] += float64(v)
		squares[i%3] += float64(v) * float64(v)
	}
	for c := range 2 {
		if n := float64(len(out) / 3); math.Abs(sum[c]/n) > 1e-6 || math.Abs(squares[c]/n-1) > 1e-6 {
			t.Errorf("channel %d is normalised to mean %g, variance %g", c, sum[c]/n, squares[c]/n)
		}
	}
	if got, want := norm.Apply(im, []int{7}), reference(im, 7, 0, 0, false, false, norm); !slices.Equal(got, want) {
		t.Error("Apply differs from the definition")
	}
}

func TestBatchesCheck(t *testing.T) {
	good := Batches{Images: randomImages(5, 2, 2, 3, 2, 1), Size: 2}
	good.Normalisation = good.Images.Normalisation()
	for message, change := range map[string]func(b *Batches){
		"batches of 0 images":             func(b *Batches) { b.Size = 0 },
		"batches of 6 images":             func(b *Batches) { b.Size = 6 },
		"48 pixel values for 5 images":    func(b *Batches) { b.Images.Pixels = b.Images.Pixels[:48] },
		"normalisation of 0 means":        func(b *Batches) { b.Normalisation = Normalisation{} },
		"a shift of up to -1 pixels":      func(b *Batches) { b.Augmentation.Shift = -1 },
		"a shift of up to 2 pixels":       func(b *Batches) { b.Augmentation.Shift = 2 },
		"alternating flips without flips": func(b *Batches) { b.Augmentation.Alternate = true },
		"-1 workers":                      func(b *Batches) { b.Workers = -1 },
	} {
		b := good
		change(&b)
		wantError(t, b.Check(), message)
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
}

// BenchmarkBatches measures how many images of CIFAR's size one worker augments and normalises in a second.
func BenchmarkBatches(b *testing.B) {
	im := randomImages(10000, 32, 32, 3, 10, 1)
	batches := Batches{Images: im, Size: 128, Normalisation: im.Normalisation(), Augmentation: Augmentation{Shift: 4,
		Flip: true}, Workers: 1}
	done := 0
	b.ResetTimer()
	for range batches.From(0, 0) {
		if done++; done == b.N {
			break
		}
	}
	b.ReportMetric(float64(done*128)/b.Elapsed().Seconds(), "images/s")
}
