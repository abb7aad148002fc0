package plots

import (
	"encoding/json"
	"encoding/xml"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// placed is a text of an SVG that is not rotated, with its start and the length that the SVG states for it.
type placed struct {
	text      string
	x, length float64
}

// horizontal returns the texts of the picture that are not rotated, and the width of the picture.
func horizontal(t *testing.T, picture []byte) (out []placed, width float64) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(picture)))
	number := func(s string) float64 {
		v, err := strconv.ParseFloat(strings.TrimSuffix(s, "pt"), 64)
		if err != nil {
			t.Fatalf("%q is no length", s)
		}
		return v
	}
	var rotated []bool
	for token, err := d.Token(); err == nil; token, err = d.Token() {
		switch token := token.(type) {
		case xml.StartElement:
			at := map[string]string{}
			for _, a := range token.Attr {
				at[a.Name.Local] = a.Value
			}
			in := len(rotated) > 0 && rotated[len(rotated)-1]
			rotated = append(rotated, in || strings.Contains(at["transform"], "rotate"))
			switch token.Name.Local {
			case "svg":
				width = number(at["width"])
			case "text":
				if at["textLength"] == "" || at["lengthAdjust"] != "spacingAndGlyphs" {
					t.Fatalf("a text does not say how long it is: %v", token)
				}
				if !in {
					out = append(out, placed{x: number(at["x"]), length: number(at["textLength"])})
				}
			}
		case xml.EndElement:
			rotated = rotated[:len(rotated)-1]
		case xml.CharData:
			if n := len(out); n > 0 && out[n-1].text == "" {
				out[n-1].text = string(token)
			}
		}
	}
	return out, width
}

// Whatever a title says, every text stays inside the picture, also on a machine with another font, because the SVG
// states the length of the text.
func TestTextsStayInThePicture(t *testing.T) {
	letters := []rune("abcWM ‖ᵀ₂⁻¹⊗ẐŴγλ−=(),.0123456789")
	rng := rand.New(rand.NewPCG(3, 1))
	for range 60 {
		var title strings.Builder
		for range 1 + rng.IntN(110) {
			title.WriteRune(letters[rng.IntN(len(letters))])
		}
		plane, err := Plane{title.String(), 1, []Group{{Name: "h", At: [][2]float64{{1, 0}}, Arrows: true}}}.SVG()
		if err != nil {
			t.Fatal(err)
		}
		heat, err := HeatMap(title.String(), "class", "class", "cosine", mat.NewDense(3, 3, nil), 1)
		if err != nil {
			t.Fatal(err)
		}
		bars, err := Bars(title.String(), "case", "share", []string{"a", "b"}, Bar{Values: []float64{1, 2}})
		if err != nil {
			t.Fatal(err)
		}
		lines, err := SVG(Lines(title.String(), "t", "y", false, XY("c", []float64{0, 1}, []float64{0, 1})))
		if err != nil {
			t.Fatal(err)
		}
		for name, picture := range map[string][]byte{"plane": plane, "heat map": heat, "bars": bars, "lines": lines} {
			texts, width := horizontal(t, picture)
			for _, p := range texts {
				if p.x < 0 || p.x+p.length > width {
					t.Errorf("%s, title %q: %q is at %.1f to %.1f of %.1f", name, title.String(), p.text, p.x,
						p.x+p.length, width)
				}
			}
		}
	}
}

