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
	out := &grob.Fig{Layout: layout, Config: &grob.Config{Responsive: types.True}}
	named := map[string]bool{}
	for i, p := range panels {
		x, y := domain(rows, i)
		number := ""
		if i > 0 {
			number = strconv.Itoa(i + 1)
		}
		*xs[i] = &grob.LayoutXaxis{Domain: x[:], Anchor: grob.LayoutXaxisAnchor("y" + number), Gridcolor: "#e4e4e4",
			Zeroline: types.False,
			Title:    &grob.LayoutXaxisTitle{Text: types.S(p.xlabel), Standoff: types.N(6)}}
		*ys[i] = &grob.LayoutYaxis{Domain: y[:], Anchor: grob.LayoutYaxisAnchor("x" + number), Gridcolor: "#e4e4e4",
			Zeroline:       types.False,
			Title:          &grob.LayoutYaxisTitle{Text: types.S(p.ylabel), Standoff: types.N(6)},
			Exponentformat: grob.LayoutYaxisExponentformatPower}
		x0, x1, y0, y1, ok := p.bounds()
		value := func(y float64) float64 { return y }
		switch {
		case p.log && ok && (y0 < -300 || y1 > 300): // too large or too small for JavaScript's numbers
			(*ys[i]).Tickprefix, (*ys[i]).Ticksuffix = "10<sup>", "</sup>"
		case p.log:
			(*ys[i]).Type = grob.LayoutYaxisTypeLog
			value = func(y float64) float64 { return math.Pow(10, y) }
		}
		layout.Annotations = append(layout.Annotations, grob.LayoutAnnotation{Text: types.S(p.title),
			Showarrow: types.False,
			X:         (x[0] + x[1]) / 2, Xref: grob.LayoutAnnotationXrefPaper,
			Xanchor: grob.LayoutAnnotationXanchorCenter,
			Y:       y[1], Yref: "paper", Yanchor: grob.LayoutAnnotationYanchorBottom})

		add := func(name, group string, xs, ys []float64, ln grob.ScatterLine, more func(*grob.Scatter)) {
			s := &grob.Scatter{Name: types.S(name), Legendgroup: types.S(group), Mode: grob.ScatterModeLines, Line: &ln,
				X: nullable(xs, nil), Y: nullable(ys, value), Xaxis: types.S("x" + number), Yaxis: types.S("y" +
					number), Showlegend: types.B(!named[group])}
			if more != nil {
				more(s)
			} else {
				named[group] = true
			}
			out.AddTraces(s)
		}
		for _, c := range p.curves {
			if len(c.y) == 0 {
				continue
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
				add(c.name, c.name, at(c.x), at(c.lo), grob.ScatterLine{Width: types.N(0)}, hidden)
				add(c.name, c.name, at(c.x), at(c.hi), grob.ScatterLine{Width: types.N(0)}, func(s *grob.Scatter) {
					hidden(s)
					s.Fill, s.Fillcolor = grob.ScatterFillTonexty, types.C(fmt.Sprintf("rgba(%d,%d,%d,0.22)", c.color.R,
						c.color.G, c.color.B))
				})
			}
			add(c.name, c.name, at(c.x), at(c.y), grob.ScatterLine{Color: types.C(fmt.Sprintf("#%02x%02x%02x",
				c.color.R, c.color.G, c.color.B))}, nil)
		}
		for _, r := range p.refs {
			if ok {
				add(r.name, p.title+r.name, []float64{x0, x1}, []float64{r.y, r.y}, grob.ScatterLine{Color: "#555555",
					Dash: "dash", Width: types.N(1.2)}, nil)
			}
		}
	}
	return out, nil
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
