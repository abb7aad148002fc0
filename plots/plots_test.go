package plots

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	_ "image/png"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// figure returns a figure with n panels of k curves, each with a burst. The axes of odd panels are logarithmic.
func figure(n, k, steps int) result.Figure {
	rng := rand.New(rand.NewPCG(uint64(n), uint64(k)))
	f := result.Figure{ID: "fig", Title: "A figure"}
	for i := range k {
		c := result.Curve{Name: fmt.Sprintf("γ = %d/(C−1)", i), Series: map[string]result.Series{}}
		for s := range steps {
			c.Series["step"] = append(c.Series["step"], float64(50*s))
			c.Series["y"] = append(c.Series["y"], math.Exp(-float64(i*s)/float64(steps))+0.1*rng.Float64())
		}
		f.Curves = append(f.Curves, c)
	}
	for j := range n {
		f.Panels = append(f.Panels, result.Panel{Title: fmt.Sprintf("(%c) Panel", 'a'+j), Y: "y", YLabel: "value",
			Log: j%2 == 1})
	}
	return f
}

func drawn(t *testing.T, f result.Figure) string {
	t.Helper()
	picture, err := SVG(f)
	if err != nil {
		t.Fatal(err)
	}
	text := texts(t, picture)
	if strings.Contains(string(picture), "NaN") || strings.Contains(string(picture), "Inf") {
		t.Error("NaN or Inf in the SVG")
	}
	return text
}

// texts checks that the picture is well-formed XML and returns its texts in order.
func texts(t *testing.T, picture []byte) string {
	t.Helper()
	var out strings.Builder
	d := xml.NewDecoder(bytes.NewReader(picture))
	inText := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		if err != nil {
			t.Fatalf("SVG is not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			inText = token.Name.Local == "text"
		case xml.EndElement:
			inText = false
		case xml.CharData:
			if inText {
				out.Write(token)
			}
		}
	}
}

func TestSVGNamesEverything(t *testing.T) {
	for n := 1; n <= 8; n++ {
		f := figure(n, 1+n%10, 40)
		f.Panels[0].Lines = map[string]float64{"limit = 2": 2}
		got := drawn(t, f)
		want := []string{"limit = 2", "Time-of-training", "value"}
		for _, c := range f.Curves {
			want = append(want, c.Name)
		}
		for _, p := range f.Panels {
			want = append(want, p.Title)
		}
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%d panels: %q is not in the picture", n, w)
			}
		}
	}
}

func TestArrangement(t *testing.T) {
	for panels, want := range map[int][]int{1: {1}, 2: {2}, 3: {3}, 4: {2, 2}, 5: {3, 2}, 6: {3, 3}, 7: {3, 3, 1},
		10: {3, 2, 3, 2}} {
		if got := arrangement(panels); !slices.Equal(got, want) {
			t.Errorf("%d panels: rows of %v, want %v", panels, got, want)
		}
		s, err := newSheet(figure(panels, 1, 3), nil)
		if err != nil {
			t.Fatal(err)
		}
		if w, h := s.width/s.cell.X,
			(s.height-s.legendHeight(style(legendText)))/s.cell.Y; math.Abs(float64(w)-float64(want[0])) > 1e-9 ||
			math.Abs(float64(h)-float64(len(want))) > 1e-9 {
			t.Errorf("%d panels: %v by %v cells, want %d by %d", panels, w, h, want[0], len(want))
		}
	}
}

func TestLogarithmsBeyondFloat64(t *testing.T) {
	f := figure(1, 1, 50)
	s := f.Curves[0].Series
	s["z"], s[result.Log10("z")] = make(result.Series, 50), make(result.Series, 50)
	for i := range 50 {
		s["z"][i], s[result.Log10("z")][i] = math.Inf(1), 5000*float64(i)/49
	}
	f.Panels = []result.Panel{{Title: "norm", Y: "z", Log: true}}
	// the text of 10⁵⁰⁰⁰, whose exponent is raised
	if got := drawn(t, f); !strings.Contains(got, "105000") || !strings.Contains(got, "101000") {
		t.Errorf("no 10⁵⁰⁰⁰ on the axis: %q", got)
	}
	delete(s, "z") // the series of logarithms is enough
	drawn(t, f)
}

