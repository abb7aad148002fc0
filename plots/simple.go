package plots

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// XY returns a curve for Lines.
func XY(name string, x, y []float64) result.Curve {
	return result.Curve{Name: name, Series: map[string]result.Series{"step": x, "y": y}}
}

// Lines returns a figure of one panel with curves made by XY, for plots of a notebook's own numbers.
func Lines(title, xlabel, ylabel string, log bool, curves ...result.Curve) result.Figure {
	return result.Figure{ID: title, Title: title, Curves: curves,
		Panels: []result.Panel{{Title: title, Y: "y", XLabel: xlabel, YLabel: ylabel, Log: log}}}
}

// Group is a set of points of the plane in one colour, optionally drawn as arrows from the origin.
type Group struct {
	Name   string
	At     [][2]float64
	Arrows bool
}

// Plane is a picture of groups of points, such as features and prototypes, with the same unit along both axes.
type Plane struct {
	Title  string
	Circle float64 // radius of a circle around the origin; 0: there is none
	Groups []Group
}

// SVG draws the plane. It is an error if there is no point away from the origin and no circle, or if a number is not
// finite.
func (p Plane) SVG() ([]byte, error) { return p.svg(nil) }

func (p Plane) svg(hold *held) ([]byte, error) {
	reach := math.Abs(p.Circle)
	about := axes{Title: p.Title, Circle: reach}
	if !finite(p.Circle) {
		return nil, fmt.Errorf("plots: circle of radius %g: it must be finite", p.Circle)
	}
	var legend []entry
	for i, g := range p.Groups {
		points := coloured{Name: g.Name, Colour: hex(palette[i%len(palette)]), Arrows: g.Arrows}
		for _, at := range g.At {
			if !finite(at[0]) || !finite(at[1]) {
				return nil, fmt.Errorf("plots: group %q has a point at %g: all must be finite", g.Name, at)
			}
			reach = max(reach, math.Abs(at[0]), math.Abs(at[1]))
			points.X, points.Y = append(points.X, short(at[0])), append(points.Y, short(at[1]))
		}
		about.Points = append(about.Points, points)
		legend = append(legend, entry{g.Name, draw.LineStyle{Color: palette[i%len(palette)], Width: 3}})
	}
	if reach == 0 {
		return nil,
			fmt.Errorf("plots: nothing to draw in the plane: there must be a point away from the origin, or a circle")
	}
	if hold != nil {
		hold.reach = max(hold.reach, reach)
		reach = hold.reach
	}
	pl := emptyPlot(wideSize)
	pl.X.Min, pl.X.Max, pl.Y.Min, pl.Y.Max = -1.08*reach, 1.08*reach, -1.08*reach, 1.08*reach
	pl.X.Tick.Marker, pl.Y.Tick.Marker = linearTicks(6), linearTicks(6)
	pl.X.Label.Text, pl.Y.Label.Text = "first coordinate", "second coordinate"
	pl.Add(points{p})
	side := vg.Point{X: 4 * vg.Inch, Y: 4 * vg.Inch}
	area := pl.DataCanvas(inside(draw.Canvas{Rectangle: vg.Rectangle{Max: side}})).Size()
	stretch := float64(area.X / area.Y) // for equal units
	pl.X.Min, pl.X.Max = pl.X.Min*stretch, pl.X.Max*stretch
	return single(about, legend, side, pl)
}

// points draws a Plane's circle and groups.
type points struct{ Plane }

// Plot implements plot.Plotter.
func (p points) Plot(c draw.Canvas, pl *plot.Plot) {
	toX, toY := pl.Transforms(&c)
	origin := vg.Point{X: toX(0), Y: toY(0)}
	if p.Circle != 0 {
		c.SetLineStyle(draw.LineStyle{Color: lineGrey, Width: 0.8, Dashes: []vg.Length{4, 3}})
		c.Stroke(disc(origin, toX(math.Abs(p.Circle))-origin.X))
	}
	for i, g := range p.Groups {
		hue := palette[i%len(palette)]
		for _, at := range g.At {
			pt := vg.Point{X: tenth(toX(at[0])), Y: tenth(toY(at[1]))}
			if !g.Arrows {
				soft := hue
				soft.A = 0x99
				c.SetColor(soft)
				c.Fill(disc(pt, 2.2))
				continue
			}
			d := pt.Sub(origin)
			length := vg.Length(math.Hypot(float64(d.X), float64(d.Y)))
			if length == 0 {
				continue
			}
			d = d.Scale(1 / length)
			const head = 7
			base := pt.Sub(d.Scale(head))
			side := vg.Point{X: -d.Y, Y: d.X}.Scale(0.4 * head)
			c.StrokeLine2(draw.LineStyle{Color: hue, Width: 1.8}, origin.X, origin.Y, base.X, base.Y)
			c.FillPolygon(hue, []vg.Point{pt, base.Add(side), base.Sub(side)})
		}
	}
}

func disc(centre vg.Point, radius vg.Length) vg.Path {
	var p vg.Path
	p.Move(centre.Add(vg.Point{X: radius}))
	p.Arc(centre, radius, 0, 2*math.Pi)
	p.Close()
	return p
}

