// Package metrics measures neural collapse, NC1 to NC4 of Papyan, Han and Donoho (2020), and the distances, angles and
// norms that go with it, in one pass over the features, in float64.
//
// Moments collects, batch by batch, the sums from which NC1, NC2, NC3, the distance ‖Ĥ − ŴM‖ and the feature norms
// follow. NearestCentre counts the decisions for NC4. PrototypeNC2 and Prototypes measure the classifier alone. Shapes
// are those of the heads: features [batch, p] and prototypes [C, p], with a row for each sample or class.
//
// With classes of unequal sizes, an average over samples can be defined in two ways, and papers about equal sizes do
// not say which one they mean: see Weighting.
package metrics

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Weighting is the weight π_c of class c, with n_c of the n samples, in an average. For classes of equal sizes the two
// weightings agree, and give the definitions of the papers. For unequal sizes, the example code of Papyan, Han and
// Donoho (2020) uses Config{Within: SampleWeighted, Between: ClassBalanced}.
type Weighting int

const (
	SampleWeighted Weighting = iota // every sample has the same weight, π_c = n_c/n
	ClassBalanced                   // every class has the same weight, π_c = 1/C
)

// Config has the settings of Moments. A class without samples has no mean: it is left out of every average, and C is
// then the number of the other classes.
type Config struct {
	Classes   int // C
	Dimension int // p, of the features

	// Within is the weighting of the classes in Σ_W = Σ_c π_c Cov(h | c). Between is the weighting in the global mean
	// μ_G = Σ_c π_c μ_c, in Σ_B = Σ_c π_c (μ_c − μ_G)(μ_c − μ_G)ᵀ and in the mean feature norm. If both are the same,
	// Σ_W + Σ_B is the covariance of the features with this weighting.
	Within, Between Weighting

	// Sizes are the numbers of samples that each class will have, or numbers in the same proportion. Only a
	// class-balanced Σ_W needs them, because the samples are weighted when they are added to the p×p sum over all
	// classes. nil means that the classes have equal sizes.
	Sizes []int

	// Normalize divides every feature by its norm before it is added, as heads with NormalizeFeatures do. A zero
	// feature stays zero.
	Normalize bool
}

// ErrNotFinite is wrapped by errors about NaN or ±Inf.
var ErrNotFinite = errors.New("not finite")

// Moments holds the sizes, means and variances of the classes, and the pooled scatter about the class means, of the
// features added so far. It takes 8p² + 8Cp bytes and a few MB of working memory. It must not be used concurrently: use
// several Moments and Merge them.
type Moments struct {
	config  Config
	counts  []int
	means   *mat.Dense // [C, p]
	squares []float64  // Σ_{i in c} ‖h_i − μ_c‖²
	norms   []series   // of ‖h_i‖, before Normalize
	scatter []float64  // [p, p], upper triangle: Σ_i ω_{y_i} (h_i − μ_{y_i})(h_i − μ_{y_i})ᵀ

	rows   []float64 // working memory: features of a block of samples, then corrections of classes
	shifts []float64 // [classes of a block, p]
}

// blockRows is the number of samples in a block, which is large enough for efficient matrix products.
const blockRows = 256

// New returns Moments of no samples. It is an error if C < 2 or p < 1, or if Sizes are not C numbers ≥ 0.
func New(config Config) (*Moments, error) {
	c, p := config.Classes, config.Dimension
	switch {
	case c < 2 || p < 1:
		return nil, fmt.Errorf("metrics: %d classes in dimension %d: need at least 2 in at least 1", c, p)
	case config.Sizes != nil && len(config.Sizes) != c:
		return nil, fmt.Errorf("metrics: sizes of %d classes, there are %d", len(config.Sizes), c)
	case config.Sizes != nil && slices.Min(config.Sizes) < 0:
		return nil, fmt.Errorf("metrics: a class of %d samples", slices.Min(config.Sizes))
	}
	for _, w := range []Weighting{config.Within, config.Between} {
		if w != SampleWeighted && w != ClassBalanced {
			return nil, fmt.Errorf("metrics: weighting %d: need SampleWeighted or ClassBalanced", w)
		}
	}
	config.Sizes = slices.Clone(config.Sizes)
	return &Moments{
		config: config, counts: make([]int, c), means: mat.NewDense(c, p, nil), squares: make([]float64, c),
		norms:   make([]series, c),
		scatter: make([]float64, p*p), rows: make([]float64, (blockRows+min(c, blockRows))*p), shifts: make([]float64,
			min(c, blockRows)*p),
	}, nil
}

// Float is the type of features, Integer that of class numbers.
type (
	Float interface{ ~float32 | ~float64 }

	Integer interface {
		~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64
	}
)