// The description of a panel must map the points of a curve's strokes back to the values of the curve.
func TestDescriptionReadsValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	for range 40 {
		log := rng.IntN(2) == 0
		var x, y []float64
		at, scale := rng.NormFloat64(), math.Exp(8*rng.NormFloat64())
		for range 2 + rng.IntN(20) {
			at += scale * (0.1 + rng.Float64())
			x, y = append(x, at), append(y, math.Exp(3*rng.NormFloat64()))
		}
		fig := Lines("<panel> & title", "x", "y", log, XY("a <b>", x, y))
		fig.Panels[0].Lines = map[string]float64{"bound": y[0]}
		picture, err := SVG(fig)
		if err != nil {
			t.Fatal(err)
		}
		panels := described(t, picture)
		if len(panels) != 1 || panels[0].Title != "<panel> & title" ||
			panels[0].Curves[0] != [2]string{"#0072B2", "a <b>"} {
			t.Fatalf("the description is %+v", panels)
		}
		p := panels[0]
		path := regexp.MustCompile(`<path d="M([^"]*)" style="fill:none;stroke:#0072B2;stroke-width:1.5"`).FindSubmatch(picture)
		if path == nil {
			t.Fatal("the curve has no stroke")
		}
		points := strings.Split(string(path[1]), "L")
		for _, end := range []int{0, len(points) - 1} {
			px, py, _ := strings.Cut(points[end], ",")
			sx, _ := strconv.ParseFloat(px, 64)
			sy, _ := strconv.ParseFloat(py, 64)
			gotX := p.Range[0] + (sx-p.Area[0])/(p.Area[1]-p.Area[0])*(p.Range[1]-p.Range[0])
			gotY := p.Range[2] + (sy-p.Area[2])/(p.Area[3]-p.Area[2])*(p.Range[3]-p.Range[2])
			k := 0
			if end > 0 {
				k = len(x) - 1
			}
			wantY := y[k]
			if log {
				wantY = math.Log10(wantY)
			}
			wantX := x[k] / math.Pow10(commonPower(x[0], x[len(x)-1], 7))
			power := 1.0 // the power of ten that is factored out of the axis
			if !log {
				lo, hi := math.Inf(1), math.Inf(-1)
				for _, v := range y {
					lo, hi = min(lo, v), max(hi, v)
				}
				power = math.Pow10(commonPower(lo, hi, 5))
			}
			wantY /= power
			offX, offY := math.Abs(gotX-wantX)/(p.Range[1]-p.Range[0]), math.Abs(gotY-wantY)/(p.Range[3]-p.Range[2])
			if offX > 2e-3 || offY > 2e-3 {
				t.Errorf("log %v: the point %d of the stroke is %g, %g; the curve has %g, %g", log, end, gotX, gotY,
					wantX, wantY)
			}
		}
	}
}

// described returns the description of a picture's panels.
func described(t *testing.T, picture []byte) (panels []axes) {
	t.Helper()
	found := regexp.MustCompile(`<metadata>(.*?)</metadata>`).FindSubmatch(picture)
	if found == nil {
		t.Fatal("the picture has no description")
	}
	if err := json.Unmarshal(found[1], &panels); err != nil {
		t.Fatal(err)
	}
	return panels
}

// A curve without points is left out of the description, and each panel has a description of its own.
func TestDescriptionOfPanels(t *testing.T) {
	fig := figure(3, 2, 10)
	fig.Curves = append(fig.Curves, result.Curve{Name: "nothing", Series: map[string]result.Series{
		"step": {0, 1}, "y": {math.NaN(), math.NaN()}}})
	picture, err := SVG(fig)
	if err != nil {
		t.Fatal(err)
	}
	panels := described(t, picture)
	if len(panels) != 3 {
		t.Fatalf("%d panels are described", len(panels))
	}
	for i, p := range panels {
		if len(p.Curves) != 2 || p.Log != (i%2 == 1) {
			t.Errorf("panel %d: %+v", i, p)
		}
		if i > 0 && p.Area[0] <= panels[i-1].Area[1] {
			t.Errorf("panel %d overlaps the one before", i)
		}
	}
}

// corner returns the first point of the shape k that is filled with the colour, a regular expression.
func corner(t *testing.T, picture []byte, colour string, k int) [2]float64 {
	t.Helper()
	paths := regexp.MustCompile(`<path d="M([^"]*)" style="fill:`+colour).FindAllSubmatch(picture, -1)
	if len(paths) <= k {
		t.Fatalf("there are %d shapes of colour %s, and there should be more than %d", len(paths), colour, k)
	}
	var at [2]float64
	for i, number := range regexp.MustCompile(`[-0-9.]+`).FindAllString(string(paths[k][1]), 2) {
		at[i], _ = strconv.ParseFloat(number, 64)
	}
	return at
}

