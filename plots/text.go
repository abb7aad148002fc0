package plots

import (
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// mathText draws plain text. Superscripts and subscripts (10⁻⁵, 1ᵀ, ‖H‖₂), of which the font has only a few, are drawn
// as small shifted letters, and combining bars and hats (Z̄̂) are centred over their letter.
type mathText struct{ text.Plain }

var (
	raised = letters("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ᵀ⊤ⁿ", "0123456789−+TTn")
	sunk   = letters("₀₁₂₃₄₅₆₇₈₉₋₊ₙ", "0123456789−+n")
	marks  = letters("\u0302\u0304\u0305\u0303", "ˆˉˉ˜")
)

func letters(from, to string) map[rune]rune {
	out := map[rune]rune{}
	plain := []rune(to)
	for i, r := range []rune(from) {
		out[r] = plain[i]
	}
	return out
}

// style returns the text style of the given size in points.
func style(size float64) text.Style {
	return text.Style{
		Color:   ink,
		Font:    font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, vg.Points(size)),
		Handler: mathText{text.Plain{Fonts: plot.DefaultTextHandler.Cache()}},
	}
}

// glyphs is a piece of text in one size and height.
type glyphs struct {
	text string
	size vg.Length // of the font's
	up   vg.Length // in font sizes
	gap  vg.Length // to the next, in font sizes
	back bool      // is drawn over the letter before it
}

func pieces(line string) []glyphs {
	var out []glyphs
	stacked := vg.Length(0)
	for _, r := range line {
		if r == '⊗' {
			out = append(out, glyphs{text: kronecker, size: 1, gap: 0.72})
			continue
		}
		if r == '‖' || r == '∥' { // few fonts have it, and a browser's font may have another width
			out = append(out, glyphs{text: "|", size: 1, gap: -0.1}, glyphs{text: "|", size: 1})
			continue
		}
		g := glyphs{size: 1}
		if to, ok := raised[r]; ok {
			r, g.size, g.up = to, 0.72, 0.36
		} else if to, ok := sunk[r]; ok {
			r, g.size, g.up = to, 0.72, -0.16
		}
		if to, ok := marks[r]; ok {
			r, g.back, g.up = to, true, 0.17+stacked
			stacked += 0.14
		} else {
			stacked = 0
		}
		g.text = string(r)
		if n := len(out); n > 0 && !g.back && out[n-1].size == g.size && out[n-1].up == g.up && out[n-1].gap == 0 &&
			!strings.ContainsAny(line, "\u0302\u0304\u0305\u0303") {
			out[n-1].text += g.text
			continue
		}
		out = append(out, g)
	}
	return out
}

const kronecker = "⊗" // is drawn, because the font does not have it

// width returns the distance to the next letter.
func (m mathText) width(g glyphs, f font.Font) vg.Length {
	width := g.gap * f.Size
	if g.text != kronecker {
		face := m.face(f, g.size)
		width += face.Width(g.text)
	}
	return width
}

func drawKronecker(c vg.Canvas, at vg.Point, em vg.Length) {
	centre, radius := at.Add(vg.Point{X: 0.36 * em, Y: 0.33 * em}), 0.28*em
	d := radius * math.Sqrt2 / 2
	path := disc(centre, radius)
	for _, side := range []vg.Length{-1, 1} {
		path.Move(centre.Add(vg.Point{X: -d, Y: -d * side}))
		path.Line(centre.Add(vg.Point{X: d, Y: d * side}))
	}
	c.SetLineWidth(0.06 * em)
	c.SetLineDash(nil, 0)
	c.Stroke(path)
}

func (m mathText) face(f font.Font, size vg.Length) font.Face {
	f.Size *= size
	return m.Fonts.Lookup(f, f.Size)
}

// Box implements text.Handler.
func (m mathText) Box(line string, f font.Font) (width, height, depth vg.Length) {
	for _, g := range pieces(line) {
		if !g.back {
			width += m.width(g, f)
		}
	}
	ext := m.Extents(f)
	return width, ext.Ascent, ext.Descent
}

// Draw implements text.Handler; it places lines as text.Plain does.
func (m mathText) Draw(c vg.Canvas, txt string, sty text.Style, pt vg.Point) {
	txt = strings.TrimRight(txt, "\n")
	if txt == "" {
		return
	}
	c.SetColor(sty.Color)
	if sty.Rotation != 0 {
		c.Push()
		defer c.Pop()
		c.Rotate(sty.Rotation)
		sin, cos := math.Sincos(sty.Rotation)
		pt.X, pt.Y = pt.Y*vg.Length(sin)+pt.X*vg.Length(cos), pt.Y*vg.Length(cos)-pt.X*vg.Length(sin)
	}
	pt.Y += sty.Height(txt)*vg.Length(sty.YAlign) - m.Extents(sty.Font).Ascent
	lines := m.Lines(txt)
	for i, line := range lines {
		width, _, _ := m.Box(line, sty.Font)
		at := pt.Add(vg.Point{X: vg.Length(sty.XAlign) * width, Y: vg.Length(len(lines)-i) * sty.Font.Size})
		var before vg.Length // width of the letter before
		for _, g := range pieces(line) {
			w := m.width(g, sty.Font)
			place := at.Add(vg.Point{Y: g.up * sty.Font.Size})
			if g.back {
				place.X -= (before + w) / 2
			} else {
				at.X += w
				before = w
			}
			if g.text == kronecker {
				drawKronecker(c, place, sty.Font.Size)
				continue
			}
			// SVG ignores blanks at the beginning and at the end of a text.
			face, word := m.face(sty.Font, g.size), strings.TrimLeft(g.text, " ")
			place.X += face.Width(g.text[:len(g.text)-len(word)])
			if word = strings.TrimRight(word, " "); word != "" {
				c.FillString(face, place, word)
			}
		}
	}
}