func TestHugeLinearValuesShareAPower(t *testing.T) {
	f := figure(1, 1, 50)
	for i := range f.Curves[0].Series["y"] {
		f.Curves[0].Series["y"][i] = -2.5e54 * float64(i) / 49
	}
	got := drawn(t, f)
	if !strings.Contains(got, "value (×1054)") || !strings.Contains(got, "−2.5") && !strings.Contains(got, "−2") {
		t.Errorf("no common power of ten: %q", got)
	}
	for i := range f.Curves[0].Series["y"] { // the length of the range overflows
		f.Curves[0].Series["y"][i] = []float64{-math.MaxFloat64, math.MaxFloat64, 5e-324}[i%3]
	}
	drawn(t, f)
}

func TestGapsBreakTheLine(t *testing.T) {
	f := figure(2, 1, 30)
	strokes := func() []int {
		s, err := newSheet(f, nil)
		if err != nil {
			t.Fatal(err)
		}
		var out []int
		for _, c := range s.charts {
			out = append(out, len(unbroken(c.lines[0].y)))
		}
		return out
	}
	if got := strokes(); !slices.Equal(got, []int{1, 1}) {
		t.Fatalf("unbroken curve drawn in %v parts", got)
	}
	y := f.Curves[0].Series["y"]
	y[10], y[15], y[20] = math.NaN(), math.Inf(-1), -1 // the last value is a gap on the log axis only
	if got := strokes(); !slices.Equal(got, []int{3, 4}) {
		t.Errorf("parts %v, want 3 on the linear and 4 on the log axis", got)
	}
	drawn(t, f)
	for i := range y {
		y[i] = -1
	}
	if got := drawn(t, f); !strings.Contains(got, f.Curves[0].Name+": no value on this axis") {
		t.Error("a curve that cannot be drawn vanished silently")
	}
}

func TestErrorsNameWhatIsThere(t *testing.T) {
	for _, c := range []struct {
		change func(*result.Figure)
		want   []string
	}{
		{func(f *result.Figure) { f.Panels = nil }, []string{"fig", "panel"}},
		{func(f *result.Figure) { f.Curves = nil }, []string{"fig", "curve"}},
		{func(f *result.Figure) { f.Panels[0].Y = "loss" }, []string{`"loss"`, "step, y", "Panel"}},
		{func(f *result.Figure) { f.Panels[0].X = "epoch" }, []string{`"epoch"`, "step, y"}},
		{func(f *result.Figure) { f.Panels[0].Curves = []string{"γ = 7"} }, []string{`"γ = 7"`, `"γ = 0/(C−1)", "γ = 1/(C−1)"`}},
		{func(f *result.Figure) { f.Panels[0].ZoomCurves = []string{"no"} }, []string{`"no"`}},
		{func(f *result.Figure) { f.Curves[1].Series["y"] = f.Curves[1].Series["y"][1:] }, []string{`"y" has 19`, `"step" has 20`}},
		{func(f *result.Figure) { f.Panels[1].Lines = map[string]float64{"zero": 0} }, []string{`"zero"`}},
	} {
		f := figure(2, 2, 20)
		c.change(&f)
		_, err := SVG(f)
		if err == nil {
			t.Errorf("no error where it should name %v", c.want)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("error %q does not name %s", err, w)
			}
		}
		for name, other := range map[string]func() error{
			"PNG":  func() error { _, err := PNG(f, 96); return err },
			"HTML": func() error { _, err := HTML([]result.Figure{f}); return err },
		} {
			if other() == nil {
				t.Errorf("%s accepts what SVG refuses: %v", name, err)
			}
		}
	}
}

