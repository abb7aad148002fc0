package plots

import (
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// chart is a panel with everything needed to draw it.
type chart struct {
	panel panel
	plot  *plot.Plot
	lines []line  // divided by the powers of ten that are factored out of the axes
	refs  []level // divided likewise
}

// size of a chart's letters and strokes.
type size struct {
	label, tick    float64
	stroke         vg.Length
	xTicks, yTicks int
}

var (
	wideSize  = size{label: 9.5, tick: 8.5, stroke: 1.5, xTicks: 6, yTicks: 6}
	slimSize  = size{label: 9.5, tick: 8.5, stroke: 1.5, xTicks: 5, yTicks: 6} // in three columns
	insetSize = size{tick: 6.5, stroke: 1.1, xTicks: 2, yTicks: 3}
)

func newChart(p panel, sz size) chart {
	c := chart{panel: p, plot: emptyPlot(sz)}
	pl := c.plot
	b, ok := p.bounds()
	if !ok {
		b = bounds{0, 1, 0, 1}
	}
	x0, x1, y0, y1 := b.x0, b.x1, b.y0, b.y1
	xPower, yPower := commonPower(x0, x1, 7), 0
	if !p.log {
		yPower = commonPower(y0, y1, 5)
	}
	xScale, yScale := math.Pow10(xPower), math.Pow10(yPower)
	x0, x1, y0, y1 = x0/xScale, x1/xScale, y0/yScale, y1/yScale
	pl.X.Label.Text, pl.Y.Label.Text = withPower(p.xlabel, xPower), withPower(p.ylabel, yPower)
	pl.X.Min, pl.X.Max = padded(x0, x1, 0.02)
	pl.Y.Min, pl.Y.Max = padded(y0, y1, 0.05)
	pl.X.Tick.Marker, pl.Y.Tick.Marker = linearTicks(sz.xTicks), linearTicks(sz.yTicks)
	if p.log {
		pl.Y.Tick.Marker = logTicks(sz.yTicks + 2)
	}
	for _, cv := range p.curves {
		cv.x, cv.y, cv.lo, cv.hi = divided(cv.x, xScale), divided(cv.y, yScale), divided(cv.lo, yScale),
			divided(cv.hi, yScale)
		c.lines = append(c.lines, line{curve: cv, width: sz.stroke})
	}
	for i, parts := range stretches(c.lines, x0, x1, y0, y1) {
		c.lines[i].parts = parts
		pl.Add(c.lines[i])
	}
	for _, r := range p.refs {
		c.refs = append(c.refs, level{r.y / yScale})
		pl.Add(c.refs[len(c.refs)-1])
	}
	return c
}

func divided(values []float64, by float64) []float64 {
	if by == 1 || values == nil {
		return values
	}
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = v / by
	}
	return out
}

// padded widens a range by a part of it, so that lines do not lie on the frame. A range so narrow that its tick labels
// would differ in the seventh digit only is widened until the labels are readable.
func padded(lo, hi, part float64) (float64, float64) {
	least := 1e-6 * max(math.Abs(lo), math.Abs(hi))
	if hi-lo <= least {
		least = max(least, 0.05*math.Abs(hi))
		if least == 0 {
			least = 1
		}
		return lo - least, hi + least
	}
	return lo - part*(hi-lo), hi + part*(hi-lo)
}

func emptyPlot(sz size) *plot.Plot {
	pl := plot.New()
	pl.TextHandler = style(sz.tick).Handler
	for _, a := range []*plot.Axis{&pl.X, &pl.Y} {
		a.Padding, a.Label.Padding = 0, 2
		a.LineStyle = draw.LineStyle{Color: axisGrey, Width: 0.7}
		a.Tick.LineStyle, a.Tick.Length = a.LineStyle, 4
	}
	pl.X.Label.TextStyle = aligned(style(sz.label), draw.XCenter, draw.YBottom)
	pl.Y.Label.TextStyle = pl.X.Label.TextStyle
	pl.X.Tick.Label = aligned(style(sz.tick), draw.XCenter, draw.YTop)
	pl.Y.Tick.Label = aligned(style(sz.tick), draw.XRight, draw.YCenter)
	grid := plotter.NewGrid()
	grid.Horizontal = draw.LineStyle{Color: gridGrey, Width: 0.6}
	grid.Vertical = grid.Horizontal
	pl.Add(grid)
	return pl
}

func aligned(sty text.Style, x text.XAlignment, y text.YAlignment) text.Style {
	sty.XAlign, sty.YAlign = x, y
	return sty
}

// level is a horizontal reference line.
type level struct{ y float64 }

var levelStyle = draw.LineStyle{Color: lineGrey, Width: 1, Dashes: []vg.Length{4, 3}}

// Plot implements plot.Plotter.
func (l level) Plot(c draw.Canvas, p *plot.Plot) {
	y := tenth(c.Y(p.Y.Norm(l.y)))
	c.StrokeLine2(levelStyle, c.Min.X, y, c.Max.X, y)
}

