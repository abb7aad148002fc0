package metrics

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// golden is a sample of four classes with prototypes, in whole numbers that any language can compute: feature k of
// sample i of class c is (7c + 3i + 5k + ck² + i²(k+1)) mod 13 − 4, plus 3 if k = c. Element k of prototype c is (5c +
// 3k + ck) mod 7 − 2, plus 4 if k = c.
func golden(counts [4]int) (s sample, w *mat.Dense, predictions []int) {
	const c, p = 4, 6
	n := counts[0] + counts[1] + counts[2] + counts[3]
	s, w = sample{mat.NewDense(n, p, nil), nil, c}, mat.NewDense(c, p, nil)
	for class, count := range counts {
		for i := range count {
			for k := range p {
				v := (7*class+3*i+5*k+class*k*k+i*i*(k+1))%13 - 4
				if k == class {
					v += 3
				}
				s.h.Set(len(s.labels), k, float64(v))
			}
			s.labels = append(s.labels, class)
		}
		for k := range p {
			v := (5*class+3*k+class*k)%7 - 2
			if k == class {
				v += 4
			}
			w.Set(class, k, float64(v))
		}
	}
	for i := range n {
		var logits mat.VecDense
		logits.MulVec(w, s.h.RowView(i))
		best := 0
		for class := range c {
			if logits.AtVec(class) > logits.AtVec(best) {
				best = class
			}
		}
		predictions = append(predictions, best)
	}
	return s, w, predictions
}

// The expected numbers were computed from these samples by published code, in float64, with PyTorch and SciPy:
//   - hpd: function analysis of github.com/neuralcollapse/neuralcollapse, neuralcollapse.ipynb, the authors' example
//     code for Papyan, Han and Donoho (2020) and Han, Papyan and Donoho (2022). Its Sw_invSb lacks the 1/C of the
//     paper's formula, its deviations of norms divide by C − 1, and its W_M_dist is squared. It pools samples and
//     averages class means alike.
//   - zhu: github.com/tding1/Neural-Collapse of Zhu et al. (2021): collapse_metric and WH_relation_metric of
//     validate_NC.py, compute_ETF of plot.py on the prototypes and on the class means less the mean of the samples. For
//     unequal sizes its collapse_metric takes the mean of the samples but averages Σ_B over classes alike, which
//     neither Weighting is. So it is compared for equal sizes only.
func TestGolden(t *testing.T) {
	type hpd struct{ SwInvSb, normMCoV, normWCoV, cosM, cosW, WMDist, mismatch float64 }
	type zhu struct{ collapse, WH, etfW, etfM float64 }
	for _, test := range []struct {
		counts [4]int
		hpd    hpd
		zhu    zhu
	}{
		{[4]int{5, 5, 5, 5},
			hpd{10.92920912776524, 0.3073538660415128, 0.19655062791033306, 0.23996748028076628, 0.7974358486332737,
				1.3857380301402644, 0.5},
			zhu{2.7323022819413105, 1.09719930236632, 1.1360865830649163, 0.564273588166981}},
		{[4]int{5, 4, 2, 3},
			hpd{4.41965379371266, 0.3556235834257867, 0.19655062791033306, 0.348186511579607, 0.7974358486332737,
				1.5703052325919742, 1 - 5./14},
			zhu{math.NaN(), 1.1860456515584084, 1.1360865830649163, 0.7235060960715597}},
	} {
		s, w, predictions := golden(test.counts)
		random := rand.New(rand.NewPCG(4, 4))
		check := func(name string, got, want float64) {
			t.Helper()
			if !(math.Abs(got-want) <= 1e-12*math.Abs(want)) {
				t.Errorf("%v: %s is %.16g, should be %.16g", test.counts, name, got, want)
			}
		}
		m := s.gather(t, Config{Between: ClassBalanced}, random)
		nc1, err := m.NC1()
		if err != nil {
			t.Fatal(err)
		}
		nc3, err := m.NC3(w)
		if err != nil {
			t.Fatal(err)
		}
		rule, err := m.NearestCentre()
		if err != nil {
			t.Fatal(err)
		}
		if err := AddDecisions(rule, s.h.RawMatrix().Data, s.labels, predictions); err != nil {
			t.Fatal(err)
		}
		nc2, nc2w, unbiased := m.NC2(), PrototypeNC2(w), math.Sqrt(4./3)
		check("NC1 trace", 4*nc1.Trace, test.hpd.SwInvSb)
		check("NC2 norm spread of means", unbiased*nc2.NormSpread, test.hpd.normMCoV)
		check("NC2 norm spread of prototypes", unbiased*nc2w.NormSpread, test.hpd.normWCoV)
		check("NC2 angle distance of means", nc2.AngleDistance, test.hpd.cosM)
		check("NC2 angle distance of prototypes", nc2w.AngleDistance, test.hpd.cosW)
		check("NC3 distance", nc3.Distance*nc3.Distance, test.hpd.WMDist)
		check("NC4 mismatch", 1-rule.Agreement(SampleWeighted), test.hpd.mismatch)

		m = s.gather(t, Config{}, random)
		if nc1, err = m.NC1(); err != nil {
			t.Fatal(err)
		}
		if nc3, err = m.NC3(w); err != nil {
			t.Fatal(err)
		}
		if test.counts == [4]int{5, 5, 5, 5} {
			check("NC1 trace", nc1.Trace, test.zhu.collapse)
		}
		check("NC3 Gram distance", nc3.GramDistance, test.zhu.WH)
		check("NC2 ETF distance of prototypes", nc2w.ETFDistance, test.zhu.etfW)
		check("NC2 ETF distance of means", m.NC2().ETFDistance, test.zhu.etfM)
	}
}