// Add adds a batch of any size: features [batch, p], row by row, and the class 0…C−1 of each. If there is an error (a
// wrong size, a label out of range, or a feature that is ErrNotFinite), nothing is added.
func Add[F Float, L Integer](m *Moments, features []F, labels []L) error {
	p := m.config.Dimension
	if err := errors.Join(checkFeatures(features, len(labels), p), checkClasses("label", labels,
		m.config.Classes)); err != nil {
		return err
	}
	classes := make([]int, 0, blockRows)
	for from := 0; from < len(labels); from += blockRows {
		to := min(from+blockRows, len(labels))
		convert(m.rows, features[from*p:to*p])
		classes = classes[:0]
		for _, label := range labels[from:to] {
			classes = append(classes, int(label))
		}
		m.add(m.rows[:(to-from)*p], classes)
	}
	return nil
}

func checkClasses[L Integer](name string, labels []L, classes int) error {
	for i, label := range labels {
		if label < 0 || uint64(label) >= uint64(classes) {
			return fmt.Errorf("metrics: %s %d of sample %d is no class: need 0 to %d", name, label, i, classes-1)
		}
	}
	return nil
}

func checkFeatures[F Float](features []F, samples, p int) error {
	if len(features) != samples*p {
		return fmt.Errorf("metrics: %d numbers are not the features of %d samples in dimension %d", len(features),
			samples, p)
	}
	for i, v := range features {
		if v-v != 0 {
			return fmt.Errorf("metrics: feature %d of sample %d is %g: %w", i%p, i/p, v, ErrNotFinite)
		}
	}
	return nil
}

func convert[F Float](to []float64, from []F) {
	for i, v := range from {
		to[i] = float64(v)
	}
}

// add adds a block, x [≤ blockRows, p], which it overwrites, following Chan, Golub and LeVeque (1983): m samples with
// mean μ + δ and scatter S' add S' + nm/(n+m) δδᵀ to the scatter of n samples with mean μ. All differences are taken
// from the current mean: equal features then have a scatter of exactly zero, and a large mean costs no precision.
func (m *Moments) add(x []float64, classes []int) {
	p := m.config.Dimension
	slots := make(map[int]int, len(classes)) // class → its row of shifts
	var present, batch []int                 // slot → class, and its samples in the block
	for i, c := range classes {
		row := x[i*p : (i+1)*p]
		norm := floats.Norm(row, 2)
		m.norms[c].add(norm)
		if m.config.Normalize && norm > 0 {
			floats.Scale(1/norm, row)
		}
		s, ok := slots[c]
		if !ok {
			s = len(present)
			slots[c] = s
			present, batch = append(present, c), append(batch, 0)
			clear(m.shifts[s*p : (s+1)*p])
			if m.counts[c] == 0 {
				m.means.SetRow(c, row)
			}
		}
		batch[s]++
		floats.Sub(row, m.means.RawRowView(c))
		floats.Add(m.shifts[s*p:(s+1)*p], row)
	}
	for s, count := range batch {
		floats.Scale(1/float64(count), m.shifts[s*p:(s+1)*p])
	}
	for i, c := range classes {
		s, row := slots[c], x[i*p:(i+1)*p]
		floats.Sub(row, m.shifts[s*p:(s+1)*p])
		m.squares[c] += floats.Dot(row, row)
		if w := m.weight(c); w != 1 {
			floats.Scale(math.Sqrt(w), row)
		}
	}
	for s, c := range present {
		shift := m.shifts[s*p : (s+1)*p]
		x = append(x, shift...) // within the capacity of m.rows
		m.move(c, batch[s], x[len(x)-p:])
	}
	m.addScatter(x)
}

// move updates the mean and the variance of class c for count new samples with the mean μ_c + shift. Their own scatter
// is added elsewhere. It sets shift to the row vector r for which the scatter has to grow by rᵀr.
func (m *Moments) move(c, count int, shift []float64) {
	n, k := float64(m.counts[c]), float64(count)
	floats.AddScaled(m.means.RawRowView(c), k/(n+k), shift)
	factor := n / (n + k) * k
	m.squares[c] += factor * floats.Dot(shift, shift)
	m.counts[c] += count
	floats.Scale(math.Sqrt(m.weight(c)*factor), shift)
}

// weight returns ω_c, the weight of a sample of class c in the scatter.
func (m *Moments) weight(c int) float64 {
	if m.config.Within == SampleWeighted || m.config.Sizes == nil {
		return 1
	}
	if m.config.Sizes[c] == 0 { // the class should have no samples: covariance returns the error
		return 0
	}
	return 1 / float64(m.config.Sizes[c])
}