func TestSVGIsLight(t *testing.T) {
	f := figure(6, 10, 50001) // noise everywhere is the worst case
	picture, err := SVG(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(picture) > 300_000 {
		t.Errorf("%d bytes", len(picture))
	}
}

func TestInset(t *testing.T) {
	f := figure(1, 3, 101)
	without, _ := SVG(f)
	f.Panels[0].ZoomFrom, f.Panels[0].ZoomCurves = 4000, []string{f.Curves[2].Name}
	with, err := SVG(f)
	if err != nil {
		t.Fatal(err)
	}
	red := "stroke:#B02020"
	if strings.Contains(string(without), red) || !strings.Contains(string(with), red) {
		t.Error("the inset's frame should be there with ZoomFrom, and only then")
	}
	if n := strings.Count(texts(t, with), "5000"); n != 2 { // one on the panel and one in the inset
		t.Error("the inset has no ticks")
	}
	p, _, err := resolve(f)
	if err != nil {
		t.Fatal(err)
	}
	in, ok := p[0].inset()
	if !ok || len(in.curves) != 1 || in.curves[0].name != f.Curves[2].Name || slices.Min(in.curves[0].x) != 4000 {
		t.Errorf("inset of %d curves from %v", len(in.curves), in.curves[0].x[0])
	}
	f.Panels[0].ZoomFrom = 1e9 // there are no points
	if _, err := SVG(f); err != nil {
		t.Error(err)
	}
}

func TestMaxStep(t *testing.T) {
	f := figure(1, 1, 101)
	f.Panels[0].MaxStep = 3500
	p, _, err := resolve(f)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Max(p[0].curves[0].x); got != 3500 {
		t.Errorf("drawn to step %g, want 3500", got)
	}
}

func TestYMin(t *testing.T) {
	f := figure(1, 1, 5)
	f.Panels[0].Log, f.Panels[0].YMin = true, 1e-3
	f.Curves[0].Series["y"] = result.Series{1, 0.1, 1e-3, 9e-4, 1}
	p, _, err := resolve(f)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range p[0].curves[0].y {
		if math.IsNaN(v) != (i == 3) {
			t.Errorf("value %d, %g, is drawn at %g: only what lies below 1e-3 is left out", i,
				f.Curves[0].Series["y"][i], v)
		}
	}
}

func TestBand(t *testing.T) {
	f := figure(2, 1, 30)
	s := f.Curves[0].Series
	count := func() int {
		picture, err := SVG(f)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(picture), "fill-opacity:0.21961") // counts the faded areas
	}
	if n := count(); n != 0 {
		t.Fatalf("%d bands without deviations", n)
	}
	s["y_sd"] = make(result.Series, 30)
	for i := range s["y_sd"] {
		s["y_sd"][i] = 0.5 * float64(i%4) // the band often reaches the edge of the log axis
	}
	if n := count(); n != 2 {
		t.Errorf("%d bands, want one in each panel", n)
	}
	s["y"][7] = math.NaN()
	if n := count(); n != 4 {
		t.Errorf("%d bands, want two in each panel around the gap", n)
	}
}

func TestCoincidingCurvesAreAllSeen(t *testing.T) {
	f := figure(1, 4, 200)
	for i := range f.Curves[0].Series["y"] {
		v := math.Sin(float64(i) / 30)
		for _, c := range f.Curves[:3] {
			c.Series["y"][i] = v
		}
		f.Curves[3].Series["y"][i] = v + 1
	}
	s, err := newSheet(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]vg.Length{nil, {16, 8}, {8, 16}, nil} {
		parts := s.charts[0].lines[i].parts
		if len(parts) != 1 || !slices.Equal(parts[0].dashes, want) {
			t.Errorf("curve %d drawn as %v, want one stretch of %v", i, parts, want)
		}
	}
}

