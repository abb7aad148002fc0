package metrics

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/etf"
	"gonum.org/v1/gonum/mat"
)

// sample is features [n, p] with labels, all in memory, to compute the definitions.
type sample struct {
	h      *mat.Dense
	labels []int
	c      int
}

// draw returns random features of classes of unequal sizes ≥ least, in random order. The means of the classes are
// random and far from the origin.
func draw(random *rand.Rand, c, p, least, most int) sample {
	var labels []int
	for class := range c {
		for range least + random.IntN(most-least+1) {
			labels = append(labels, class)
		}
	}
	random.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
	means := normal(random, c, p, 2, 5)
	h := normal(random, len(labels), p, 1, 0)
	for i, class := range labels {
		for k := range p {
			h.Set(i, k, h.At(i, k)+means.At(class, k))
		}
	}
	return sample{h, labels, c}
}

func normal(random *rand.Rand, rows, cols int, scale, mean float64) *mat.Dense {
	m := mat.NewDense(rows, cols, nil)
	m.Apply(func(_, _ int, _ float64) float64 { return mean + scale*random.NormFloat64() }, m)
	return m
}

func (s sample) counts() []int {
	counts := make([]int, s.c)
	for _, class := range s.labels {
		counts[class]++
	}
	return counts
}

// gather adds the sample in batches of random sizes.
func (s sample) gather(t testing.TB, config Config, random *rand.Rand) *Moments {
	t.Helper()
	_, p := s.h.Dims()
	config.Classes, config.Dimension = s.c, p
	if config.Within == ClassBalanced {
		config.Sizes = s.counts()
	}
	m, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	data := s.h.RawMatrix().Data
	for from := 0; from < len(s.labels); {
		to := min(len(s.labels), from+1+random.IntN(2*len(s.labels)))
		if err := Add(m, data[from*p:to*p], s.labels[from:to]); err != nil {
			t.Fatal(err)
		}
		from = to
	}
	return m
}

// These are the definitions, sample by sample.

func (s sample) shares(w Weighting) []float64 {
	shares, present := make([]float64, s.c), 0.0
	for class, n := range s.counts() {
		shares[class] = float64(n) / float64(len(s.labels))
		if n > 0 {
			present++
		}
	}
	if w == ClassBalanced {
		for class := range shares {
			if shares[class] > 0 {
				shares[class] = 1 / present
			}
		}
	}
	return shares
}

func (s sample) means() []*mat.VecDense {
	_, p := s.h.Dims()
	means := make([]*mat.VecDense, s.c)
	for class, n := range s.counts() {
		means[class] = mat.NewVecDense(p, nil)
		for i, label := range s.labels {
			if label == class {
				means[class].AddScaledVec(means[class], 1/float64(n), s.h.RowView(i))
			}
		}
	}
	return means
}

func (s sample) centred(w Weighting) []*mat.VecDense {
	means, shares := s.means(), s.shares(w)
	var global mat.VecDense
	global.CloneFromVec(means[0])
	global.Zero()
	for class, mean := range means {
		global.AddScaledVec(&global, shares[class], mean)
	}
	for _, mean := range means {
		mean.SubVec(mean, &global)
	}
	return means
}

// within returns Σ_W and each class's E‖h − μ_c‖².
func (s sample) within(w Weighting) (*mat.SymDense, []float64) {
	_, p := s.h.Dims()
	within, variances := mat.NewSymDense(p, nil), make([]float64, s.c)
	counts, shares, means := s.counts(), s.shares(w), s.means()
	for i, class := range s.labels {
		var d mat.VecDense
		d.SubVec(s.h.RowView(i), means[class])
		within.SymRankOne(within, shares[class]/float64(counts[class]), &d)
		variances[class] += mat.Dot(&d, &d) / float64(counts[class])
	}
	return within, variances
}

func (s sample) nc1(withinWeighting, betweenWeighting Weighting) NC1 {
	_, p := s.h.Dims()
	within, variances := s.within(withinWeighting)
	between := mat.NewSymDense(p, nil)
	centred, shares, present := s.centred(betweenWeighting), s.shares(betweenWeighting), 0
	for class, mean := range centred {
		if shares[class] > 0 {
			between.SymRankOne(between, shares[class], mean)
			present++
		}
	}
	var eigen mat.EigenSym
	eigen.Factorize(between, true)
	values := eigen.Values(nil)
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	out := NC1{Quotient: mat.Trace(within) / mat.Trace(between)}
	for k, value := range values {
		if value > values[p-1]*1e-12 {
			u := vectors.ColView(k)
			out.Trace += mat.Inner(u, within, u) / value / float64(present)
		}
	}
	pairs := 0.0
	for c := range s.c {
		for d := range s.c {
			if c == d || shares[c] == 0 || shares[d] == 0 {
				continue
			}
			var gap mat.VecDense
			gap.SubVec(centred[c], centred[d])
			out.CDNV += (variances[c] + variances[d]) / (2 * mat.Dot(&gap, &gap))
			pairs++
		}
	}
	out.CDNV /= pairs
	return out
}

func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*math.Max(1, math.Abs(want)) || math.IsNaN(got) && math.IsNaN(want)
}

func nearNC1(a, b NC1, tolerance float64) bool {
	return near(a.Trace/b.Trace, 1, tolerance) && near(a.Quotient/b.Quotient, 1, tolerance) && near(a.CDNV/b.CDNV, 1,
		tolerance)
}