// Bar is the bars of one colour, with a value for each label. SD, if given, is drawn as whiskers of ± SD.
type Bar struct {
	Name   string
	Values []float64
	SD     []float64
}

// Bars draws groups of bars side by side above their labels, which are values of xlabel.
func Bars(title, xlabel, ylabel string, labels []string, bars ...Bar) ([]byte, error) {
	if len(labels) == 0 || len(bars) == 0 {
		return nil, fmt.Errorf("plots: %d labels and %d bars: there must be at least one of each", len(labels),
			len(bars))
	}
	pl := emptyPlot(wideSize)
	var lo, hi float64
	var legend []entry
	for i, b := range bars {
		if len(b.Values) != len(labels) || b.SD != nil && len(b.SD) != len(labels) {
			return nil, fmt.Errorf("plots: bars %q have %d values (and %d deviations) for %d labels", b.Name,
				len(b.Values), len(b.SD), len(labels))
		}
		for j, v := range b.Values {
			sd := 0.0
			if b.SD != nil {
				sd = b.SD[j]
			}
			if !finite(v) || !finite(sd) {
				return nil, fmt.Errorf("plots: bars %q have %g ± %g at %q: values must be finite", b.Name, v, sd,
					labels[j])
			}
			lo, hi = min(lo, v-sd), max(hi, v+sd)
		}
		if b.Name != "" {
			legend = append(legend, entry{b.Name, draw.LineStyle{Color: palette[i%len(palette)], Width: 6}})
		}
	}
	power := commonPower(lo, hi, 5)
	scale := math.Pow10(power)
	pl.Y.Min, pl.Y.Max = padded(lo/scale, hi/scale, 0.05)
	if lo == 0 {
		pl.Y.Min = 0
	}
	pl.X.Label.Text, pl.Y.Label.Text, pl.Y.Tick.Marker = xlabel, withPower(ylabel, power), linearTicks(6)
	pl.X.Min, pl.X.Max = -0.6, float64(len(labels))-0.4
	var ticks plot.ConstantTicks
	for i, l := range labels {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: l})
	}
	pl.X.Tick.Marker, pl.X.Tick.Length = ticks, 0
	pl.Add(barGroups{bars, scale})
	about := axes{Title: title, Labels: labels}
	for i, b := range bars {
		about.Bars = append(about.Bars, coloured{Name: b.Name, Colour: hex(palette[i%len(palette)]),
			Y: shortened(b.Values, scale), SD: shortened(b.SD, scale)})
	}
	return single(about, legend, cells[0], pl)
}

type barGroups struct {
	bars  []Bar
	scale float64
}

// Plot implements plot.Plotter.
func (g barGroups) Plot(c draw.Canvas, pl *plot.Plot) {
	toX, toY := pl.Transforms(&c)
	width := 0.8 / float64(len(g.bars))
	for i, b := range g.bars {
		for j, v := range b.Values {
			left := float64(j) - 0.4 + width*float64(i)
			x0, x1, y0, y1 := tenth(toX(left)), tenth(toX(left+0.94*width)), tenth(toY(0)), tenth(toY(v/g.scale))
			c.FillPolygon(palette[i%len(palette)], []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1},
				{X: x0, Y: y1}})
			if b.SD != nil {
				middle := (x0 + x1) / 2
				c.StrokeLine2(draw.LineStyle{Color: ink, Width: 1}, middle, toY((v-b.SD[j])/g.scale), middle,
					toY((v+b.SD[j])/g.scale))
			}
		}
	}
}

// HeatMap draws a matrix, such as the cosines between prototypes, with row 0 on top: blue below zero, white at zero and
// vermilion above. The colours are deepest at ±reach (0: the largest absolute value). The axes have the labels x (of
// columns) and y (of rows), and the colour bar has the label values.
func HeatMap(title, x, y, values string, m mat.Matrix, reach float64) ([]byte, error) {
	rows, cols := m.Dims()
	if rows == 0 || cols == 0 {
		return nil, fmt.Errorf("plots: a heat map of %d×%d: there must be at least one row and one column", rows, cols)
	}
	largest := 0.0
	for i := range rows {
		for j := range cols {
			if !finite(m.At(i, j)) {
				return nil, fmt.Errorf("plots: heat map has %g in row %d, column %d: values must be finite", m.At(i, j),
					i, j)
			}
			largest = max(largest, math.Abs(m.At(i, j)))
		}
	}
	if reach <= 0 {
		reach = largest
	}
	if reach == 0 {
		reach = 1
	}
	pl := emptyPlot(wideSize)
	pl.X.Min, pl.X.Max = -0.5, float64(cols)-0.5
	pl.Y.Min, pl.Y.Max, pl.Y.Scale = -0.5, float64(rows)-0.5, plot.InvertedScale{Normalizer: plot.LinearScale{}}
	pl.X.Tick.Marker, pl.Y.Tick.Marker = wholeTicks, wholeTicks
	pl.X.Label.Text, pl.Y.Label.Text = x, y
	pl.Add(heat{m, reach})
	bar := emptyPlot(wideSize)
	bar.HideX()
	bar.X.Min, bar.X.Max, bar.Y.Min, bar.Y.Max = 0, 1, -reach, reach
	bar.Y.Tick.Marker, bar.Y.Label.Text = linearTicks(5), values
	bar.Add(scaleBar{})
	about := axes{Title: title, Matrix: describedMatrix(values, m, reach)}
	const width, height, side = 4 * vg.Inch, 3.8 * vg.Inch, 0.95 * vg.Inch
	picture, err := svg(title, width+side, height, func(c draw.Canvas) {
		blank(c)
		left := inside(draw.Crop(c, 0, -side, 0, 0))
		pl.Draw(left)
		area := pl.DataCanvas(left)
		heading(c, area, title)
		bar.Draw(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: area.Max.X + 16, Y: area.Min.Y}, Max: vg.Point{X: c.Max.X - 8, Y: area.Max.Y}}})
		about = about.of(pl, left)
		about.Range[2], about.Range[3] = about.Range[3], about.Range[2] // row 0 is on top
	})
	if err != nil || about.Matrix == nil {
		return picture, err
	}
	return describe(picture, []axes{about})
}

