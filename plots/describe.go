package plots

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"gonum.org/v1/plot/vg/draw"
)

// axes describes a panel of an SVG, so that a script can read values off its curves: the extension of JupyterLab in
// jupyter/labextensions/unhinged-figures does, to show them under the mouse and to zoom.
type axes struct {
	Title  string             `json:"title"`
	X      string             `json:"x"`
	Y      string             `json:"y"`
	Log    bool               `json:"log,omitempty"` // Range and Lines have base-10 logarithms of y
	Area   [4]float64         `json:"area"`          // left, right, bottom, top: points from the lower left corner
	Range  [4]float64         `json:"range"`         // the values there
	Curves [][2]string        `json:"curves"`        // the colour of the stroke, and the name
	Lines  map[string]float64 `json:"lines,omitempty"`
}

// axes returns the description of the chart as it is drawn on the canvas.
func (c chart) axes(canvas draw.Canvas) axes {
	area, pl := c.plot.DataCanvas(canvas), c.plot
	a := axes{Title: c.panel.title, X: pl.X.Label.Text, Y: pl.Y.Label.Text, Log: c.panel.log,
		Range:  [4]float64{short(pl.X.Min), short(pl.X.Max), short(pl.Y.Min), short(pl.Y.Max)},
		Curves: [][2]string{}}
	for i, side := range []float64{float64(area.Min.X), float64(area.Max.X), float64(area.Min.Y), float64(area.Max.Y)} {
		a.Area[i] = short(side)
	}
	for _, l := range c.lines {
		if l.drawable() {
			colour := fmt.Sprintf("#%02X%02X%02X", l.color.R, l.color.G, l.color.B)
			a.Curves = append(a.Curves, [2]string{colour, l.name})
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