func nearNC2(a, b NC2, tolerance float64) bool {
	return near(a.NormSpread, b.NormSpread, tolerance) && near(a.AngleSpread, b.AngleSpread, tolerance) &&
		near(a.AngleDistance, b.AngleDistance, tolerance) && near(a.ETFDistance, b.ETFDistance, tolerance)
}

func nearNC3(a, b NC3, tolerance float64) bool {
	return near(a.Distance, b.Distance, tolerance) && near(a.GramDistance, b.GramDistance, tolerance) &&
		near(a.MeanCosine, b.MeanCosine, tolerance)
}

var weightings = []Weighting{SampleWeighted, ClassBalanced}

// sizes lists C, p and the smallest and largest number of samples of a class. C = 2, p = 1, p < C−1, classes of one
// sample and more samples than a block occur.
var sizes = [][4]int{{2, 1, 1, 4}, {2, 7, 3, 9}, {3, 2, 2, 8}, {6, 3, 1, 5}, {5, 40, 1, 1}, {4, 5, 0, 3},
	{10, 30, 2, 120}, {270, 9, 1, 3}, {3, 200, 1, 30}}

func each(t *testing.T, do func(t *testing.T, random *rand.Rand, s sample)) {
	for k, size := range sizes {
		random := rand.New(rand.NewPCG(uint64(k), 5))
		repeats := 4
		if size[0]*size[1] > 500 {
			repeats = 1
		}
		for range repeats {
			s := draw(random, size[0], size[1], size[2], size[3])
			present := 0
			for _, n := range s.counts() {
				present += min(n, 1)
			}
			if present < 2 {
				continue
			}
			t.Run(fmt.Sprintf("C=%d,p=%d,n=%d", size[0], size[1], len(s.labels)),
				func(t *testing.T) { do(t, random, s) })
		}
	}
}

func TestNC1AgainstItsDefinition(t *testing.T) {
	each(t, func(t *testing.T, random *rand.Rand, s sample) {
		for _, within := range weightings {
			for _, between := range weightings {
				m := s.gather(t, Config{Within: within, Between: between}, random)
				got, err := m.NC1()
				want := s.nc1(within, between)
				if slices.Max(s.counts()) == 1 { // each feature is the mean of its class
					want = NC1{}
					if got != want || err != nil {
						t.Errorf("one sample a class: %+v, %v, should be 0", got, err)
					}
				} else if err != nil || !nearNC1(got, want, 1e-8) {
					t.Errorf("within %d, between %d: %+v, %v, by definition %+v", within, between, got, err, want)
				}
			}
		}
	})
}

// TestNearlyFlatMeans: the class means (1, −ε), (−1, −ε), (0, 2ε) have Σ_B = diag(2, 6ε²)/3. With two samples of each
// class at ±(δ, δ) from its mean, Σ_W = δ²·11ᵀ and tr(Σ_W Σ_B⁺)/3 = δ²(1/2 + 1/(6ε²)) for any ε: the small direction
// dominates. Only below 10⁻¹⁰ of the larger direction does it count as rounding.
func TestNearlyFlatMeans(t *testing.T) {
	for _, epsilon := range []float64{1, 1e-2, 1e-4, 1e-6, 1e-8, 1e-13} {
		delta, second := math.Sqrt(epsilon), 1/(6*epsilon*epsilon)
		if epsilon < 1e-10 {
			delta, second = 0.5, 0
		}
		features := mat.NewDense(6, 2, nil)
		for c, mean := range [][2]float64{{1, -epsilon}, {-1, -epsilon}, {0, 2 * epsilon}} {
			for i, sign := range []float64{-1, 1} {
				features.SetRow(2*c+i, []float64{mean[0] + sign*delta, mean[1] + sign*delta})
			}
		}
		m := sample{features, []int{0, 0, 1, 1, 2, 2}, 3}.gather(t, Config{}, rand.New(rand.NewPCG(1, 1)))
		got, err := m.NC1()
		if want := delta * delta * (0.5 + second); err != nil || math.Abs(got.Trace-want) > 1e-6*want {
			t.Errorf("ε = %g: trace %g, want %g (%v)", epsilon, got.Trace, want, err)
		}
	}
}

// Two classes of two and three samples in the plane, by hand: (0,0), (2,0) and (4,4), (4,6), (4,8). μ = (1,0), (4,6), d
// = μ_1 − μ_0 = (3,6); the scatters are diag(2,0) and diag(0,8). Sample-weighted: Σ_W = diag(2/5, 8/5), Σ_B =
// (2/5)(3/5)ddᵀ; tr(Σ_W Σ_B⁺)/2 = dᵀΣ_W d/(45²·6/25)/2 = 17/270; quotient 2/(45·6/25) = 5/27. Class-balanced: Σ_W =
// diag(1/2, 4/3), Σ_B = ddᵀ/4; 7/135 and (11/6)/(45/4) = 22/135. CDNV: (1 + 8/3)/(2·45) = 11/270. With the prototypes
// (3,0), (0,4) and balanced centred means ∓(3/2, 3): ⟨W, M⟩ = 15/2, ‖W‖ = 5, ‖M‖² = 45/2; WMᵀ = [[−9/2, 9/2], [−12,
// 12]], of norm √(657/2), has the inner product 15/2 with (I − 11ᵀ/2); cosines −1/√5 and 2/√5.
var hand = sample{mat.NewDense(5, 2, []float64{4, 6, 0, 0, 4, 4, 2, 0, 4, 8}), []int{1, 0, 1, 0, 1}, 2}