// describedMatrix returns the description of a matrix, or nil if the matrix has too many entries for one.
func describedMatrix(name string, m mat.Matrix, reach float64) *matrix {
	rows, cols := m.Dims()
	if rows*cols > 64*64 {
		return nil
	}
	about := &matrix{Name: name, Reach: reach, Colours: [3]string{hex(shade(-1)), hex(shade(0)), hex(shade(1))}}
	for i := range rows {
		about.Values = append(about.Values, shortened(mat.Row(nil, i, m), 1))
	}
	return about
}

var wholeTicks = plot.TickerFunc(func(lo, hi float64) []plot.Tick {
	return slices.DeleteFunc(linearTicks(8)(lo, hi), func(t plot.Tick) bool { return t.Value != math.Trunc(t.Value) })
})

// shade returns the colour of a value in −1 … 1.
func shade(v float64) color.NRGBA {
	deep := palette[3]
	if v < 0 {
		deep = palette[0]
	}
	f := min(1, math.Abs(v))
	mix := func(to uint8) uint8 { return uint8(math.Round(255 + f*(float64(to)-255))) }
	return color.NRGBA{mix(deep.R), mix(deep.G), mix(deep.B), 255}
}

type heat struct {
	m     mat.Matrix
	reach float64
}

// Plot implements plot.Plotter. The matrix is an image with several dots a cell, so that no viewer blurs it.
func (h heat) Plot(c draw.Canvas, _ *plot.Plot) {
	rows, cols := h.m.Dims()
	dots := max(1, 600/max(rows, cols))
	img := image.NewNRGBA(image.Rect(0, 0, cols*dots, rows*dots))
	for y := range rows * dots {
		for x := range cols * dots {
			img.SetNRGBA(x, y, shade(h.m.At(y/dots, x/dots)/h.reach))
		}
	}
	c.DrawImage(c.Rectangle, img)
}

type scaleBar struct{}

// Plot implements plot.Plotter.
func (scaleBar) Plot(c draw.Canvas, _ *plot.Plot) {
	const steps = 101
	img := image.NewNRGBA(image.Rect(0, 0, 1, steps))
	for y := range steps {
		img.SetNRGBA(0, y, shade(1-2*float64(y)/(steps-1)))
	}
	c.DrawImage(c.Rectangle, img)
}

// single draws one plot with the title of its description, and its legend above.
func single(about axes, legend []entry, size vg.Point, pl *plot.Plot) ([]byte, error) {
	s := sheet{width: size.X, legend: wrap(legend, style(legendText), size.X)}
	above := s.legendHeight(style(legendText))
	picture, err := svg(about.Title, size.X, size.Y+above, func(c draw.Canvas) {
		blank(c)
		s.drawLegend(c)
		c.Max.Y -= above
		pl.Draw(inside(c))
		heading(c, pl.DataCanvas(inside(c)), about.Title)
		about = about.of(pl, inside(c))
	})
	if err != nil {
		return nil, err
	}
	return describe(picture, []axes{about})
}

// inside returns the place of a panel in its cell, without the margin and the title.
func inside(c draw.Canvas) draw.Canvas { return draw.Crop(c, 6, -8, 6, -2*titleText) }

func blank(c draw.Canvas) {
	c.FillPolygon(color.White, []vg.Point{c.Min, {X: c.Max.X}, c.Max, {Y: c.Max.Y}})
}

// heading writes a title over the data area. A title that is wider than the cell is written smaller, and one that would
// leave the cell on one side is moved.
func heading(cell, area draw.Canvas, title string) {
	const margin = 2
	sty := style(titleText)
	room := cell.Max.X - cell.Min.X - 2*margin
	if width := sty.Width(title); width > room {
		sty.Font.Size *= room / width
	}
	half := sty.Width(title) / 2
	x := max(cell.Min.X+margin+half, min(cell.Max.X-margin-half, area.Center().X))
	area.FillText(aligned(sty, draw.XCenter, draw.YBottom), vg.Point{X: x, Y: area.Max.Y + 6}, title)
}
