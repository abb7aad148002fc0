package calibration

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// random returns n samples of c classes, whose logits have the given spread.
func random(t *testing.T, n, c int, spread float64, seed uint64) *Predictions {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	logits, labels := mat.NewDense(n, c, nil), make([]int, n)
	for i := range labels {
		labels[i] = r.IntN(c)
		for k := range c {
			logits.Set(i, k, spread*r.NormFloat64())
		}
		logits.Set(i, labels[i], logits.At(i, labels[i])+r.Float64())
	}
	p, err := New(logits, labels)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestBinsAgainstDefinition compares each bin of equal width with a loop over all samples that lie between its limits,
// and the errors with their definitions.
func TestBinsAgainstDefinition(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		n, count := 1+r.IntN(300), 1+r.IntN(20)
		confidence, correct := make([]float64, n), make([]bool, n)
		for i := range confidence {
			confidence[i], correct[i] = float64(r.IntN(61))/60, r.IntN(2) == 0 // many samples are at limits of bins
		}
		bins, err := Binning{Bins: count}.Of(confidence, correct)
		if err != nil {
			t.Fatal(err)
		}
		ece, mce, ms, total := 0.0, 0.0, 0.0, 0
		for k, b := range bins {
			size, right, sum := 0.0, 0.0, 0.0
			for i, p := range confidence {
				if p > b.Low && p <= b.High || k == 0 && p == 0 {
					size++
					sum += p
					if correct[i] {
						right++
					}
				}
			}
			if float64(b.Count) != size || size > 0 && (b.Accuracy != right/size ||
				math.Abs(b.Confidence-sum/size) > 1e-14) ||
				size == 0 && !math.IsNaN(b.Accuracy) {
				t.Fatalf("bin %d of %d: %+v; counted %v, %v right, sum %v", k, count, b, size, right, sum)
			}
			total += b.Count
			if size > 0 {
				gap := math.Abs(right/size - sum/size)
				ece += size / float64(n) * gap
				ms += size / float64(n) * gap * gap
				mce = max(mce, gap)
			}
		}
		if total != n || math.Abs(ECE(bins)-ece) > 1e-14 || math.Abs(MCE(bins)-mce) > 1e-14 ||
			math.Abs(RMSCE(bins)-math.Sqrt(ms)) > 1e-14 {
			t.Errorf("%d of %d samples; ECE %v, MCE %v, RMSCE %v; want %v, %v, %v", total, n, ECE(bins), MCE(bins),
				RMSCE(bins), ece, mce, math.Sqrt(ms))
		}
		if ECE(bins) > RMSCE(bins)+1e-15 || RMSCE(bins) > MCE(bins)+1e-15 {
			t.Errorf("ECE %v, RMSCE %v, MCE %v are not in this order", ECE(bins), RMSCE(bins), MCE(bins))
		}
	}
}

// TestEqualMass checks that the sizes of the bins differ by at most one, and that the order of the samples does not
// matter if no two are equal.
func TestEqualMass(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		count := 1 + r.IntN(15)
		n := count + r.IntN(200)
		confidence, correct := make([]float64, n), make([]bool, n)
		for i := range confidence {
			confidence[i], correct[i] = r.Float64(), r.IntN(2) == 0
		}
		bins, err := Binning{Bins: count, EqualMass: true}.Of(confidence, correct)
		if err != nil {
			t.Fatal(err)
		}
		for k, b := range bins {
			if b.Count != n/count && b.Count != n/count+1 || k > 0 && b.Low != bins[k-1].High {
				t.Errorf("bin %d of %d of %d samples: %+v", k, count, n, b)
			}
		}
		if bins[count-1].High != slices.Max(confidence) {
			t.Errorf("the last bin ends at %v", bins[count-1].High)
		}
		r.Shuffle(n, func(i, j int) {
			confidence[i], confidence[j] = confidence[j], confidence[i]
			correct[i], correct[j] = correct[j], correct[i]
		})
		again, err := Binning{Bins: count, EqualMass: true}.Of(confidence, correct)
		if err != nil || math.Abs(ECE(again)-ECE(bins)) > 1e-14 {
			t.Errorf("in another order: %v, error %v; before %v", ECE(again), err, ECE(bins))
		}
	}
}