// place returns where the description puts the values.
func (a axes) place(x, y float64) [2]float64 {
	return [2]float64{a.Area[0] + (x-a.Range[0])/(a.Range[1]-a.Range[0])*(a.Area[1]-a.Area[0]),
		a.Area[2] + (y-a.Range[2])/(a.Range[3]-a.Range[2])*(a.Area[3]-a.Area[2])}
}

func apart(a, b [2]float64) float64 { return math.Hypot(a[0]-b[0], a[1]-b[1]) }

// The description of bars has their values, and puts them where they are drawn.
func TestDescriptionOfBars(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	for range 20 {
		size := math.Exp(6 * rng.NormFloat64())
		values := []float64{size * (0.1 + rng.Float64()), size * (0.1 + rng.Float64()), -size * rng.Float64()}
		picture, err := Bars("bars", "case", "share", []string{"a", "b", "c"}, Bar{Name: "first", Values: values},
			Bar{Values: values, SD: []float64{size / 9, 0, size / 8}})
		if err != nil {
			t.Fatal(err)
		}
		p := described(t, picture)[0]
		if len(p.Bars) != 2 || len(p.Labels) != 3 || len(p.Bars[1].SD) != 3 || p.Bars[0].SD != nil {
			t.Fatalf("the description of the bars is %+v", p)
		}
		for k, v := range p.Bars[0].Y {
			if math.Abs(v/p.Bars[0].Y[0]-values[k]/values[0]) > 1e-6 {
				t.Errorf("the values %v are described as %v", values, p.Bars[0].Y)
			}
			got, want := corner(t, picture, p.Bars[0].Colour, k), p.place(float64(k)-0.4, 0)
			if apart(got, want) > 0.1 {
				t.Errorf("the lower left corner of bar %d is drawn at %v, and described at %v", k, got, want)
			}
		}
	}
}

// The description of a plane has its points and its circle, and puts them where they are drawn.
func TestDescriptionOfPoints(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	for range 20 {
		size := math.Exp(6 * rng.NormFloat64())
		at := [][2]float64{{size * rng.NormFloat64(), size * rng.NormFloat64()}, {size, 0}}
		picture, err := Plane{"plane", size, []Group{{Name: "h", At: at}, {Name: "w", At: at, Arrows: true}}}.SVG()
		if err != nil {
			t.Fatal(err)
		}
		p := described(t, picture)[0]
		if len(p.Points) != 2 || p.Points[0].Arrows || !p.Points[1].Arrows || math.Abs(p.Circle/size-1) > 1e-6 {
			t.Fatalf("the description of the plane is %+v", p)
		}
		for k := range at {
			got := corner(t, picture, `#[0-9A-F]{6};fill-opacity`, k) // gonum rounds transparent colours
			want := p.place(p.Points[0].X[k], p.Points[0].Y[k])
			want[0] += 2.2 // the radius
			if apart(got, want) > 0.1 {
				t.Errorf("point %d is drawn at %v, and described at %v", k, got, want)
			}
		}
	}
}

// The description of a heat map has its matrix, with row 0 on top, unless that would make the picture large.
func TestDescriptionOfMatrices(t *testing.T) {
	picture, err := HeatMap("map", "column", "row", "cosine", mat.NewDense(2, 3, []float64{1, -2, 3, 4, 5, -6}), 0)
	if err != nil {
		t.Fatal(err)
	}
	p := described(t, picture)[0]
	if p.Matrix == nil || p.Matrix.Values[1][2] != -6 || p.Matrix.Reach != 6 || p.X != "column" || p.Y != "row" {
		t.Fatalf("the description of the heat map is %+v", p)
	}
	if top := p.place(0, -0.5)[1]; math.Abs(top-p.Area[3]) > 1e-6 {
		t.Errorf("row 0 begins at %g, and the upper edge is at %g", top, p.Area[3])
	}
	if picture, err = HeatMap("large", "x", "y", "v", mat.NewDense(65, 64, nil), 1); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(picture), "<metadata>") {
		t.Error("a heat map of 4,160 entries is described, which makes it large")
	}
}
