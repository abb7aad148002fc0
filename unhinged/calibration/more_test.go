package calibration

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/gonum/mat"

	"github.com/unhinged-lab/lab/plots"
)

// TestDebiasedECE compares the estimate with the library that draws random numbers. Over many data sets of a perfectly
// calibrated classifier, the mean of the estimate must be 2 − √2 times the mean of the ECE.
func TestDebiasedECE(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	draw := func(n int) []Bin {
		confidence, correct := make([]float64, n), make([]bool, n)
		for i := range confidence {
			confidence[i] = 0.2 + 0.8*random.Float64()
			correct[i] = random.Float64() < confidence[i]
		}
		bins, err := Binning{}.Of(confidence, correct)
		if err != nil {
			t.Fatal(err)
		}
		return bins
	}
	bins := draw(500)
	drawn := 0.0
	const draws = 100_000
	for range draws {
		for _, b := range bins {
			if b.Count > 0 {
				noise := math.Sqrt(b.Accuracy*(1-b.Accuracy)/float64(b.Count)) * random.NormFloat64()
				drawn += float64(b.Count) / 500 * math.Abs(b.Accuracy+noise-b.Confidence) / draws
			}
		}
	}
	if want := 2*ECE(bins) - drawn; math.Abs(DebiasedECE(bins)-want) > 3e-4 {
		t.Errorf("debiased %v, by random draws %v (ECE %v)", DebiasedECE(bins), want, ECE(bins))
	}
	plain, debiased := 0.0, 0.0
	for range 300 {
		bins := draw(300)
		plain += ECE(bins) / 300
		debiased += DebiasedECE(bins) / 300
	}
	if math.Abs(debiased/plain-(2-math.Sqrt2)) > 0.05 {
		t.Errorf("of calibrated classifiers the ECE is %v on average and the debiased one %v", plain, debiased)
	}
	certain := []Bin{{0, 0.5, 0, math.NaN(), math.NaN()}, {0.5, 1, 10, 1, 0.9}} // without variance the bias is 0
	if math.Abs(DebiasedECE(certain)-0.1) > 1e-15 {
		t.Errorf("debiased %v, want 0.1", DebiasedECE(certain))
	}
}

// TestBrierParts checks that the parts add up to the score, and that the part within the bins is 0 if all probabilities
// in a bin are equal.
func TestBrierParts(t *testing.T) {
	for seed := range uint64(10) {
		p := random(t, 300, 2+int(seed), 2, seed)
		for _, b := range []Binning{{}, {Bins: 1}, {Bins: 7, EqualMass: true}, {Bins: 1000}} {
			parts, err := p.BrierParts(b)
			if err != nil {
				t.Fatal(err)
			}
			sum := parts.Reliability - parts.Resolution + parts.Uncertainty + parts.Within
			if math.Abs(sum-p.Brier()) > 1e-12 || parts.Reliability < 0 || parts.Resolution < 0 {
				t.Errorf("%+v: %+v add up to %v, Brier %v", b, parts, sum, p.Brier())
			}
		}
	}
	// There are two kinds of samples with p = softmax(±1), ten of each. The shares of class 0 are 0.8 and 0.2.
	logits, labels := mat.NewDense(20, 2, nil), make([]int, 20)
	for i := range labels {
		logits.Set(i, i%2, 1)
		if i < 4 || i >= 4 && i%2 == 1 {
			labels[i] = 1
		}
	}
	p, err := New(logits, labels)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := p.BrierParts(Binning{})
	if err != nil {
		t.Fatal(err)
	}
	q := 1 / (1 + math.Exp(-1))
	reliability := ((q-0.8)*(q-0.8) + (1-q)*(1-q)) // both classes have the same value: half of 2 × each
	resolution := 2 * (0.5*0.4*0.4 + 0.5*0.4*0.4)
	if math.Abs(parts.Within) > 1e-15 || math.Abs(parts.Reliability-reliability) > 1e-12 ||
		math.Abs(parts.Resolution-resolution) > 1e-12 || math.Abs(parts.Uncertainty-2*0.4*0.6) > 1e-12 {
		t.Errorf("%+v, want reliability %v, resolution %v, uncertainty 0.48", parts, reliability, resolution)
	}
}