// TestKnownClassifiers checks three classifiers. A perfect and certain one has error 0 in every measure, a certain one
// that is always wrong has the largest error, and the uniform one has NLL ln C, Brier score 1 − 1/C and calibration
// error |1/C − accuracy|.
func TestKnownClassifiers(t *testing.T) {
	for _, c := range []int{2, 3, 10} {
		for name, shift := range map[string]int{"right": 0, "wrong": 1} {
			logits, labels := mat.NewDense(3*c, c, nil), make([]int, 3*c)
			for i := range labels {
				labels[i] = i % c
				logits.Set(i, (labels[i]+shift)%c, 2000)
			}
			p, err := New(logits, labels)
			if err != nil {
				t.Fatal(err)
			}
			bins, err := Binning{}.Of(p.Confidences())
			if err != nil {
				t.Fatal(err)
			}
			want := float64(shift)
			if len(bins) != 15 || ECE(bins) != want || MCE(bins) != want || p.Accuracy() != 1-want ||
				p.Brier() != 2*want ||
				p.NLL() != 2000*want {
				t.Errorf("%s: %d bins, ECE %v, MCE %v, accuracy %v, Brier %v, NLL %v", name, len(bins), ECE(bins),
					MCE(bins),
					p.Accuracy(), p.Brier(), p.NLL())
			}
			classwise, err := p.ClasswiseECE(Binning{})
			if err != nil || math.Abs(classwise-2*want/float64(c)) > 1e-15 {
				t.Errorf("%s: class-wise ECE %v, error %v; want %v", name, classwise, err, 2*want/float64(c))
			}
		}
		p, err := New(mat.NewDense(2*c, c, nil), append(make([]int, c), slices.Repeat([]int{1}, c)...))
		if err != nil {
			t.Fatal(err)
		}
		bins, err := Binning{}.Of(p.Confidences())
		if err != nil || math.Abs(ECE(bins)-(0.5-1/float64(c))) > 1e-15 ||
			math.Abs(p.NLL()-math.Log(float64(c))) > 1e-14 ||
			math.Abs(p.Brier()-(1-1/float64(c))) > 1e-14 {
			t.Errorf("uniform, C = %d: ECE %v, NLL %v, Brier %v, error %v", c, ECE(bins), p.NLL(), p.Brier(), err)
		}
	}
}

// TestTemperature checks that no temperature near the fitted one and none on a grid has a smaller NLL, and that logits
// divided by T' have the fitted temperature T/T'.
func TestTemperature(t *testing.T) {
	for seed := range uint64(10) {
		p := random(t, 400, 2+int(seed), 2, seed)
		best, err := p.Temperature()
		if err != nil {
			t.Fatal(err)
		}
		for _, factor := range []float64{0.01, 0.5, 0.999, 1.001, 2, 100} {
			if at := p.nll(1 / (best * factor)); at <= p.nll(1/best) {
				t.Errorf("NLL %v at temperature %v, %v at the fitted %v", at, best*factor, p.nll(1/best), best)
			}
		}
		var scaled mat.Dense
		scaled.Scale(1/3.0, p.logP)
		q, err := New(&scaled, p.labels)
		if err != nil {
			t.Fatal(err)
		}
		if third, err := q.Temperature(); err != nil || math.Abs(3*third/best-1) > 1e-9 {
			t.Errorf("logits divided by 3: %v, error %v; want %v", third, err, best/3)
		}
	}
}

func TestRefuses(t *testing.T) {
	two := mat.NewDense(2, 2, []float64{1000, 0, 0, 1000})
	temperature := func(labels ...int) error {
		p, err := New(two, labels)
		if err != nil {
			return err
		}
		_, err = p.Temperature()
		return err
	}
	bins := func(b Binning, confidence []float64, correct ...bool) error {
		_, err := b.Of(confidence, correct)
		return err
	}
	predictions := func(logits *mat.Dense, labels ...int) error {
		_, err := New(logits, labels)
		return err
	}
	for want, err := range map[string]error{
		"no logits":               predictions(&mat.Dense{}),
		"at least 2 classes":      predictions(mat.NewDense(2, 1, nil), 0, 0),
		"2 rows of logits and 1":  predictions(two, 0),
		"label of sample 1 is 2":  predictions(two, 0, 2),
		"of sample 0 is NaN":      predictions(mat.NewDense(1, 2, []float64{0, math.NaN()}), 0),
		"temperature is 0":        temperature(0, 1),
		"temperature is infinite": temperature(1, 0),
		"no samples":              bins(Binning{}, nil),
		"1 confidences and 2":     bins(Binning{}, []float64{1}, true, true),
		"sample 0 is NaN":         bins(Binning{}, []float64{math.NaN()}, true),
		"sample 0 is 1.5":         bins(Binning{}, []float64{1.5}, true),
		"-1 bins":                 bins(Binning{Bins: -1}, []float64{1}, true),
		"cannot fill 15 bins":     bins(Binning{EqualMass: true}, []float64{1}, true),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want one that says %q", err, want)
		}
	}
}

func Example() {
	logits := mat.NewDense(4, 2, []float64{2, 0, 1, 0, 0, 3, 0, 1})
	p, err := New(logits, []int{0, 1, 1, 1})
	if err != nil {
		panic(err)
	}
	bins, err := Binning{Bins: 10}.Of(p.Confidences())
	if err != nil {
		panic(err)
	}
	fmt.Printf("accuracy %.2f, ECE %.4f, MCE %.4f, NLL %.4f, Brier %.4f\n", p.Accuracy(), ECE(bins), MCE(bins), p.NLL(),
		p.Brier())
	// Output: accuracy 0.75, ECE 0.1572, MCE 0.2311, NLL 0.4505, Brier 0.3116
}
