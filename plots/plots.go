// Package plots draws a result.Figure: as SVG or PNG in the paper's arrangement of panels, as an interactive plotly
// figure, or with others on one HTML page. It also has helpers that show pictures in a GoNB cell.
package plots

import (
	"bytes"
	"fmt"
	"html"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// SVG draws all panels of the figure. Text is kept as text and shown in fonts of the reader's machine.
//
// It is an error if there is nothing to draw, or if a panel asks for a curve or a series that is not there.
func SVG(fig result.Figure) ([]byte, error) {
	s, err := newSheet(fig)
	if err != nil {
		return nil, err
	}
	return svg(fig.Title, s.width, s.height, s.draw)
}

// PNG draws all panels of the figure at the given resolution in dots per inch: 96 is right for a screen, 200 for print.
func PNG(fig result.Figure, dpi int) ([]byte, error) {
	if dpi < 10 || dpi > 1200 {
		return nil, fmt.Errorf("plots: %d dots per inch: want 10 to 1200", dpi)
	}
	s, err := newSheet(fig)
	if err != nil {
		return nil, err
	}
	return png(s.width, s.height, dpi, s.draw)
}

func svg(title string, width, height vg.Length, paint func(draw.Canvas)) ([]byte, error) {
	canvas := vgsvg.New(width, height)
	paint(draw.New(canvas))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("plots: writing SVG: %w", err)
	}
	return lighten(b.String(), title), nil
}

func png(width, height vg.Length, dpi int, paint func(draw.Canvas)) ([]byte, error) {
	canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))
	paint(draw.New(canvas))
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: canvas}).WriteTo(&b); err != nil {
		return nil, fmt.Errorf("plots: writing PNG: %w", err)
	}
	return b.Bytes(), nil
}

// lighten removes the repeated parts of gonum's SVG, so that it can be put into HTML, and adds a title for screen
// readers. The picture shrinks to the width of its column. Its font is metrically compatible with Arial and Helvetica,
// which most machines have.
func lighten(svg, title string) []byte {
	_, body, _ := strings.Cut(svg, "<svg ")
	body = strings.ReplaceAll(body,
		"font-family:Liberation Sans;font-variant:none;font-weight:normal;font-style:normal;", "")
	body = strings.ReplaceAll(body, "\n\tstyle=", " style=")
	body = strings.ReplaceAll(body, "data:image/jpg;", "data:image/png;") // the right type
	body = strings.ReplaceAll(body, "<image ", `<image preserveAspectRatio="none" `)
	attributes, body, _ := strings.Cut(body, ">")
	return fmt.Appendf(nil, `<svg role="img" style="max-width:100%%;height:auto" `+
		`font-family="Liberation Sans, Arial, Helvetica, sans-serif" %s><title>%s</title>%s`,
		attributes, html.EscapeString(title), body)
}
