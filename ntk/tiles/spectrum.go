package tiles

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Spectrum has the smallest and the largest eigenvalue of a symmetric kernel with the entries on disk, and bounds of
// their errors.
type Spectrum struct {
	Smallest, Largest float64
	// The kernel has an eigenvalue within SmallestBound of Smallest, and one within LargestBound of Largest. If Steps
	// is 0, these are its smallest and its largest eigenvalue. Otherwise its smallest eigenvalue is at most Smallest +
	// rounding, and its largest at least Largest − rounding. It is then likely, but not proven, that no eigenvalue lies
	// beyond the bounds: the starting vector is random, so that it has a component along every eigenvector.
	SmallestBound, LargestBound float64
	// Steps is the number of steps of Lanczos' method; 0 means that all eigenvalues were computed.
	Steps int
	// Rounding is a bound of the change of an eigenvalue by the rounding of the entries to their number type: its ε
	// times the largest sum of the absolute values of a row. This bounds the norm of any symmetric change of the
	// entries by up to ε of their size.
	Rounding float64
}

// PositiveSemiDefinite reports whether the smallest eigenvalue is not negative, up to rounding and the bound of its
// error.
func (s Spectrum) PositiveSemiDefinite() bool {
	return s.Smallest >= -s.Rounding-s.SmallestBound
}

func (s Spectrum) String() string {
	how := "all eigenvalues computed"
	if s.Steps > 0 {
		how = fmt.Sprintf("%d steps of Lanczos' method, bounds are residuals", s.Steps)
	}
	verdict := "positive semi-definite to rounding"
	if !s.PositiveSemiDefinite() {
		verdict = "NOT positive semi-definite"
	}
	return fmt.Sprintf("eigenvalues from %.6g ± %.1g to %.6g ± %.1g (%s); rounding of the entries moves them by up "+
		"to %.1g: %s",
		s.Smallest, s.SmallestBound, s.Largest, s.LargestBound, how, s.Rounding, verdict)
}

// SpectrumOptions of [Array.Spectrum]. Zero values are the defaults.
type SpectrumOptions struct {
	Exact     int     // compute all eigenvalues of matrices up to this size; 2,000
	Steps     int     // most steps of Lanczos' method; each reads half of the kernel from disk; 200
	Tolerance float64 // Lanczos' method stops at bounds of this size, relative to the largest eigenvalue; 1e-8
	// Progress, if set, is called after each step with the steps that are done, and with the most that there can be.
	Progress func(done, all int)
}

// Spectrum computes the extreme eigenvalues of a complete symmetric kernel. For a small kernel it computes all
// eigenvalues. For a larger one it uses Lanczos' method with full reorthogonalisation, which reads one tile at a time
// and keeps one vector for each step.
func (a *Array) Spectrum(ctx context.Context, o SpectrumOptions) (Spectrum, error) {
	if !a.store.Kernel.Symmetric {
		return Spectrum{}, fmt.Errorf("%s of %s is a kernel between two sets of examples: it has no eigenvalues",
			a.Name, a.store.Dir)
	}
	if o.Exact == 0 {
		o.Exact = 2000
	}
	if o.Steps == 0 {
		o.Steps = 200
	}
	if o.Tolerance == 0 {
		o.Tolerance = 1e-8
	}
	n := a.Shape[0] * a.meta.outputs()
	if n <= o.Exact {
		return a.exact(n)
	}
	return a.lanczos(ctx, n, o)
}

// epsilon returns the distance from 1 to the next number of the array's type.
func (a *Array) epsilon() float64 {
	if a.DType == Float32 {
		return 0x1p-23
	}
	return 0x1p-52
}