// TestIntervals checks that at least nine of ten intervals contain the accuracy and the NLL of a large sample from the
// same distribution, and that the same seed gives the same intervals.
func TestIntervals(t *testing.T) {
	whole := random(t, 20_000, 3, 1, 99)
	held := 0
	for seed := range uint64(60) {
		p := random(t, 400, 3, 1, seed)
		got, err := p.Intervals(Binning{}, 300, 5)
		if err != nil {
			t.Fatal(err)
		}
		if got.Accuracy.Low <= whole.Accuracy() && whole.Accuracy() <= got.Accuracy.High {
			held++
		}
		if got.NLL.Low <= whole.NLL() && whole.NLL() <= got.NLL.High {
			held++
		}
		if !(got.Brier.Low < p.Brier() && p.Brier() < got.Brier.High) || !(got.DebiasedECE.Low < got.ECE.High) {
			t.Errorf("seed %d: %+v", seed, got)
		}
		if again, err := p.Intervals(Binning{}, 300, 5); err != nil || again != got {
			t.Errorf("seed %d: again %+v (%v), before %+v", seed, again, err, got)
		}
	}
	if held < 108 || held == 120 {
		t.Errorf("%d of 120 intervals hold what they are of", held)
	}
}

// TestScaling checks that a temperature changes no decision, that the temperature of each half is the one fitted to the
// other half, and that temperatures improve the calibration of over-confident logits.
func TestScaling(t *testing.T) {
	p := random(t, 2001, 4, 4, 1)
	scaled, temperatures, err := p.CrossScaled()
	if err != nil {
		t.Fatal(err)
	}
	if scaled.Accuracy() != p.Accuracy() || !(scaled.NLL() < p.NLL()) {
		t.Errorf("scaled: accuracy %v and NLL %v; before %v and %v", scaled.Accuracy(), scaled.NLL(), p.Accuracy(),
			p.NLL())
	}
	for half := range 2 {
		var logits mat.Dense
		var labels []int
		for i := 1 - half; i < 2001; i += 2 {
			row := mat.NewDense(1, 4, p.logP.RawRowView(i))
			if len(labels) == 0 {
				logits.CloneFrom(row)
			} else {
				var grown mat.Dense
				grown.Stack(&logits, row)
				logits.CloneFrom(&grown)
			}
			labels = append(labels, p.labels[i])
		}
		others, err := New(&logits, labels)
		if err != nil {
			t.Fatal(err)
		}
		want, err := others.Temperature()
		if err != nil || want != temperatures[half] {
			t.Errorf("half %d: temperature %v, of the other half %v (%v)", half, temperatures[half], want, err)
		}
		one, err := p.Scaled(want)
		if err != nil || math.Abs(one.logP.At(half, 0)-scaled.logP.At(half, 0)) > 1e-12 {
			t.Errorf("half %d: %v and %v (%v)", half, one.logP.At(half, 0), scaled.logP.At(half, 0), err)
		}
	}
	for _, temperature := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, err := p.Scaled(temperature); err == nil || !strings.Contains(err.Error(), "temperature") {
			t.Errorf("temperature %v: error %v", temperature, err)
		}
	}
	if _, _, err := random(t, 1, 2, 1, 1).CrossScaled(); err == nil {
		t.Error("one sample was split")
	}
}

// TestDiagram checks that the picture is drawn, also with empty bins and with one bin, and that its gaps are those of
// the bins.
func TestDiagram(t *testing.T) {
	for _, b := range []Binning{{}, {Bins: 1}, {Bins: 10, EqualMass: true}} {
		p := random(t, 200, 3, 3, 1)
		bins, err := b.Of(p.Confidences())
		if err != nil {
			t.Fatal(err)
		}
		figure := Diagram("test", bins)
		if _, err := plots.SVG(figure); err != nil {
			t.Error(err)
		}
		gap := figure.Curves[1].Series
		for k, bin := range bins {
			if got := math.Abs(gap["y"][2*k] - gap["y_from"][2*k]); bin.Count > 0 && math.Abs(got-bin.Gap()) > 1e-15 ||
				bin.Count == 0 && !math.IsNaN(got) {
				t.Errorf("bin %d: the drawn gap is %v, of %+v", k, got, bin)
			}
		}
		confidence, _ := p.Confidences()
		sum := 0.0
		for _, v := range confidence {
			sum += v / float64(len(confidence))
		}
		if math.Abs(MeanConfidence(bins)-sum) > 1e-12 {
			t.Errorf("mean confidence %v, want %v", MeanConfidence(bins), sum)
		}
	}
}

// TestMillion checks that a million samples take only seconds.
func TestMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("a million samples")
	}
	start := time.Now()
	p := random(t, 1_000_000, 3, 2, 1)
	for _, b := range []Binning{{}, {EqualMass: true}} {
		if _, err := b.Of(p.Confidences()); err != nil {
			t.Fatal(err)
		}
	}
	if p.NLL() <= 0 {
		t.Error("no NLL")
	}
	if _, err := p.ClasswiseECE(Binning{}); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}
