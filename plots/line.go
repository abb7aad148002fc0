package plots

import (
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// line draws a curve: with a gap where y is NaN, a dot for a value between two gaps, and a translucent band for mean ±
// sd.
type line struct {
	curve
	parts []stretch
	width vg.Length
}

// Plot implements plot.Plotter.
func (l line) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	if l.lo != nil {
		for _, part := range unbroken(l.hi) {
			var upper, lower []vg.Point
			for i := part[0]; i < part[1]; i++ {
				x := toX(l.x[i])
				upper = append(upper, vg.Point{X: x, Y: toY(l.hi[i])})
				lower = append(lower, vg.Point{X: x, Y: toY(math.Max(l.lo[i], p.Y.Min))})
			}
			lower = thin(lower)
			slices.Reverse(lower)
			c.FillPolygon(faded(l.color), append(thin(upper), lower...))
		}
	}
	for _, s := range l.strokes(c, p) {
		if len(s.points) > 1 {
			c.StrokeLines(draw.LineStyle{Color: l.color, Width: l.width, Dashes: s.dashes}, s.points)
			continue
		}
		c.SetColor(l.color)
		c.Fill(disc(s.points[0], l.width))
	}
}

// stroke is a part of a curve on the canvas.
type stroke struct {
	points []vg.Point
	dashes []vg.Length
}

// strokes returns the unbroken parts of the curve on the canvas, thinned.
func (l line) strokes(c draw.Canvas, p *plot.Plot) []stroke {
	toX, toY := p.Transforms(&c)
	var out []stroke
	for _, part := range unbroken(l.y) {
		var s stroke
		in := 0 // the stretch
		for i := part[0]; i < part[1]; i++ {
			for in+1 < len(l.parts) && l.x[i] > l.parts[in].to {
				if len(s.points) > 1 {
					out = append(out, stroke{thin(s.points), l.parts[in].dashes})
					s.points = s.points[len(s.points)-1:]
				}
				in++
			}
			s.points = append(s.points, vg.Point{X: toX(l.x[i]), Y: toY(l.y[i])})
		}
		s.points = thin(s.points)
		if in < len(l.parts) {
			s.dashes = l.parts[in].dashes
		}
		out = append(out, s)
	}
	return out
}

// unbroken returns the index ranges without NaN.
func unbroken(y []float64) [][2]int {
	var out [][2]int
	start := -1
	for i, v := range append(slices.Clone(y), math.NaN()) {
		switch {
		case !math.IsNaN(v) && start < 0:
			start = i
		case math.IsNaN(v) && start >= 0:
			out = append(out, [2]int{start, i})
			start = -1
		}
	}
	return out
}

const maxPoints = 300

// thin reduces a polyline to at most about maxPoints points and keeps its shape. Of every column it keeps the lowest
// and the highest point, so that bursts stay visible. Then it drops every point that lies within a tenth of a
// typographic point of the line through its neighbours (Douglas and Peucker).
func thin(pts []vg.Point) []vg.Point {
	if len(pts) > maxPoints {
		heights := make([]float64, len(pts))
		for i, pt := range pts {
			heights[i] = float64(pt.Y)
		}
		var kept []vg.Point
		for _, i := range extremes(heights, maxPoints) {
			kept = append(kept, pts[i])
		}
		pts = kept
	}
	keep := make([]bool, len(pts))
	keep[0], keep[len(pts)-1] = true, true
	straighten(pts, keep, 0, len(pts)-1)
	var out []vg.Point
	for i, pt := range pts {
		if keep[i] {
			pt = vg.Point{X: tenth(pt.X), Y: tenth(pt.Y)}
			if len(out) == 0 || out[len(out)-1] != pt {
				out = append(out, pt)
			}
		}
	}
	return out
}

