// Package plots draws a result.Figure: as SVG or PNG in the paper's arrangement of panels, or with others on one HTML
// page. It also has helpers that show pictures in a GoNB cell.
package plots

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// SVG draws all panels of the figure. Text is kept as text and shown in fonts of the reader's machine.
//
// It is an error if there is nothing to draw, or if a panel asks for a curve or a series that is not there.
func SVG(fig result.Figure) ([]byte, error) { return (*held)(nil).figure(fig) }

func (h *held) figure(fig result.Figure) ([]byte, error) {
	s, err := newSheet(fig, h)
	if err != nil {
		return nil, err
	}
	picture, err := svg(fig.Title, s.width, s.height, s.draw)
	if err != nil {
		return nil, err
	}
	return describe(picture, s.drawn)
}

// PNG draws all panels of the figure at the given resolution in dots per inch: 96 is right for a screen, 200 for print.
func PNG(fig result.Figure, dpi int) ([]byte, error) {
	if dpi < 10 || dpi > 1200 {
		return nil, fmt.Errorf("plots: %d dots per inch: want 10 to 1200", dpi)
	}
	s, err := newSheet(fig, nil)
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

// svgText matches a text as gonum writes it, with its style and its characters.
var svgText = regexp.MustCompile(`(<text [^>]*?)\s+style="[^"]*?font-size:([0-9.e+-]+)px;([^"]*)">([^<]*)</text>`)

// lighten removes the repeated parts of gonum's SVG, so that it can be put into HTML, and adds a title for screen
// readers. The picture shrinks to the width of its column. Each text says how long it is: a reader's machine that does
// not have the font fits its own into this length, so that texts do not run into their neighbours.
func lighten(svg, title string) []byte {
	_, body, _ := strings.Cut(svg, "<svg ")
	body = svgText.ReplaceAllStringFunc(body, func(found string) string {
		part := svgText.FindStringSubmatch(found)
		size, err := strconv.ParseFloat(part[2], 64)
		if err != nil {
			return found
		}
		sty := style(size)
		face := plot.DefaultTextHandler.Cache().Lookup(sty.Font, sty.Font.Size)
		return fmt.Sprintf(`%s style="font-size:%spx;%s" textLength="%.4g" lengthAdjust="spacingAndGlyphs">%s</text>`,
			part[1], part[2], part[3], face.Width(html.UnescapeString(part[4])).Points(), part[4])
	})
	body = strings.ReplaceAll(body, "\n\tstyle=", " style=")
	body = joined(body)
	body = strings.ReplaceAll(body, "data:image/jpg;", "data:image/png;") // the right type
	body = strings.ReplaceAll(body, "<image ", `<image preserveAspectRatio="none" `)
	attributes, body, _ := strings.Cut(body, ">")
	return fmt.Appendf(nil, `<svg role="img" style="max-width:100%%;height:auto" `+
		`font-family="Liberation Sans, Arial, Helvetica, sans-serif" %s><title>%s</title>%s`,
		attributes, html.EscapeString(title), body)
}

// thinLine matches a line of a grid or an axis.
var thinLine = regexp.MustCompile(`^<path d="([^"]*)" style="(fill:none;stroke:#[0-9A-F]{6};stroke-width:0\.[67])" />$`)

// joined makes one path of the thin lines of one style that follow each other, which saves a fifth of a picture's size.
func joined(body string) string {
	var lines []string
	var last []string // the match of the last line
	for line := range strings.SplitSeq(body, "\n") {
		match := thinLine.FindStringSubmatch(line)
		if match != nil && last != nil && match[2] == last[2] {
			match[1] = last[1] + match[1]
			line = fmt.Sprintf(`<path d="%s" style="%s" />`, match[1], match[2])
			lines = lines[:len(lines)-1]
		}
		lines, last = append(lines, line), match
	}
	return strings.Join(lines, "\n")
}