// addScatter adds XᵀX to the upper triangle of the scatter, block column by block column.
func (m *Moments) addScatter(x []float64) {
	const width = 128
	p := m.config.Dimension
	n := len(x) / p
	for from := 0; from < p; from += width {
		to := min(from+width, p)
		blas64.Gemm(blas.Trans, blas.NoTrans, 1,
			blas64.General{Rows: n, Cols: to, Stride: p, Data: x},
			blas64.General{Rows: n, Cols: to - from, Stride: p, Data: x[from:]},
			1, blas64.General{Rows: to, Cols: to - from, Stride: p, Data: m.scatter[from:]})
	}
}

// Merge adds the samples of other, as if they had been added to m. Both must have the same Config; other does not
// change.
func (m *Moments) Merge(other *Moments) error {
	a, b := m.config, other.config
	if a.Classes != b.Classes || a.Dimension != b.Dimension || a.Within != b.Within || a.Between != b.Between ||
		a.Normalize != b.Normalize || !slices.Equal(a.Sizes, b.Sizes) {
		return fmt.Errorf("metrics: moments of %+v do not merge with those of %+v", b, a)
	}
	floats.Add(m.scatter, other.scatter)
	p := a.Dimension
	x := m.rows[:0]
	for c, count := range other.counts {
		if count == 0 {
			continue
		}
		mean := other.means.RawRowView(c)
		if m.counts[c] == 0 {
			m.means.SetRow(c, mean)
		}
		x = append(x, mean...)
		shift := x[len(x)-p:]
		floats.Sub(shift, m.means.RawRowView(c))
		m.squares[c] += other.squares[c]
		m.norms[c].merge(other.norms[c])
		m.move(c, count, shift)
		if len(x) == blockRows*p {
			m.addScatter(x)
			x = x[:0]
		}
	}
	if len(x) > 0 {
		m.addScatter(x)
	}
	return nil
}

// Counts returns the number of samples of each class. Classes without samples are left out of the measures.
func (m *Moments) Counts() []int { return slices.Clone(m.counts) }

// Means returns the class means μ_c, [C, p]; NaN for a class without a sample.
func (m *Moments) Means() *mat.Dense {
	means := mat.DenseCopyOf(m.means)
	for c, count := range m.counts {
		if count == 0 {
			for k := range m.config.Dimension {
				means.Set(c, k, math.NaN())
			}
		}
	}
	return means
}

// present returns the classes that have a sample.
func (m *Moments) present() []int {
	var present []int
	for c, count := range m.counts {
		if count > 0 {
			present = append(present, c)
		}
	}
	return present
}

// shares returns π_c of every class.
func (w Weighting) shares(counts []int) []float64 {
	shares := make([]float64, len(counts))
	for c, count := range counts {
		switch {
		case w == SampleWeighted:
			shares[c] = float64(count)
		case count > 0:
			shares[c] = 1
		}
	}
	floats.Scale(1/floats.Sum(shares), shares)
	return shares
}

// centred returns μ_c − μ_G of the classes that have a sample, a class a row; nil if none has.
func (m *Moments) centred() *mat.Dense {
	present := m.present()
	if len(present) == 0 {
		return nil
	}
	shares := m.config.Between.shares(m.counts)
	global := make([]float64, m.config.Dimension)
	origin := m.means.RawRowView(present[0]) // equal means centre to exactly 0
	centred := mat.NewDense(len(present), m.config.Dimension, nil)
	for k, c := range present {
		row := centred.RawRowView(k)
		floats.SubTo(row, m.means.RawRowView(c), origin)
		floats.AddScaled(global, shares[c], row)
	}
	for k := range present {
		floats.Sub(centred.RawRowView(k), global)
	}
	return centred
}

// rowsOf checks that w is [C, p] and finite, and returns the rows of the classes that have a sample; nil if none has.
func (m *Moments) rowsOf(w mat.Matrix) (*mat.Dense, error) {
	rows, cols := w.Dims()
	if rows != m.config.Classes || cols != m.config.Dimension {
		return nil, fmt.Errorf("metrics: prototypes [%d, %d] for features of %d classes in dimension %d", rows, cols,
			m.config.Classes, m.config.Dimension)
	}
	all := mat.DenseCopyOf(w)
	for i, v := range all.RawMatrix().Data {
		if v-v != 0 {
			return nil, fmt.Errorf("metrics: prototype of class %d has a %g: %w", i/cols, v, ErrNotFinite)
		}
	}
	present := m.present()
	if len(present) == 0 {
		return nil, nil
	}
	out := mat.NewDense(len(present), cols, nil)
	for k, c := range present {
		out.SetRow(k, all.RawRowView(c))
	}
	return out, nil
}
