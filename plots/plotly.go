package plots

import (
	"fmt"
	"math"
	"strconv"

	grob "github.com/MetalBlueberry/go-plotly/generated/v2.34.0/graph_objects"
	"github.com/MetalBlueberry/go-plotly/pkg/types"

	"github.com/unhinged-lab/lab/unhinged/result"
)

const (
	plotlyPoints = 1500 // points of a curve in the browser
	plotlyPanels = 6    // the number of axes that go-plotly has
)

// Plotly returns the figure as an interactive one, with the same arrangement of panels: the mouse zooms, and a click on
// a name hides its curve in all panels. More than six panels are an error.
func Plotly(fig result.Figure) (*grob.Fig, error) {
	panels, _, err := resolve(fig)
	if err != nil {
		return nil, err
	}
	layout := &grob.Layout{
		PlotBgcolor: "white", PaperBgcolor: "white",
		Legend: &grob.LayoutLegend{Orientation: grob.LayoutLegendOrientationH, X: types.N(0.5), Xanchor: "center",
			Yanchor: "top"},
		Hovermode: "closest",
		Margin:    &grob.LayoutMargin{T: types.N(70), R: types.N(20)},
	}
	if len(panels) > 1 {
		layout.Title = &grob.LayoutTitle{Text: types.S(fig.Title)}
	}
	xs := [plotlyPanels]**grob.LayoutXaxis{&layout.Xaxis, &layout.XAxis2, &layout.XAxis3, &layout.XAxis4,
		&layout.XAxis5, &layout.XAxis6}
	ys := [plotlyPanels]**grob.LayoutYaxis{&layout.Yaxis, &layout.YAxis2, &layout.YAxis3, &layout.YAxis4,
		&layout.YAxis5, &layout.YAxis6}
	if len(panels) > plotlyPanels {
		return nil, fmt.Errorf("plots: figure %q has %d panels: an interactive figure can have %d", fig.ID, len(panels),
			plotlyPanels)
	}
	rows := arrangement(len(panels))
	inner := 340 * float64(len(rows))
	layout.Height, layout.Legend.Y = types.N(inner+150), types.N(-10/inner)
	// Without ShowSendToCloud, plotly.js 4 has a button that sends the figure's data to Plotly's server.
	config := &grob.Config{Responsive: types.True, ShowSendToCloud: types.False}
	out := interactive{&grob.Fig{Layout: layout, Config: config}, map[string]bool{}}
	for i, p := range panels {
		x, y := domain(rows, i)
		axes := plotlyAxes{value: func(y float64) float64 { return y }}
		if i > 0 {
			axes.number = strconv.Itoa(i + 1)
		}
		*xs[i] = &grob.LayoutXaxis{Domain: x[:], Anchor: grob.LayoutXaxisAnchor("y" + axes.number),
			Gridcolor: "#e4e4e4", Zeroline: types.False,
			Title: &grob.LayoutXaxisTitle{Text: types.S(p.xlabel), Standoff: types.N(6)}}
		*ys[i] = &grob.LayoutYaxis{Domain: y[:], Anchor: grob.LayoutYaxisAnchor("x" + axes.number),
			Gridcolor: "#e4e4e4", Zeroline: types.False,
			Title:          &grob.LayoutYaxisTitle{Text: types.S(p.ylabel), Standoff: types.N(6)},
			Exponentformat: grob.LayoutYaxisExponentformatPower}
		layout.Annotations = append(layout.Annotations, grob.LayoutAnnotation{Text: types.S(p.title),
			Showarrow: types.False,
			X:         (x[0] + x[1]) / 2, Xref: grob.LayoutAnnotationXrefPaper,
			Xanchor: grob.LayoutAnnotationXanchorCenter,
			Y:       y[1], Yref: "paper", Yanchor: grob.LayoutAnnotationYanchorBottom})
		out.addPanel(axes, *ys[i], p)
	}
	return out.Fig, nil
}

// plotlyAxes are the axes of one panel: their number, "" for the first panel, and the conversion of y.
type plotlyAxes struct {
	number string
	value  func(y float64) float64
}