func TestByHand(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	samples, balanced := hand.gather(t, Config{}, random), hand.gather(t, Config{Within: ClassBalanced,
		Between: ClassBalanced}, random)
	nc1, err := samples.NC1()
	if want := (NC1{17. / 270, 5. / 27, 11. / 270}); err != nil || !nearNC1(nc1, want, 1e-14) {
		t.Errorf("sample-weighted: %+v, %v, should be %+v", nc1, err, want)
	}
	nc1, err = balanced.NC1()
	if want := (NC1{7. / 135, 22. / 135, 11. / 270}); err != nil || !nearNC1(nc1, want, 1e-14) {
		t.Errorf("class-balanced: %+v, %v, should be %+v", nc1, err, want)
	}
	w := mat.NewDense(2, 2, []float64{3, 0, 0, 4})
	nc3, err := balanced.NC3(w)
	want3 := NC3{math.Sqrt(2 - 3/math.Sqrt(22.5)), math.Sqrt(2 - 15/math.Sqrt(328.5)), 1 / (2 * math.Sqrt(5))}
	if err != nil || !nearNC3(nc3, want3, 1e-14) {
		t.Errorf("%+v, %v, should be %+v", nc3, err, want3)
	}
	// Two opposite vectors are an ETF.
	if nc2 := balanced.NC2(); !nearNC2(nc2, NC2{}, 1e-15) {
		t.Errorf("%+v of two opposite means, should be 0", nc2)
	}
	// About the sample mean the two are −(3/5)d and (2/5)d: norms 3:2, mean 5/2, deviation 1/2; Gram [[9,−6],[−6,4]],
	// of norm 13.
	want2 := NC2{NormSpread: 1. / 5, ETFDistance: math.Sqrt(2 - 25./13)}
	if nc2 := samples.NC2(); !nearNC2(nc2, want2, 1e-14) {
		t.Errorf("%+v, should be %+v", nc2, want2)
	}
	// W: norms 3, 4; cosine 0; Gram diag(9, 16) of norm √337.
	if nc2, want := PrototypeNC2(w), (NC2{1. / 7, 0, 1, math.Sqrt(2 - 25/math.Sqrt(337))}); !nearNC2(nc2, want, 1e-14) {
		t.Errorf("%+v, should be %+v", nc2, want)
	}
	// Norms 0, 2, √32, √52, √80; their mean square is 168/5.
	mean := (2 + math.Sqrt(32) + math.Sqrt(52) + math.Sqrt(80)) / 5
	norms := samples.FeatureNorms()
	if !near(norms.Mean, mean, 1e-15) || !near(norms.Std, math.Sqrt(168./5-mean*mean), 1e-14) || !near(norms.Square,
		168, 1e-14) {
		t.Errorf("%+v", norms)
	}
	// Classes have norms of mean 1 and (√32+√52+√80)/3, mean squares 2 and 164/3.
	mean = (1 + (math.Sqrt(32)+math.Sqrt(52)+math.Sqrt(80))/3) / 2
	norms = balanced.FeatureNorms()
	if !near(norms.Mean, mean, 1e-15) || !near(norms.Std, math.Sqrt(85./3-mean*mean), 1e-14) || !near(norms.Square, 168,
		1e-14) {
		t.Errorf("%+v", norms)
	}
	if by := balanced.ClassNorms(); by[0] != 1 || !near(by[1], 2*mean-1, 1e-15) {
		t.Errorf("%v", by)
	}
	if means := balanced.Means(); !mat.EqualApprox(means, mat.NewDense(2, 2, []float64{1, 0, 4, 6}), 1e-15) {
		t.Errorf("means %v", mat.Formatted(means))
	}
}

func TestNC2AndNC3AgainstTheirDefinition(t *testing.T) {
	each(t, func(t *testing.T, random *rand.Rand, s sample) {
		_, p := s.h.Dims()
		w := normal(random, s.c, p, 1, 0.3)
		for _, between := range weightings {
			m := s.gather(t, Config{Between: between}, random)
			var means, prototypes []mat.Vector
			for class, mean := range s.centred(between) {
				if s.counts()[class] > 0 {
					means, prototypes = append(means, mean), append(prototypes, w.RowView(class))
				}
			}
			if got, want := m.NC2(), defineNC2(means); !nearNC2(got, want, 1e-10) {
				t.Errorf("between %d: %+v, by definition %+v", between, got, want)
			}
			got, err := m.NC3(w)
			if want := defineNC3(prototypes, means); err != nil || !nearNC3(got, want, 1e-10) {
				t.Errorf("between %d: %+v, %v, by definition %+v", between, got, err, want)
			}
		}
		all := make([]mat.Vector, s.c)
		for class := range all {
			all[class] = w.RowView(class)
		}
		if got, want := PrototypeNC2(w), defineNC2(all); !nearNC2(got, want, 1e-12) {
			t.Errorf("%+v, by definition %+v", got, want)
		}
		g := Prototypes(w)
		want := PrototypeGeometry{SmallestNorm: math.Inf(1), SmallestAngle: 180}
		for i, x := range all {
			want.SmallestNorm, want.LargestNorm = min(want.SmallestNorm, mat.Norm(x, 2)), max(want.LargestNorm,
				mat.Norm(x, 2))
			for _, y := range all[:i] {
				angle := math.Acos(max(-1, min(1, cosine(x, y)))) * 180 / math.Pi
				want.SmallestAngle, want.LargestAngle = min(want.SmallestAngle, angle), max(want.LargestAngle, angle)
				want.MeanAngle += angle / float64(s.c*(s.c-1)/2)
			}
		}
		if !near(g.SmallestNorm, want.SmallestNorm, 1e-14) || !near(g.LargestNorm, want.LargestNorm, 1e-14) ||
			!near(g.NormRatio, want.LargestNorm/want.SmallestNorm, 1e-13) ||
			!near(g.SmallestAngle, want.SmallestAngle, 1e-5) || !near(g.MeanAngle, want.MeanAngle, 1e-5) ||
			!near(g.LargestAngle, want.LargestAngle, 1e-5) {
			t.Errorf("%+v, by definition %+v", g, want)
		}
	})
}

