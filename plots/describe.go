package plots

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/color"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// axes describes a panel of an SVG, so that a script can show its values: the extension of JupyterLab in
// jupyter/labextensions/unhinged-figures does, under the mouse, and it zooms. The script reads the values of curves off
// their strokes; those of bars, points and matrices are here.
type axes struct {
	Title  string             `json:"title"`
	X      string             `json:"x"`
	Y      string             `json:"y"`
	Log    bool               `json:"log,omitempty"` // Range and Lines have base-10 logarithms of y
	Area   [4]float64         `json:"area"`          // left, right, bottom, top: points from the lower left corner
	Range  [4]float64         `json:"range"`         // the values there
	Curves [][2]string        `json:"curves"`        // the colour of the stroke, and the name
	Lines  map[string]float64 `json:"lines,omitempty"`
	Labels []string           `json:"labels,omitempty"` // of the groups of bars, which are at 0, 1, … on the x axis
	Bars   []coloured         `json:"bars,omitempty"`
	Points []coloured         `json:"points,omitempty"`
	Circle float64            `json:"circle,omitempty"` // radius of the circle around the origin
	Matrix *matrix            `json:"matrix,omitempty"`
}

// coloured are bars or points of one colour. Bars have no X.
type coloured struct {
	Name   string    `json:"name"`
	Colour string    `json:"colour"`
	X      []float64 `json:"x,omitempty"`
	Y      []float64 `json:"y"`
	SD     []float64 `json:"sd,omitempty"`
	Arrows bool      `json:"arrows,omitempty"`
}

// matrix has the values of a heat map, and the colours at −Reach, 0 and Reach.
type matrix struct {
	Name    string      `json:"name"`
	Values  [][]float64 `json:"values"`
	Reach   float64     `json:"reach"`
	Colours [3]string   `json:"colours"`
}

// of returns the description with the place and the axes of the plot as it is drawn on the canvas.
func (a axes) of(pl *plot.Plot, canvas draw.Canvas) axes {
	area := pl.DataCanvas(canvas)
	a.X, a.Y = pl.X.Label.Text, pl.Y.Label.Text
	a.Range = [4]float64{short(pl.X.Min), short(pl.X.Max), short(pl.Y.Min), short(pl.Y.Max)}
	for i, side := range []vg.Length{area.Min.X, area.Max.X, area.Min.Y, area.Max.Y} {
		a.Area[i] = short(float64(side))
	}
	if a.Curves == nil {
		a.Curves = [][2]string{}
	}
	return a
}

// axes returns the description of the chart as it is drawn on the canvas.
func (c chart) axes(canvas draw.Canvas) axes {
	a := axes{Title: c.panel.title, Log: c.panel.log}.of(c.plot, canvas)
	for _, l := range c.lines {
		if l.drawable() {
			a.Curves = append(a.Curves, [2]string{hex(l.color), l.name})
		}
	}
	for i, r := range c.refs {
		if a.Lines == nil {
			a.Lines = map[string]float64{}
		}
		a.Lines[c.panel.refs[i].name] = short(r.y)
	}
	return a
}

// hex returns the colour as in SVG.
func hex(c color.NRGBA) string { return fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B) }

// shortened returns the numbers divided by scale, as short as in a description.
func shortened(values []float64, scale float64) []float64 {
	var out []float64
	for _, v := range values {
		out = append(out, short(v/scale))
	}
	return out
}

// short returns the number with nine significant digits: more than a picture can show.
func short(v float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 9, 64), 64)
	if err != nil {
		return v
	}
	return rounded
}

// describe adds the description of its panels to an SVG.
func describe(picture []byte, panels []axes) ([]byte, error) {
	text, err := json.Marshal(panels) // also escapes <, > and &
	if err != nil {
		return nil, fmt.Errorf("plots: describing the panels: %w", err)
	}
	const end = "</title>"
	return bytes.Replace(picture, []byte(end), fmt.Appendf(nil, "%s<metadata>%s</metadata>", end, text), 1), nil
}