func (a *Array) exact(n int) (Spectrum, error) {
	sym, err := a.Sym()
	if err != nil {
		return Spectrum{}, err
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(sym, false) {
		return Spectrum{}, fmt.Errorf("%s: the eigenvalues did not converge", a.Name)
	}
	values := eigen.Values(nil)
	rows := 0.0
	for i := range n {
		row := 0.0
		for j := range n {
			row += math.Abs(sym.At(i, j))
		}
		rows = max(rows, row)
	}
	s := Spectrum{Smallest: values[0], Largest: values[n-1], Rounding: a.epsilon() * rows}
	bound := float64(n) * 0x1p-52 * max(math.Abs(values[0]), math.Abs(values[n-1])) // error of a backward stable method
	s.SmallestBound, s.LargestBound = bound, bound
	return s, nil
}

// lanczos builds an orthonormal basis of the Krylov space in which the kernel is tridiagonal, until the residuals β_m
// |s_m| of the extreme Ritz values are small. It then measures the residuals |Kx − θx|.
func (a *Array) lanczos(ctx context.Context, n int, o SpectrumOptions) (Spectrum, error) {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	v := mat.NewVecDense(n, nil)
	for i := range n {
		v.SetVec(i, random.NormFloat64())
	}
	v.ScaleVec(1/mat.Norm(v, 2), v)
	var basis []*mat.VecDense
	var diagonal, beside []float64 // of the tridiagonal matrix
	rows, err := a.largestRow(ctx)
	if err != nil {
		return Spectrum{}, err
	}
	for {
		w, err := a.times(ctx, v)
		if err != nil {
			return Spectrum{}, err
		}
		basis = append(basis, v)
		diagonal = append(diagonal, mat.Dot(v, w))
		for range 2 { // twice is enough
			for _, b := range basis {
				w.AddScaledVec(w, -mat.Dot(b, w), b)
			}
		}
		steps, norm := len(basis), mat.Norm(w, 2)
		if o.Progress != nil {
			o.Progress(steps, min(o.Steps, n))
		}
		last := steps >= min(o.Steps, n) || norm <= 0x1p-52*rows // or the space is invariant
		if last || steps%10 == 0 {
			low, high, err := ritz(diagonal, beside)
			if err != nil {
				return Spectrum{}, err
			}
			size := max(math.Abs(low.value), math.Abs(high.value))
			if last || norm*max(math.Abs(low.vector[steps-1]), math.Abs(high.vector[steps-1])) <= o.Tolerance*size {
				s := Spectrum{Smallest: low.value, Largest: high.value, Steps: steps, Rounding: a.epsilon() * rows}
				own := math.Sqrt(float64(n)) * 0x1p-52 * rows // rounding of the residuals
				if s.SmallestBound, err = a.residual(ctx, basis, low); err != nil {
					return s, err
				}
				if s.LargestBound, err = a.residual(ctx, basis, high); err != nil {
					return s, err
				}
				s.SmallestBound += own
				s.LargestBound += own
				return s, nil
			}
		}
		beside = append(beside, norm)
		w.ScaleVec(1/norm, w)
		v = w
	}
}

// pair is an eigenvalue of the tridiagonal matrix with its vector.
type pair struct {
	value  float64
	vector []float64
}

func ritz(diagonal, beside []float64) (low, high pair, err error) {
	m := len(diagonal)
	t := mat.NewSymDense(m, nil)
	for i := range m {
		t.SetSym(i, i, diagonal[i])
		if i+1 < m {
			t.SetSym(i, i+1, beside[i])
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(t, true) {
		return low, high, errors.New("tiles: the eigenvalues of the tridiagonal matrix did not converge")
	}
	values := eigen.Values(nil)
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	return pair{values[0], mat.Col(nil, 0, &vectors)}, pair{values[m-1], mat.Col(nil, m-1, &vectors)}, nil
}

// residual returns |Kx − θx|/|x| of a Ritz pair.
func (a *Array) residual(ctx context.Context, basis []*mat.VecDense, p pair) (float64, error) {
	x := mat.NewVecDense(basis[0].Len(), nil)
	for i, b := range basis {
		x.AddScaledVec(x, p.vector[i], b)
	}
	y, err := a.times(ctx, x)
	if err != nil {
		return 0, err
	}
	y.AddScaledVec(y, -p.value, x)
	return mat.Norm(y, 2) / mat.Norm(x, 2), nil
}

// times returns the kernel times x.
func (a *Array) times(ctx context.Context, x *mat.VecDense) (*mat.VecDense, error) {
	c := a.meta.outputs()
	y := mat.NewVecDense(x.Len(), nil)
	part := func(v *mat.VecDense, r Range) *mat.VecDense { return v.SliceVec(r.From*c, r.To*c).(*mat.VecDense) }
	var product mat.VecDense
	err := a.eachTile(ctx, func(rows, cols Range, block *mat.Dense) {
		product.Reset()
		product.MulVec(block, part(x, cols))
		yr := part(y, rows)
		yr.AddVec(yr, &product)
		if rows != cols {
			product.Reset()
			product.MulVec(block.T(), part(x, rows))
			yc := part(y, cols)
			yc.AddVec(yc, &product)
		}
	})
	return y, err
}

// largestRow returns the largest sum of the absolute values of a row.
func (a *Array) largestRow(ctx context.Context) (float64, error) {
	c := a.meta.outputs()
	sums := make([]float64, a.Shape[0]*c)
	err := a.eachTile(ctx, func(rows, cols Range, block *mat.Dense) {
		for k := range rows.Len() * c {
			for l, v := range block.RawRowView(k) {
				sums[rows.From*c+k] += math.Abs(v)
				if rows != cols {
					sums[cols.From*c+l] += math.Abs(v)
				}
			}
		}
	})
	return slices.Max(sums), err
}

// Limits returns the smallest and the largest entry of an array, which it reads tile by tile.
func (a *Array) Limits(ctx context.Context) (low, high float64, err error) {
	low, high = math.Inf(1), math.Inf(-1)
	err = a.eachTile(ctx, func(_, _ Range, block *mat.Dense) {
		low, high = min(low, mat.Min(block)), max(high, mat.Max(block))
	})
	return low, high, err
}

// eachTile reads one tile after the other into a block that is reused. For a symmetric kernel it reads those on and
// above the diagonal.
func (a *Array) eachTile(ctx context.Context, visit func(rows, cols Range, block *mat.Dense)) error {
	c := a.meta.outputs()
	memory := make([]float64, a.Tile[0]*c*a.Tile[1]*c)
	for _, tile := range a.store.tiles() {
		if err := ctx.Err(); err != nil {
			return err
		}
		rows, cols := a.meta.examples(tile[0], tile[1])
		r, s := rows.Len()*c, cols.Len()*c
		block := mat.NewDense(r, s, memory[:r*s])
		if err := a.read(tile[0], tile[1], rows, cols, block); err != nil {
			return err
		}
		visit(rows, cols, block)
	}
	return nil
}