func cosine(x, y mat.Vector) float64 { return mat.Dot(x, y) / mat.Norm(x, 2) / mat.Norm(y, 2) }

func meanStd(x []float64) (mean, std float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		std += (v - mean) * (v - mean) / float64(len(x))
	}
	return mean, math.Sqrt(std)
}

func defineETFDistance(g func(i, j int) float64, c int) float64 {
	norm, sum := 0.0, 0.0
	for i := range c {
		for j := range c {
			norm += g(i, j) * g(i, j)
		}
	}
	for i := range c {
		for j := range c {
			ideal := -1 / float64(c)
			if i == j {
				ideal++
			}
			sum += math.Pow(g(i, j)/math.Sqrt(norm)-ideal/math.Sqrt(float64(c-1)), 2)
		}
	}
	return math.Sqrt(sum)
}

func defineNC2(v []mat.Vector) NC2 {
	var norms, cosines, shifted []float64
	for i, x := range v {
		norms = append(norms, mat.Norm(x, 2))
		for j, y := range v {
			if i != j {
				cosines = append(cosines, cosine(x, y))
				shifted = append(shifted, math.Abs(cosine(x, y)+1/float64(len(v)-1)))
			}
		}
	}
	mean, std := meanStd(norms)
	_, spread := meanStd(cosines)
	distance, _ := meanStd(shifted)
	return NC2{std / mean, spread, distance, defineETFDistance(func(i, j int) float64 { return mat.Dot(v[i], v[j]) },
		len(v))}
}

func defineNC3(w, m []mat.Vector) NC3 {
	var w2, m2, sum, cosines float64
	for i := range w {
		w2 += mat.Dot(w[i], w[i])
		m2 += mat.Dot(m[i], m[i])
		cosines += cosine(w[i], m[i]) / float64(len(w))
	}
	for i := range w {
		for k := range w[i].Len() {
			sum += math.Pow(w[i].AtVec(k)/math.Sqrt(w2)-m[i].AtVec(k)/math.Sqrt(m2), 2)
		}
	}
	return NC3{math.Sqrt(sum), defineETFDistance(func(i, j int) float64 { return mat.Dot(w[i], m[j]) }, len(w)),
		cosines}
}

func TestNC4AgainstItsDefinition(t *testing.T) {
	each(t, func(t *testing.T, random *rand.Rand, s sample) {
		_, p := s.h.Dims()
		for _, normalize := range []bool{false, true} {
			m := s.gather(t, Config{Normalize: normalize}, random)
			test := draw(random, s.c, p, 0, 6)
			predicted := make([]uint8, len(test.labels))
			for i := range predicted {
				predicted[i] = uint8(random.IntN(min(s.c, 256)))
			}
			rule, err := m.NearestCentre()
			if err != nil {
				t.Fatal(err)
			}
			half := len(predicted) / 2
			data := test.h.RawMatrix().Data
			other, _ := m.NearestCentre()
			if err := errors.Join(AddDecisions(rule, data[:half*p], test.labels[:half], predicted[:half]),
				AddDecisions(other, data[half*p:], test.labels[half:], predicted[half:]),
				rule.Merge(other)); err != nil {
				t.Fatal(err)
			}
			centres := m.Means()
			agree, correct := make([]float64, s.c), make([]float64, s.c)
			for i, class := range test.labels {
				var h, d mat.VecDense
				h.CloneFromVec(test.h.RowView(i))
				if normalize {
					h.ScaleVec(1/mat.Norm(&h, 2), &h)
				}
				nearest, smallest := -1, math.Inf(1)
				for c := range s.c {
					d.SubVec(&h, centres.RowView(c))
					if distance := mat.Norm(&d, 2); distance < smallest {
						nearest, smallest = c, distance
					}
				}
				if nearest == int(predicted[i]) {
					agree[class]++
				}
				if nearest == class {
					correct[class]++
				}
			}
			for _, weighting := range weightings {
				var wantAgreement, wantAccuracy float64
				for class, n := range test.counts() {
					if n > 0 {
						wantAgreement += test.shares(weighting)[class] * agree[class] / float64(n)
						wantAccuracy += test.shares(weighting)[class] * correct[class] / float64(n)
					}
				}
				if len(test.labels) == 0 {
					wantAgreement, wantAccuracy = math.NaN(), math.NaN()
				}
				if got := rule.Agreement(weighting); !near(got, wantAgreement, 1e-13) {
					t.Errorf("normalize %t, weighting %d: agreement %g, by definition %g", normalize, weighting, got,
						wantAgreement)
				}
				if got := rule.Accuracy(weighting); !near(got, wantAccuracy, 1e-13) {
					t.Errorf("normalize %t, weighting %d: accuracy %g, by definition %g", normalize, weighting, got,
						wantAccuracy)
				}
			}
		}
	})
}