// interactive is an interactive figure, with the groups of traces that are in its legend.
type interactive struct {
	*grob.Fig
	named map[string]bool
}

// addPanel draws the curves and the reference lines of a panel, and makes its y axis logarithmic where the panel's is.
func (f interactive) addPanel(axes plotlyAxes, vertical *grob.LayoutYaxis, p panel) {
	x0, x1, y0, y1, ok := p.bounds()
	switch {
	case p.log && ok && (y0 < -300 || y1 > 300): // too large or too small for JavaScript's numbers
		vertical.Tickprefix, vertical.Ticksuffix = "10<sup>", "</sup>"
	case p.log:
		vertical.Type = grob.LayoutYaxisTypeLog
		axes.value = func(y float64) float64 { return math.Pow(10, y) }
	}
	for _, c := range p.curves {
		f.addCurve(axes, c)
	}
	for _, r := range p.refs {
		if ok {
			f.add(axes, r.name, p.title+r.name, []float64{x0, x1}, []float64{r.y, r.y},
				grob.ScatterLine{Color: "#555555", Dash: "dash", Width: types.N(1.2)}, nil)
		}
	}
}

// add adds a line. more, if not nil, changes a trace that is not in the legend.
func (f interactive) add(a plotlyAxes, name, group string, xs, ys []float64, line grob.ScatterLine,
	more func(*grob.Scatter)) {
	s := &grob.Scatter{Name: types.S(name), Legendgroup: types.S(group), Mode: grob.ScatterModeLines, Line: &line,
		X: nullable(xs, nil), Y: nullable(ys, a.value), Xaxis: types.S("x" + a.number), Yaxis: types.S("y" + a.number),
		Showlegend: types.B(!f.named[group])}
	if more != nil {
		more(s)
	} else {
		f.named[group] = true
	}
	f.AddTraces(s)
}

// addCurve adds a curve, with the band of its standard deviation.
func (f interactive) addCurve(a plotlyAxes, c curve) {
	if len(c.y) == 0 {
		return
	}
	kept := extremes(c.y, plotlyPoints)
	at := func(values []float64) []float64 {
		picked := make([]float64, len(kept))
		for k, j := range kept {
			picked[k] = values[j]
		}
		return picked
	}
	if c.lo != nil {
		hidden := func(s *grob.Scatter) {
			s.Showlegend, s.Hoverinfo = types.False, types.ArrayOKValue(grob.ScatterHoverinfo("skip"))
		}
		f.add(a, c.name, c.name, at(c.x), at(c.lo), grob.ScatterLine{Width: types.N(0)}, hidden)
		f.add(a, c.name, c.name, at(c.x), at(c.hi), grob.ScatterLine{Width: types.N(0)}, func(s *grob.Scatter) {
			hidden(s)
			s.Fill, s.Fillcolor = grob.ScatterFillTonexty, types.C(fmt.Sprintf("rgba(%d,%d,%d,0.22)", c.color.R,
				c.color.G, c.color.B))
		})
	}
	f.add(a, c.name, c.name, at(c.x), at(c.y), grob.ScatterLine{Color: types.C(fmt.Sprintf("#%02x%02x%02x",
		c.color.R, c.color.G, c.color.B))}, nil)
}

// domain returns the place of panel i in the figure, in fractions of its width and height.
func domain(rows []int, i int) (x, y [2]float64) {
	row := 0
	for i >= rows[row] {
		i -= rows[row]
		row++
	}
	width, height := 1/float64(rows[0]), 1/float64(len(rows))
	left := (1-width*float64(rows[row]))/2 + width*float64(i)
	top := 1 - height*float64(row)
	return [2]float64{left + 0.17*width, left + 0.97*width}, [2]float64{top - 0.74*height, top}
}

// nullable returns the converted values. NaN, ±Inf and 0 on a log axis become null, which plotly draws as a gap.
func nullable(values []float64, convert func(float64) float64) *types.DataArrayType {
	out := make([]*float64, len(values))
	for i, v := range values {
		if !finite(v) {
			continue
		}
		if convert != nil {
			v = convert(v)
		}
		out[i] = &v
	}
	return types.DataArray(out)
}