func TestGroupsThatShareNoPanelShareColours(t *testing.T) {
	f := figure(2, 6, 5)
	f.Panels[0].Curves = []string{f.Curves[0].Name, f.Curves[2].Name, f.Curves[4].Name}
	f.Panels[1].Curves = []string{f.Curves[1].Name, f.Curves[3].Name, f.Curves[5].Name}
	p, legends, err := resolve(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(legends) != 2 || !slices.Equal(legends[0], []int{0, 2, 4}) || !slices.Equal(legends[1], []int{1, 3, 5}) {
		t.Errorf("legends %v", legends)
	}
	for k := range 3 {
		if p[0].curves[k].color != p[1].curves[k].color {
			t.Errorf("curve %d: colours differ", k)
		}
	}
	f.Panels[1].Curves = f.Panels[1].Curves[:2]
	f.Panels[0].Curves = nil
	if p, _, _ = resolve(f); p[1].curves[1].color != p[0].curves[3].color {
		t.Error("a curve changes colour between panels")
	}
}

// Any figure is either drawn or refused with an error, without a panic and without NaN in the picture.
func TestRandomFigures(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	odd := []float64{0, -1, 1, math.NaN(), math.Inf(1), math.Inf(-1), 5e-324, math.MaxFloat64, -math.MaxFloat64, 1e54,
		719.18}
	for range 60 {
		f := figure(1+rng.IntN(6), 1+rng.IntN(5), 1+rng.IntN(60))
		for _, c := range f.Curves {
			for _, key := range slices.Sorted(maps.Keys(c.Series)) {
				for i := range c.Series[key] {
					if rng.IntN(4) == 0 {
						c.Series[key][i] = odd[rng.IntN(len(odd))]
					}
				}
			}
			if rng.IntN(2) == 0 {
				c.Series["y_sd"] = c.Series["step"]
			}
		}
		for i := range f.Panels {
			if rng.IntN(2) == 0 {
				f.Panels[i].ZoomFrom = 50 * rng.Float64() * 60
			}
			if rng.IntN(2) == 0 {
				f.Panels[i].Lines = map[string]float64{"level": math.Exp(5 * rng.NormFloat64())}
			}
		}
		drawn(t, f)
		if _, err := PNG(f, 20); err != nil {
			t.Error(err)
		}
	}
}

func TestPNG(t *testing.T) {
	b, err := PNG(figure(4, 2, 20), 96)
	if err != nil {
		t.Fatal(err)
	}
	img, format, err := image.Decode(bytes.NewReader(b))
	if err != nil || format != "png" {
		t.Fatalf("%s: %v", format, err)
	}
	if w := img.Bounds().Dx(); w != int(math.Round(2*4.4*96)) {
		t.Errorf("%d dots wide", w)
	}
	for _, dpi := range []int{0, -5, 100000} {
		if _, err := PNG(figure(1, 1, 3), dpi); err == nil {
			t.Errorf("%d dots per inch accepted", dpi)
		}
	}
}

// TestFilledAreas checks that a "_from" series is the other boundary of an area, also where it is above the curve, and
// that there is a gap where one of the two is not a number.
func TestFilledAreas(t *testing.T) {
	fig := result.Figure{ID: "test", Panels: []result.Panel{{Title: "a", Y: "y"}}, Curves: []result.Curve{{Name: "c",
		Series: map[string]result.Series{"step": {0, 1, 2, 3}, "y": {1, 2, math.NaN(), 4}, "y_from": {0, 5, 0,
			math.Inf(1)}}}}}
	panels, _, err := resolve(fig)
	if err != nil {
		t.Fatal(err)
	}
	c := panels[0].curves[0]
	if !slices.Equal(c.lo[:2], []float64{0, 5}) || !slices.Equal(c.hi[:2], []float64{1, 2}) || !math.IsNaN(c.lo[2]) ||
		!math.IsNaN(c.hi[3]) {
		t.Errorf("from %v to %v", c.lo, c.hi)
	}
	if b, _ := panels[0].bounds(); b.y0 != 0 || b.y1 != 5 {
		t.Errorf("the axis is from %v to %v, want 0 to 5", b.y0, b.y1)
	}
	filled, err := SVG(fig)
	if err != nil {
		t.Fatal(err)
	}
	delete(fig.Curves[0].Series, "y_from")
	if plain, err := SVG(fig); err != nil || len(plain) >= len(filled) {
		t.Errorf("%d bytes with an area, %d without, error %v", len(filled), len(plain), err)
	}
	fig.Curves[0].Series["y_from"] = result.Series{0}
	if _, err := SVG(fig); err == nil {
		t.Error("an area of another length was drawn")
	}
}

// Thin lines of one style that follow each other become one path, and nothing else changes.
func TestJoined(t *testing.T) {
	path := func(d, style string) string {
		return `<path d="` + d + `" style="fill:none;stroke:#E4E4E4;` + style + `" />`
	}
	const grid, curve = "stroke-width:0.6", "stroke-width:1.5"
	got := joined(strings.Join([]string{path("M1,2L3,4", grid), path("M5,6L7,8", grid), path("M9,9L8,8", curve),
		path("M7,7L8,8", curve), path("M1,1L2,2", grid), "<g>", path("M3,3L4,4", grid)}, "\n"))
	want := strings.Join([]string{path("M1,2L3,4M5,6L7,8", grid), path("M9,9L8,8", curve), path("M7,7L8,8", curve),
		path("M1,1L2,2", grid), "<g>", path("M3,3L4,4", grid)}, "\n")
	if got != want {
		t.Errorf("the lines become\n%s\nand should become\n%s", got, want)
	}
}