func TestDistancesAgainstTheirDefinition(t *testing.T) {
	each(t, func(t *testing.T, random *rand.Rand, s sample) {
		n, p := s.h.Dims()
		w, gamma := normal(random, s.c, p, 1, 0.3), random.Float64()
		// M of the dynamics is C×n; H and W have one sample or class in each column.
		m := mat.NewDense(s.c, n, nil)
		m.Apply(func(c, i int, _ float64) float64 {
			if s.labels[i] == c {
				return 1 / float64(n)
			}
			return -gamma / float64(n)
		}, m)
		var wm, d mat.Dense
		wm.Mul(w.T(), m)
		wm.Scale(1/mat.Norm(&wm, 2), &wm)
		d.Scale(1/mat.Norm(s.h, 2), s.h.T())
		d.Sub(&d, &wm)
		got, err := s.gather(t, Config{Within: ClassBalanced}, random).DistanceToWM(w, gamma)
		if want := mat.Norm(&d, 2); err != nil || !near(got, want, 1e-12) {
			t.Errorf("to WM %g, %v, by definition %g", got, err, want)
		}
		square := 0.0
		for i, class := range s.labels {
			h, v := s.h.RowView(i), w.RowView(class)
			for k := range p {
				square += math.Pow(h.AtVec(k)/mat.Norm(h, 2)-v.AtVec(k)/mat.Norm(v, 2), 2)
			}
		}
		got, err = s.gather(t, Config{Normalize: true}, random).DistanceToPrototypes(w)
		if want := math.Sqrt(square); err != nil || !near(got, want, 1e-12) {
			t.Errorf("to the prototypes %g, %v, by definition %g", got, err, want)
		}
	})
}

// Features at the prototypes of an ETF are neural collapse for any sizes of the classes.
func TestNeuralCollapse(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 1))
	for _, size := range [][2]int{{1, 2}, {2, 3}, {9, 10}, {64, 10}, {99, 100}} {
		p, c := size[0], size[1]
		columns, err := etf.Simplex(p, c, 1)
		if err != nil {
			t.Fatal(err)
		}
		w := mat.DenseCopyOf(columns.T())
		s := draw(random, c, p, 1, 7)
		shift := normal(random, 1, p, 3, 1)
		predicted := make([]int32, len(s.labels))
		for i, class := range s.labels {
			predicted[i] = int32(class)
			for k := range p {
				s.h.Set(i, k, 4*w.At(class, k)+shift.At(0, k))
			}
		}
		m := s.gather(t, Config{Within: ClassBalanced, Between: ClassBalanced}, random)
		if nc1, err := m.NC1(); err != nil || nc1 != (NC1{}) {
			t.Errorf("p, C = %v: %+v, %v, should be exactly 0", size, nc1, err)
		}
		if nc2 := m.NC2(); !nearNC2(nc2, NC2{}, 1e-13) {
			t.Errorf("p, C = %v: %+v, should be 0", size, nc2)
		}
		if nc2 := PrototypeNC2(w); !nearNC2(nc2, NC2{}, 1e-13) {
			t.Errorf("p, C = %v: prototypes %+v, should be 0", size, nc2)
		}
		if nc3, err := m.NC3(w); err != nil || !nearNC3(nc3, NC3{0, 0, 1}, 1e-13) {
			t.Errorf("p, C = %v: %+v, %v, should be 0, 0, 1", size, nc3, err)
		}
		if uneven := slices.Max(s.counts()) > slices.Min(s.counts()); uneven && c > 2 {
			if nc2 := s.gather(t, Config{}, random).NC2(); nc2.AngleSpread < 1e-3 || nc2.ETFDistance < 1e-3 {
				t.Errorf("p, C = %v: %+v about the mean of samples %v", size, nc2, s.counts())
			}
		}
		g := Prototypes(w)
		angle := math.Acos(-1/float64(c-1)) * 180 / math.Pi
		if !near(g.NormRatio, 1, 1e-14) || !near(g.SmallestAngle, angle, 1e-12) || !near(g.MeanAngle, angle, 1e-12) ||
			!near(g.LargestAngle, angle, 1e-12) {
			t.Errorf("p, C = %v: %+v, should be norms 1 and angles %g°", size, g, angle)
		}
		rule, err := m.NearestCentre()
		if err != nil {
			t.Fatal(err)
		}
		if err := AddDecisions(rule, s.h.RawMatrix().Data, s.labels, predicted); err != nil ||
			rule.Agreement(SampleWeighted) != 1 || rule.Accuracy(ClassBalanced) != 1 {
			t.Errorf("p, C = %v: agreement %g, %v", size, rule.Agreement(SampleWeighted), err)
		}
		// Without the shift, H is W M up to a factor, and its columns are those of W.
		for i, class := range s.labels {
			for k := range p {
				s.h.Set(i, k, 4*w.At(class, k))
			}
		}
		if d, err := s.gather(t, Config{}, random).DistanceToWM(w, 1/float64(c-1)); err != nil || d > 1e-14 {
			t.Errorf("p, C = %v: distance to WM %g, %v", size, d, err)
		}
		if d, err := s.gather(t, Config{Normalize: true}, random).DistanceToPrototypes(w); err != nil ||
			d > 1e-14*float64(len(s.labels)) {
			t.Errorf("p, C = %v: distance to the prototypes %g, %v", size, d, err)
		}
	}
}