// extremes returns about most indices of y, in order: the ends, and for each of several intervals of equal length the
// lowest value, the highest value and the first NaN.
func extremes(y []float64, most int) []int {
	keep := []int{0, len(y) - 1}
	for i := range most / 2 {
		from, to := 2*i*len(y)/most, 2*(i+1)*len(y)/most
		lowest, highest, gap := -1, -1, -1
		for j := from; j < to; j++ {
			switch {
			case math.IsNaN(y[j]):
				if gap < 0 {
					gap = j
				}
				continue
			case lowest < 0:
				lowest, highest = j, j
			case y[j] < y[lowest]:
				lowest = j
			case y[j] > y[highest]:
				highest = j
			}
		}
		for _, j := range []int{lowest, highest, gap} {
			if j >= 0 {
				keep = append(keep, j)
			}
		}
	}
	slices.Sort(keep)
	return slices.Compact(keep)
}

func tenth(v vg.Length) vg.Length { return vg.Length(math.Round(float64(v)*10) / 10) }

func straighten(pts []vg.Point, keep []bool, from, to int) {
	farthest, distance := 0, 0.1
	chord := pts[to].Sub(pts[from])
	length := math.Hypot(float64(chord.X), float64(chord.Y))
	for i := from + 1; i < to; i++ {
		d := pts[i].Sub(pts[from])
		away := math.Hypot(float64(d.X), float64(d.Y))
		if length > 0 {
			away = math.Abs(float64(d.X*chord.Y-d.Y*chord.X)) / length
		}
		if away > distance {
			farthest, distance = i, away
		}
	}
	if farthest > 0 {
		keep[farthest] = true
		straighten(pts, keep, from, farthest)
		straighten(pts, keep, farthest, to)
	}
}

// stretch is a part of a curve, up to x, in which the number of other curves below it is constant.
type stretch struct {
	to     float64
	dashes []vg.Length
}

// stretches makes all curves of a panel visible where some of them coincide: of k coinciding curves the first one is
// drawn as a whole, and the r-th one after it in the last (k−r) of every k dashes, so that all k colours alternate.
func stretches(lines []line, x0, x1, y0, y1 float64) [][]stretch {
	const columns, short, length = 200, 14, 8
	sampled := make([][]float64, len(lines))
	for i, l := range lines {
		sampled[i] = sample(l.curve, x0, x1, columns)
	}
	out := make([][]stretch, len(lines))
	for i := range lines {
		type cover struct{ below, above int }
		var covers [columns]cover
		for col := range columns {
			for j := range lines {
				if j != i && math.Abs(sampled[i][col]-sampled[j][col]) < 0.008*(y1-y0) {
					if j < i {
						covers[col].below++
					} else {
						covers[col].above++
					}
				}
			}
		}
		for start, end := 0, 0; start < columns; start = end {
			for end = start + 1; end < columns && covers[end] == covers[start]; end++ {
			}
			here := covers[start]
			if end-start < short && here.below > 0 { // the curves only cross
				here = cover{}
				if start > 0 {
					here = covers[start-1]
				}
				for col := start; col < end; col++ {
					covers[col] = here
				}
			}
			st := stretch{to: x0 + (x1-x0)*(float64(end)-0.5)/(columns-1)}
			if here.below > 0 {
				st.dashes = []vg.Length{length * vg.Length(here.above+1), length * vg.Length(here.below)}
			}
			if n := len(out[i]); n > 0 && slices.Equal(out[i][n-1].dashes, st.dashes) {
				out[i] = out[i][:n-1]
			}
			out[i] = append(out[i], st)
		}
	}
	return out
}

// sample returns the height of the curve at evenly spaced x, NaN in gaps and outside of the curve.
func sample(c curve, x0, x1 float64, n int) []float64 {
	out := make([]float64, n)
	j := 0
	for i := range out {
		x := x0 + (x1-x0)*float64(i)/float64(n-1)
		for j+1 < len(c.x) && c.x[j+1] < x {
			j++
		}
		out[i] = math.NaN()
		if j+1 < len(c.x) && c.x[j] <= x && c.x[j+1] > c.x[j] {
			f := (x - c.x[j]) / (c.x[j+1] - c.x[j])
			out[i] = c.y[j]*(1-f) + c.y[j+1]*f
		}
	}
	return out
}
