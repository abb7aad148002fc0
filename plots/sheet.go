package plots

import (
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// sheet is the layout of a whole figure: the legend on top, and the panels in rows below.
type sheet struct {
	charts        []chart
	rows          []int // panels in each row
	cell          vg.Point
	legend        [][]entry // lines of the legend
	width, height vg.Length
	drawn         []axes // of the panels, once they are drawn
}

// arrangement returns the number of panels in each row, as in the paper: 2×2 for four panels, 3+2 for five and twice
// that for ten, otherwise rows of three.
func arrangement(panels int) []int {
	if panels == 4 {
		return []int{2, 2}
	}
	var rows []int
	if panels == 5 || panels == 10 {
		for ; panels > 0; panels -= 5 {
			rows = append(rows, 3, 2)
		}
	}
	for ; panels > 0; panels -= 3 {
		rows = append(rows, min(panels, 3))
	}
	return rows
}

// cells has the size of a panel in figures of one, two and three columns.
var cells = []vg.Point{{X: 5.8 * vg.Inch, Y: 3.6 * vg.Inch}, {X: 4.4 * vg.Inch, Y: 3.1 * vg.Inch}, {X: 3.5 * vg.Inch,
	Y: 2.8 * vg.Inch}}

// newSheet returns the sheet of a figure, with the axes of the pictures before it if hold is not nil.
func newSheet(fig result.Figure, hold *held) (*sheet, error) {
	panels, groups, err := resolve(fig)
	if err != nil {
		return nil, err
	}
	s := &sheet{rows: arrangement(len(panels))}
	s.cell = cells[s.rows[0]-1]
	sz := wideSize
	if s.rows[0] == 3 {
		sz = slimSize
	}
	for i, p := range panels {
		hold.widen(i, &p)
		s.charts = append(s.charts, newChart(p, sz))
	}
	s.width = s.cell.X * vg.Length(s.rows[0])
	sty := style(legendText)
	for _, g := range groups {
		var entries []entry
		for rank, i := range g {
			if fig.Curves[i].Name != "" {
				entries = append(entries, entry{fig.Curves[i].Name, draw.LineStyle{Color: palette[rank%len(palette)],
					Width: 2}})
			}
		}
		s.legend = append(s.legend, wrap(entries, sty, s.width)...)
	}
	s.height = s.cell.Y*vg.Length(len(s.rows)) + s.legendHeight(sty)
	return s, nil
}

const (
	titleText    = 11
	legendText   = 10
	legendSample = 20 // length of the line before a name
	legendPad    = 5
	legendGap    = 16 // between names
)

func (s *sheet) legendHeight(sty text.Style) vg.Length {
	if len(s.legend) == 0 {
		return 0
	}
	return vg.Length(len(s.legend))*(sty.FontExtents().Height+3) + 2*legendPad
}

func (s *sheet) draw(c draw.Canvas) {
	blank(c)
	s.drawLegend(c)
	top := c.Max.Y - s.legendHeight(style(legendText))
	var canvases []draw.Canvas
	for i, n := range s.rows {
		left := (s.width - s.cell.X*vg.Length(n)) / 2
		for j := range n {
			at := vg.Point{X: left + s.cell.X*vg.Length(j), Y: top - s.cell.Y*vg.Length(i+1)}
			canvases = append(canvases, inside(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{Min: at,
				Max: at.Add(s.cell)}}))
		}
	}
	// All panels have the same space for labels, so that their frames are aligned.
	var left, right, bottom, above vg.Length
	for i, ch := range s.charts {
		l, r, b, a := margins(canvases[i], ch.plot.DataCanvas(canvases[i]))
		left, right, bottom, above = max(left, l), max(right, r), max(bottom, b), max(above, a)
	}
	s.drawn = nil
	for i, ch := range s.charts {
		l, r, b, a := margins(canvases[i], ch.plot.DataCanvas(canvases[i]))
		canvas := draw.Crop(canvases[i], left-l, r-right, bottom-b, a-above)
		ch.draw(canvas)
		s.drawn = append(s.drawn, ch.axes(canvas))
	}
}

func (s *sheet) drawLegend(c draw.Canvas) {
	sty := style(legendText)
	y := c.Max.Y - legendPad
	for _, row := range s.legend {
		y -= sty.FontExtents().Height + 3
		x := c.Center().X - rowWidth(row, sty)/2
		for _, e := range row {
			e.draw(c, sty, vg.Point{X: x, Y: y})
			x += e.width(sty) + legendGap
		}
	}
}

func margins(outer, inner draw.Canvas) (left, right, bottom, above vg.Length) {
	return inner.Min.X - outer.Min.X, outer.Max.X - inner.Max.X, inner.Min.Y - outer.Min.Y, outer.Max.Y - inner.Max.Y
}

// entry is a name in a legend with its line style.
type entry struct {
	name string
	line draw.LineStyle
}

func (e entry) width(sty text.Style) vg.Length { return legendSample + 4 + sty.Width(e.name) }

func (e entry) draw(c draw.Canvas, sty text.Style, at vg.Point) {
	sty.XAlign, sty.YAlign = draw.XLeft, draw.YBottom
	ext := sty.FontExtents()
	middle := at.Y + ext.Descent + 0.32*sty.Font.Size
	c.StrokeLine2(e.line, at.X, middle, at.X+legendSample, middle)
	c.FillText(sty, vg.Point{X: at.X + legendSample + 4, Y: at.Y + ext.Descent}, e.name)
}

// wrap splits a legend into lines that are not wider than the sheet.
func wrap(entries []entry, sty text.Style, width vg.Length) [][]entry {
	var out [][]entry
	for _, e := range entries {
		if n := len(out); n > 0 && rowWidth(append(out[n-1], e), sty) < width-2*legendGap {
			out[n-1] = append(out[n-1], e)
			continue
		}
		out = append(out, []entry{e})
	}
	return out
}

func rowWidth(row []entry, sty text.Style) vg.Length {
	width := vg.Length(-legendGap)
	for _, e := range row {
		width += e.width(sty) + legendGap
	}
	return width
}

// legendSize returns the size of a box with one entry on each line.
func legendSize(entries []entry, sty text.Style) (width, height vg.Length) {
	for _, e := range entries {
		width = max(width, e.width(sty))
	}
	return width + 2*legendPad, vg.Length(len(entries))*sty.FontExtents().Height + 2*legendPad
}