// all has every quantity that Moments measures.
type all struct {
	nc1   NC1
	nc2   NC2
	nc3   NC3
	norms FeatureNorms
	wm    float64
}

func measure(t *testing.T, m *Moments, w mat.Matrix) all {
	t.Helper()
	nc1, err1 := m.NC1()
	nc3, err3 := m.NC3(w)
	wm, err := m.DistanceToWM(w, 0.1)
	if err := errors.Join(err1, err3, err); err != nil {
		t.Fatal(err)
	}
	return all{nc1, m.NC2(), nc3, m.FeatureNorms(), wm}
}

func (a all) near(b all, tolerance float64) bool {
	return nearNC1(a.nc1, b.nc1, tolerance) && nearNC2(a.nc2, b.nc2, tolerance) && nearNC3(a.nc3, b.nc3, tolerance) &&
		near(a.wm, b.wm, tolerance) &&
		near(a.norms.Mean/b.norms.Mean, 1, tolerance) && near(a.norms.Std/b.norms.Std, 1, tolerance) &&
		near(a.norms.Square/b.norms.Square, 1, tolerance)
}

// mergeable is a sample for the tests of merging, with its measures for some prototypes w.
type mergeable struct {
	sample
	config Config
	w      *mat.Dense
	whole  *Moments
	want   all
}

// eachMergeable runs a test for samples in which a class has several features. (The others have exact zeros, which
// TestNC1AgainstItsDefinition checks.)
func eachMergeable(t *testing.T, do func(t *testing.T, random *rand.Rand, s mergeable)) {
	each(t, func(t *testing.T, random *rand.Rand, s sample) {
		if slices.Max(s.counts()) == 1 {
			return
		}
		_, p := s.h.Dims()
		// on a line, all vectors have the same direction up to the sign
		config := Config{Within: ClassBalanced, Between: ClassBalanced, Normalize: p > 1 && random.IntN(2) == 0}
		m := mergeable{sample: s, w: normal(random, s.c, p, 1, 0), whole: s.gather(t, config, random)}
		m.config, m.want = m.whole.config, measure(t, m.whole, m.w)
		do(t, random, m)
	})
}

// TestOrder checks that the measures do not depend on the order of the samples.
func TestOrder(t *testing.T) {
	eachMergeable(t, func(t *testing.T, random *rand.Rand, s mergeable) {
		n, p := s.h.Dims()
		shuffled := sample{mat.NewDense(n, p, nil), make([]int, n), s.c}
		for i, j := range random.Perm(n) {
			shuffled.h.SetRow(i, s.h.RawRowView(j))
			shuffled.labels[i] = s.labels[j]
		}
		if got := measure(t, shuffled.gather(t, s.config, random), s.w); !got.near(s.want, 1e-9) {
			t.Errorf("in another order %+v, not %+v", got, s.want)
		}
	})
}

// TestMerging checks that merged parts have the measures of the whole sample, also if a part is empty.
func TestMerging(t *testing.T) {
	eachMergeable(t, func(t *testing.T, random *rand.Rand, s mergeable) {
		n, p := s.h.Dims()
		parts := make([]*Moments, 3)
		for k := range parts {
			parts[k], _ = New(s.config)
		}
		from := 0
		for k, to := range []int{random.IntN(n + 1), n} {
			to = max(from, to)
			if err := Add(parts[k], s.h.RawMatrix().Data[from*p:to*p], s.labels[from:to]); err != nil {
				t.Fatal(err)
			}
			from = to
		}
		for _, part := range parts[1:] { // the last part is empty
			if err := parts[0].Merge(part); err != nil {
				t.Fatal(err)
			}
		}
		if got := measure(t, parts[0], s.w); !got.near(s.want, 1e-9) || !slices.Equal(parts[0].Counts(), s.counts()) {
			t.Errorf("merged %+v, not %+v", got, s.want)
		}
	})
}

// TestMergingHalves merges two halves that have samples of every class, but different means.
func TestMergingHalves(t *testing.T) {
	eachMergeable(t, func(t *testing.T, random *rand.Rand, s mergeable) {
		n, p := s.h.Dims()
		moved := mat.NewDense(n, p, nil)
		moved.Apply(func(i, _ int, v float64) float64 { return 2*v - float64(s.labels[i]%3) }, s.h)
		both := sample{mat.NewDense(2*n, p, slices.Concat(s.h.RawMatrix().Data, moved.RawMatrix().Data)),
			slices.Concat(s.labels, s.labels), s.c}
		if err := s.whole.Merge(sample{moved, s.labels, s.c}.gather(t, s.config, random)); err != nil {
			t.Fatal(err)
		}
		want := measure(t, both.gather(t, s.config, random), s.w)
		if got := measure(t, s.whole, s.w); !got.near(want, 1e-9) {
			t.Errorf("halves with all classes merged %+v, not %+v", got, want)
		}
	})
}

