package metrics_test

import (
	"fmt"

	"github.com/unhinged-lab/lab/unhinged/etf"
	"github.com/unhinged-lab/lab/unhinged/metrics"
)

// There are two batches of features near the prototypes of an ETF, with classes of three, two and one samples. The
// moments for NC1 to NC3 are accumulated first, and then the decisions for NC4.
func Example() {
	columns, err := etf.Simplex(2, 3, 0)
	if err != nil {
		panic(err)
	}
	w := columns.T() // [C, p]
	at := func(class int, by float32) []float32 {
		return []float32{5*float32(w.At(class, 0)) + by, 5 * float32(w.At(class, 1))}
	}
	batches := [][]float32{
		append(append(at(0, 0.2), at(1, -0.1)...), at(2, 0)...),
		append(append(at(0, 0), at(0, -0.2)...), at(1, 0.1)...),
	}
	labels := [][]int32{{0, 1, 2}, {0, 0, 1}}

	moments, err := metrics.New(metrics.Config{
		Classes: 3, Dimension: 2,
		Within: metrics.ClassBalanced, Sizes: []int{3, 2, 1},
		Between: metrics.ClassBalanced,
	})
	if err != nil {
		panic(err)
	}
	for i, features := range batches {
		if err := metrics.Add(moments, features, labels[i]); err != nil {
			panic(err)
		}
	}
	nc1, err := moments.NC1()
	if err != nil {
		panic(err)
	}
	nc3, err := moments.NC3(w)
	if err != nil {
		panic(err)
	}
	fmt.Printf("NC1 tr(Σ_W Σ_B⁺)/C %.6f, tr Σ_W/tr Σ_B %.6f, CDNV %.6f\n", nc1.Trace, nc1.Quotient, nc1.CDNV)
	fmt.Printf("NC2 ETF distance %.4f, NC3 %.4f\n", moments.NC2().ETFDistance, nc3.Distance)

	rule, err := moments.NearestCentre()
	if err != nil {
		panic(err)
	}
	predictions := [][]int32{{0, 1, 2}, {0, 2, 1}} // one sample of class 0 is wrong
	for i, features := range batches {
		if err := metrics.AddDecisions(rule, features, labels[i], predictions[i]); err != nil {
			panic(err)
		}
	}
	fmt.Printf("NC4 agreement %.4f of samples, %.4f class-balanced\n", rule.Agreement(metrics.SampleWeighted),
		rule.Agreement(metrics.ClassBalanced))
	// Output:
	// NC1 tr(Σ_W Σ_B⁺)/C 0.000326, tr Σ_W/tr Σ_B 0.000489, CDNV 0.000163
	// NC2 ETF distance 0.0000, NC3 0.0000
	// NC4 agreement 0.8333 of samples, 0.8889 class-balanced
}
