package metrics

import (
	"errors"
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// NearestCentre compares a classifier's decisions with the rule argmin_c ‖h − μ_c‖, NC4 of Papyan, Han and Donoho
// (2020). The centres must be known before the first decision: they are the class means of the training features, which
// take a pass of their own. The decisions are on training or on test features. It must not be used concurrently: use
// several and Merge them.
type NearestCentre struct {
	p         int
	normalize bool
	classes   []int      // that have a centre
	centres   *mat.Dense // [len(classes), p], from their mean
	origin    []float64
	half      []float64 // ‖centre‖²/2

	counts, agreed, correct []int // of each class

	rows, scores []float64 // of a block of samples
}

// NearestCentre returns the rule with the class means of m, and no decisions yet. Config.Normalize also applies to the
// features of the decisions. Classes without samples have no centre and are never the nearest one. It is an error if no
// class has samples.
func (m *Moments) NearestCentre() (*NearestCentre, error) {
	present := m.present()
	if len(present) == 0 {
		return nil, errors.New("metrics: no features were added: there are no class centres")
	}
	p, c := m.config.Dimension, m.config.Classes
	n := &NearestCentre{
		p: p, normalize: m.config.Normalize, classes: present, centres: mat.NewDense(len(present), p, nil),
		origin: make([]float64, p), half: make([]float64, len(present)),
		counts: make([]int, c), agreed: make([]int, c), correct: make([]int, c),
		rows: make([]float64, blockRows*p), scores: make([]float64, blockRows*len(present)),
	}
	for _, c := range present {
		floats.AddScaled(n.origin, 1/float64(len(present)), m.means.RawRowView(c))
	}
	for k, c := range present {
		row := n.centres.RawRowView(k)
		floats.SubTo(row, m.means.RawRowView(c), n.origin)
		n.half[k] = floats.Dot(row, row) / 2
	}
	return n, nil
}

// AddDecisions adds the predictions of a classifier for a batch: features [batch, p], the class of each and the
// predicted class, 0…C−1. The errors are those of Add; if there is one, nothing is added.
func AddDecisions[F Float, L, P Integer](n *NearestCentre, features []F, labels []L, predictions []P) error {
	if len(predictions) != len(labels) {
		return fmt.Errorf("metrics: %d predictions for %d samples", len(predictions), len(labels))
	}
	err := errors.Join(checkFeatures(features, len(labels), n.p), checkClasses("label", labels, len(n.counts)),
		checkClasses("prediction", predictions, len(n.counts)))
	if err != nil {
		return err
	}
	for from := 0; from < len(labels); from += blockRows {
		to := min(from+blockRows, len(labels))
		convert(n.rows, features[from*n.p:to*n.p])
		for i, nearest := range n.nearest(to - from) {
			c := int(labels[from+i])
			n.counts[c]++
			if nearest == int(predictions[from+i]) {
				n.agreed[c]++
			}
			if nearest == c {
				n.correct[c]++
			}
		}
	}
	return nil
}

// nearest returns the class of the nearest centre for each of the first count rows, the first one of equally near
// centres: argmax_c hᵀμ_c − ‖μ_c‖²/2.
func (n *NearestCentre) nearest(count int) []int {
	for i := range count {
		row := n.rows[i*n.p : (i+1)*n.p]
		if norm := floats.Norm(row, 2); n.normalize && norm > 0 {
			floats.Scale(1/norm, row)
		}
		floats.Sub(row, n.origin)
	}
	c := len(n.classes)
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, blas64.General{Rows: count, Cols: n.p, Stride: n.p, Data: n.rows},
		n.centres.RawMatrix(),
		0, blas64.General{Rows: count, Cols: c, Stride: c, Data: n.scores})
	nearest := make([]int, count)
	for i := range nearest {
		scores := n.scores[i*c : (i+1)*c]
		floats.Sub(scores, n.half)
		nearest[i] = n.classes[floats.MaxIdx(scores)]
	}
	return nearest
}

// Merge adds the decisions of other, which must have the same centres. other does not change.
func (n *NearestCentre) Merge(other *NearestCentre) error {
	if n.normalize != other.normalize || len(n.counts) != len(other.counts) || !floats.Equal(n.origin, other.origin) ||
		!mat.Equal(n.centres, other.centres) {
		return errors.New("metrics: decisions for other class centres cannot be merged")
	}
	for c := range n.counts {
		n.counts[c] += other.counts[c]
		n.agreed[c] += other.agreed[c]
		n.correct[c] += other.correct[c]
	}
	return nil
}

// Agreement returns the share of samples for which the classifier and the nearest centre have the same class: 1 if NC4
// holds. With ClassBalanced it is the mean over the classes of their shares. Papyan, Han and Donoho plot 1 − Agreement.
// It is NaN without decisions.
func (n *NearestCentre) Agreement(w Weighting) float64 { return n.share(n.agreed, w) }

// Accuracy returns the accuracy of the nearest-centre rule itself (Galanti, György and Hutter, 2022). NaN without
// decisions.
func (n *NearestCentre) Accuracy(w Weighting) float64 { return n.share(n.correct, w) }

func (n *NearestCentre) share(of []int, w Weighting) float64 {
	var sum, total float64
	for c, count := range n.counts {
		switch {
		case w == SampleWeighted:
			sum += float64(of[c])
			total += float64(count)
		case count > 0:
			sum += float64(of[c]) / float64(count)
			total++
		}
	}
	return sum / total
}