// TestFloat32 checks that float32 features give the measures of their float64 copies.
func TestFloat32(t *testing.T) {
	eachMergeable(t, func(t *testing.T, random *rand.Rand, s mergeable) {
		var single []float32
		for i, v := range s.h.RawMatrix().Data {
			single = append(single, float32(v))
			s.h.RawMatrix().Data[i] = float64(float32(v))
		}
		narrow, _ := New(s.config)
		if err := Add(narrow, single, s.labels); err != nil {
			t.Fatal(err)
		}
		want := measure(t, s.gather(t, s.config, random), s.w)
		if got := measure(t, narrow, s.w); !got.near(want, 1e-9) {
			t.Errorf("float32 %+v, not %+v", got, want)
		}
	})
}

func TestInvariance(t *testing.T) {
	each(t, func(t *testing.T, random *rand.Rand, s sample) {
		if slices.Max(s.counts()) == 1 {
			return
		}
		n, p := s.h.Dims()
		w := normal(random, s.c, p, 1, 0)
		config := Config{Between: ClassBalanced}
		want := measure(t, s.gather(t, config, random), w)

		var qr mat.QR
		qr.Factorize(normal(random, p, p, 1, 0))
		var q, turned, turnedW mat.Dense
		qr.QTo(&q)
		turned.Mul(s.h, &q)
		turnedW.Mul(w, &q)
		turned.Scale(3, &turned)
		got := measure(t, sample{&turned, s.labels, s.c}.gather(t, config, random), &turnedW)
		got.norms.Mean, got.norms.Std, got.norms.Square = got.norms.Mean/3, got.norms.Std/3, got.norms.Square/9
		if !got.near(want, 1e-8) {
			t.Errorf("rotated and scaled %+v, not %+v", got, want)
		}
		moved := mat.DenseCopyOf(s.h)
		for i := range n {
			for k := range p {
				moved.Set(i, k, moved.At(i, k)+1e4*float64(k+1))
			}
		}
		got = measure(t, sample{moved, s.labels, s.c}.gather(t, config, random), w)
		got.norms, got.wm = want.norms, want.wm // these two change
		if !got.near(want, 1e-6) {
			t.Errorf("shifted by 1e4 %+v, not %+v", got, want)
		}
	})
}

// The variances are 2/3, and the features are around ±1e8. A sum of squares without a shift would lose the variances.
func TestLargeMean(t *testing.T) {
	s := sample{mat.NewDense(6, 1, []float64{1e8, 1e8 + 1, 1e8 + 2, -1e8, -1e8 + 1, -1e8 + 2}), []int{0, 0, 0, 1, 1, 1},
		2}
	nc1, err := s.gather(t, Config{}, rand.New(rand.NewPCG(1, 1))).NC1()
	if want := 2. / 3 / 1e16; err != nil || !near(nc1.Quotient/want, 1, 1e-14) || !near(nc1.Trace/(want/2), 1, 1e-14) ||
		!near(nc1.CDNV/(2./3/4e16), 1, 1e-14) {
		t.Errorf("%+v, %v", nc1, err)
	}
}

// Two of three class means coincide up to the last digit, which is not small far from the origin. Their difference must
// not count as a direction of Σ_B.
func TestCoincidingMeansFarAway(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 1))
	const n, p = 12, 4
	near0, far := sample{mat.NewDense(3*n, p, nil), nil, 3}, sample{mat.NewDense(3*n, p, nil), nil, 3}
	for i := range 3 * n {
		class := i / n
		near0.labels = append(near0.labels, class)
		for k := range p {
			v := random.NormFloat64()
			if i%2 == 1 { // the mean of every two samples is the mean of the class
				v = -near0.h.At(i-1, k)
				if class == 2 && k == 0 {
					v += 20
				}
			} else if class == 2 && k == 0 {
				v += 10
			}
			near0.h.Set(i, k, v)
			v += 1e8 / 3
			if class == 1 {
				v = math.Nextafter(v, math.Inf(1))
			}
			far.h.Set(i, k, v)
		}
	}
	far.labels = near0.labels
	want := near0.nc1(SampleWeighted, SampleWeighted).Trace
	m := far.gather(t, Config{}, random)
	if got, err := m.NC1(); err != nil || !near(got.Trace/want, 1, 1e-6) {
		t.Errorf("%g, %v, near the origin %g", got.Trace, err, want)
	}
	if means := m.Means(); mat.Equal(means.RowView(0), means.RowView(1)) {
		t.Error("the means coincide exactly: nothing was tested")
	}
}