// draw draws the chart. The names of its reference lines and its inset go where there is most room.
func (c chart) draw(canvas draw.Canvas) {
	c.plot.Draw(canvas)
	area := c.plot.DataCanvas(canvas)
	heading(canvas, area, c.panel.title)
	entries := c.notes()
	zoom, zoomed := c.panel.inset()
	if len(entries) == 0 && !zoomed {
		return
	}
	marks := c.marks(area)
	var taken []vg.Rectangle
	if len(entries) > 0 {
		sty := style(8.5)
		width, height := legendSize(entries, sty)
		box := emptiest(area.Rectangle, width, height, marks, nil)
		taken = append(taken, box)
		paperBox(area, box, draw.LineStyle{Color: gridGrey, Width: 0.6})
		y := box.Max.Y - legendPad
		for _, e := range entries {
			y -= sty.FontExtents().Height
			e.draw(area, sty, vg.Point{X: box.Min.X + legendPad, Y: y})
		}
	}
	if zoomed {
		w, h := area.Size().X, area.Size().Y
		box := emptiest(area.Rectangle, 0.47*w, 0.45*h, marks, taken)
		paperBox(area, box, draw.LineStyle{Color: insetRed, Width: 0.8, Dashes: []vg.Length{4, 2}})
		in := newChart(zoom, insetSize)
		in.plot.BackgroundColor = nil
		in.plot.Title.Text, in.plot.Y.Label.Text = in.plot.Y.Label.Text, ""
		in.plot.Title.TextStyle = aligned(style(insetSize.tick), -0.5, draw.YTop)
		in.plot.Title.Padding = 1
		in.plot.Draw(draw.Crop(draw.Canvas{Canvas: area.Canvas, Rectangle: box}, 3, -5, 3, -3))
	}
}

// notes returns the legend entries that belong to this panel only: reference lines, and curves that have nothing to
// draw.
func (c chart) notes() []entry {
	var out []entry
	for _, r := range c.panel.refs {
		out = append(out, entry{r.name, levelStyle})
	}
	for _, l := range c.lines {
		if !l.drawable() {
			out = append(out, entry{l.name + ": no value on this axis", draw.LineStyle{Color: l.color, Width: l.width}})
		}
	}
	return out
}

// marks returns points along everything that is drawn in the chart, on a grid about as fine as the stroke of a letter.
func (c chart) marks(area draw.Canvas) []vg.Point {
	const apart = 3
	var out []vg.Point
	seen := map[vg.Point]bool{}
	mark := func(pt vg.Point) {
		pt = vg.Point{X: apart * vg.Length(math.Round(float64(pt.X/apart))),
			Y: apart * vg.Length(math.Round(float64(pt.Y/apart)))}
		if !seen[pt] {
			seen[pt] = true
			out = append(out, pt)
		}
	}
	walk := func(pts []vg.Point) {
		for i, to := range pts {
			mark(to)
			if i == 0 {
				continue
			}
			d := to.Sub(pts[i-1])
			n := math.Ceil(math.Hypot(float64(d.X), float64(d.Y)) / apart)
			for k := 1.0; k < n; k++ {
				mark(pts[i-1].Add(d.Scale(vg.Length(k / n))))
			}
		}
	}
	for _, l := range c.lines {
		for _, s := range l.strokes(area, c.plot) {
			walk(s.points)
		}
	}
	for _, r := range c.refs {
		y := area.Y(c.plot.Y.Norm(r.y))
		walk([]vg.Point{{X: area.Min.X, Y: y}, {X: area.Max.X, Y: y}})
	}
	return out
}

// emptiest returns the place for a box of the given size that does not overlap taken and covers the fewest marks. Of
// several such places it takes the one farthest from any mark.
func emptiest(area vg.Rectangle, width, height vg.Length, marks []vg.Point, taken []vg.Rectangle) vg.Rectangle {
	const places, margin = 16, 4
	var best vg.Rectangle
	var bestCovered, bestRoom float64 = math.Inf(1), 0
	room := area.Size().Sub(vg.Point{X: width + 2*margin, Y: height + 2*margin})
	for i := range places {
		for j := range places {
			at := area.Min.Add(vg.Point{X: margin + room.X*vg.Length(i)/(places-1), Y: margin +
				room.Y*vg.Length(j)/(places-1)})
			box := vg.Rectangle{Min: at, Max: at.Add(vg.Point{X: width, Y: height})}
			covered, free := 0.0, math.Inf(1)
			for _, t := range taken {
				if box.Min.X < t.Max.X+margin && t.Min.X < box.Max.X+margin && box.Min.Y < t.Max.Y+margin &&
					t.Min.Y < box.Max.Y+margin {
					covered += 1e6
				}
			}
			for _, m := range marks {
				dx := max(box.Min.X-m.X, m.X-box.Max.X, 0)
				dy := max(box.Min.Y-m.Y, m.Y-box.Max.Y, 0)
				if dx == 0 && dy == 0 {
					covered++
				}
				free = min(free, float64(dx*dx+dy*dy))
			}
			if covered < bestCovered || covered == bestCovered && free > bestRoom {
				best, bestCovered, bestRoom = box, covered, free
			}
		}
	}
	return best
}

func paperBox(c draw.Canvas, box vg.Rectangle, frame draw.LineStyle) {
	corners := []vg.Point{box.Min, {X: box.Max.X, Y: box.Min.Y}, box.Max, {X: box.Min.X, Y: box.Max.Y}}
	for i := range corners {
		corners[i] = vg.Point{X: tenth(corners[i].X), Y: tenth(corners[i].Y)}
	}
	c.FillPolygon(paperTone, corners)
	c.StrokeLines(frame, slices.Concat(corners, corners[:1]))
}
