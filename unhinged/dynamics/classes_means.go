package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// ClassMeans are prototypes and the means of the features of each class. Their values are exp(Log) times W and H.
type ClassMeans struct {
	W, H *mat.Dense // p×C
	Log  float64
}

// ClassMeans returns a state's prototypes and class means.
func (s *State) ClassMeans() (*ClassMeans, error) {
	pr, err := s.Project()
	if err != nil {
		return nil, err
	}
	means := mat.DenseCopyOf(pr.means)
	means.Apply(func(_, c int, v float64) float64 { return v / math.Sqrt(float64(s.Counts[c])) }, means)
	return &ClassMeans{W: mat.DenseCopyOf(s.W), H: means}, nil
}

// Unstructured returns the start that random ones tend to as p grows: prototypes orthogonal to each other and to all
// class means, with the norm 1, and class means orthogonal to each other, with the norm size/√n_c of a mean of n_c
// random features. It has p = 2C.
func Unstructured(sizes []int, size float64) *ClassMeans {
	c := len(sizes)
	start := &ClassMeans{W: mat.NewDense(2*c, c, nil), H: mat.NewDense(2*c, c, nil)}
	for y, n := range sizes {
		start.W.Set(y, y, 1)
		start.H.Set(c+y, y, size/math.Sqrt(float64(n)))
	}
	return start
}

// Cosine returns the cosine between the prototypes of two classes; NaN if one is 0.
func (m *ClassMeans) Cosine(i, j int) float64 {
	a, b := mat.Col(nil, i, m.W), mat.Col(nil, j, m.W)
	return floats.Dot(a, b) / (floats.Norm(a, 2) * floats.Norm(b, 2))
}

// NormW returns ‖w_c‖ without the factor exp(Log).
func (m *ClassMeans) NormW(c int) float64 { return mat.Norm(m.W.ColView(c), 2) }

// NormH returns the norm of class c's mean without the factor exp(Log).
func (m *ClassMeans) NormH(c int) float64 { return mat.Norm(m.H.ColView(c), 2) }

// Apart returns the distance of the prototypes of two classes, without the factor exp(Log).
func (m *ClassMeans) Apart(i, j int) float64 {
	return floats.Distance(mat.Col(nil, i, m.W), mat.Col(nil, j, m.W), 2)
}

// Decide returns the class that argmax_c w_cᵀh gives the mean of each class, without biases. With centred it is
// the rule of Appendix D.2, argmax_c w_cᵀ(h − h̄), with h̄ the mean of the class means: what all features share no
// longer counts.
func (m *ClassMeans) Decide(centred bool) []int {
	h := m.H
	if centred {
		h = mat.DenseCopyOf(m.H)
		p, c := h.Dims()
		for i := range p {
			row := h.RawRowView(i)
			floats.AddConst(-floats.Sum(row)/float64(c), row)
		}
	}
	l := new(mat.Dense)
	l.Mul(m.W.T(), h)
	return Predict(l)
}

// Accuracy returns the share of classes whose mean is decided right: accuracy on a balanced test set, as far as class
// means tell.
func (m *ClassMeans) Accuracy(centred bool) float64 {
	decided := m.Decide(centred)
	own := make([]int, len(decided))
	for c := range own {
		own[c] = c
	}
	return fraction(decided, own)
}

func (m *ClassMeans) validate(classes int) error {
	if m == nil || m.W == nil || m.H == nil {
		return fmt.Errorf("dynamics: class means without features H or prototypes W")
	}
	p, c := m.W.Dims()
	if rows, cols := m.H.Dims(); c != classes || rows != p || cols != c {
		return fmt.Errorf("dynamics: prototypes are %d×%d and class means %d×%d: both must be p×%d", p, c, rows, cols,
			classes)
	}
	if err := finite("prototypes W", m.W); err != nil {
		return err
	}
	return finite("class means H", m.H)
}