func TestUndefined(t *testing.T) {
	same := sample{mat.NewDense(4, 2, []float64{.1, .7, .1, .7, .1, .7, .1, .7}), []int{0, 1, 0, 1}, 2}
	random := rand.New(rand.NewPCG(1, 1))
	nc1, err := same.gather(t, Config{}, random).NC1()
	if err != nil || !math.IsNaN(nc1.Trace) || !math.IsNaN(nc1.Quotient) || !math.IsNaN(nc1.CDNV) {
		t.Errorf("all features equal: %+v, %v, should be NaN", nc1, err)
	}
	spread := sample{mat.NewDense(4, 1, []float64{1, 1, 3, 3}), []int{0, 1, 0, 1}, 2}
	nc1, err = spread.gather(t, Config{}, random).NC1()
	if err != nil || !math.IsNaN(nc1.Trace) || !math.IsInf(nc1.Quotient, 1) || !math.IsInf(nc1.CDNV, 1) {
		t.Errorf("coinciding class means: %+v, %v, should be NaN, +Inf, +Inf", nc1, err)
	}
	for _, labels := range [][]int{nil, {1, 1}} {
		m, _ := New(Config{Classes: 3, Dimension: 2})
		if err := Add(m, make([]float32, 2*len(labels)), labels); err != nil {
			t.Fatal(err)
		}
		nc1, err := m.NC1()
		nc2 := m.NC2()
		nc3, err3 := m.NC3(mat.NewDense(3, 2, nil))
		if err != nil || err3 != nil || !math.IsNaN(nc1.Trace) || !math.IsNaN(nc2.ETFDistance) ||
			!math.IsNaN(nc3.Distance) {
			t.Errorf("labels %v: %+v, %+v, %+v", labels, nc1, nc2, nc3)
		}
		if norms := m.FeatureNorms(); (len(labels) == 0) != math.IsNaN(norms.Mean) {
			t.Errorf("labels %v: %+v", labels, norms)
		}
		if means := m.Means(); !math.IsNaN(means.At(2, 0)) || !math.IsNaN(m.ClassNorms()[2]) {
			t.Errorf("class 2 has no sample, but a mean: %v", mat.Formatted(means))
		}
		if rule, err := m.NearestCentre(); (len(labels) == 0) != (err != nil) {
			t.Errorf("labels %v: rule %v, %v", labels, rule, err)
		}
	}
	if g := Prototypes(mat.NewDense(2, 2, []float64{0, 0, 1, 0})); !math.IsNaN(g.SmallestAngle) ||
		g.SmallestNorm != 0 || !math.IsInf(g.NormRatio, 1) {
		t.Errorf("%+v of a zero prototype", g)
	}
}

func TestErrors(t *testing.T) {
	for _, config := range []Config{{Classes: 1, Dimension: 3}, {Classes: 2}, {Classes: 2, Dimension: 1,
		Sizes: []int{1}}, {Classes: 2, Dimension: 1, Sizes: []int{1, -1}}, {Classes: 2, Dimension: 1, Within: 2}} {
		if _, err := New(config); err == nil {
			t.Errorf("%+v: no error", config)
		}
	}
	m, _ := New(Config{Classes: 3, Dimension: 2, Within: ClassBalanced})
	for _, test := range []struct {
		features []float64
		labels   []int8
		want     string
	}{
		{[]float64{1, 2, 3}, []int8{0}, "3 numbers"},
		{[]float64{1, 2, 3, 4}, []int8{0, 3}, "label 3 of sample 1"},
		{[]float64{1, 2, 3, 4}, []int8{-1, 2}, "label -1 of sample 0"},
		{[]float64{1, 2, 3, math.NaN()}, []int8{0, 2}, "feature 1 of sample 1 is NaN"},
		{[]float64{1, math.Inf(-1)}, []int8{0}, "feature 1 of sample 0 is -Inf"},
	} {
		err := Add(m, test.features, test.labels)
		if err == nil || !strings.Contains(err.Error(), test.want) ||
			errors.Is(err, ErrNotFinite) != strings.HasPrefix(test.want, "feature") {
			t.Errorf("%v: error %v, should say %q", test, err, test.want)
		}
	}
	if !slices.Equal(m.Counts(), []int{0, 0, 0}) {
		t.Error("something was added with an error")
	}
	if err := Add(m, []float64{1, 2, 3, 4, 5, 6}, []int8{0, 2, 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.NC1(); err == nil || !strings.Contains(err.Error(), "class 2") {
		t.Errorf("unequal classes without Sizes: error %v", err)
	}
	if _, err := m.NC3(mat.NewDense(2, 3, nil)); err == nil {
		t.Error("prototypes of another shape: no error")
	}
	if _, err := m.DistanceToWM(mat.NewDense(3, 2, []float64{0, 0, 0, math.NaN(), 0, 0}), 0); !errors.Is(err,
		ErrNotFinite) {
		t.Errorf("a NaN prototype: error %v", err)
	}
	if _, err := m.DistanceToPrototypes(mat.NewDense(3, 2, nil)); err == nil {
		t.Error("distance to the prototypes without Normalize: no error")
	}
	other, _ := New(Config{Classes: 3, Dimension: 2})
	if err := m.Merge(other); err == nil {
		t.Error("other weighting: merged")
	}
	rule, _ := m.NearestCentre()
	if err := AddDecisions(rule, []float64{1, 2}, []int{0}, []int{3}); err == nil || !strings.Contains(err.Error(),
		"prediction 3") {
		t.Errorf("prediction out of range: error %v", err)
	}
	if err := AddDecisions(rule, []float64{1, 2}, []int{0}, []int{0, 1}); err == nil {
		t.Error("two predictions for a sample: no error")
	}
	if err := Add(other, []float64{1, 2}, []int{0}); err != nil {
		t.Fatal(err)
	}
	strange, _ := other.NearestCentre()
	if err := rule.Merge(strange); err == nil {
		t.Error("other centres: merged")
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, size := range [][2]int{{128, 10}, {512, 10}, {512, 100}, {2048, 100}} {
		p, c := size[0], size[1]
		b.Run(fmt.Sprintf("p=%d/C=%d/batch=256", p, c), func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 1))
			features, labels := make([]float32, 256*p), make([]int, 256)
			for i := range features {
				features[i] = float32(random.NormFloat64())
			}
			for i := range labels {
				labels[i] = random.IntN(c)
			}
			m, err := New(Config{Classes: c, Dimension: p})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := Add(m, features, labels); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(256*float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
