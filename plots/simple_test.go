package plots

import (
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot/vg"
)

func TestLines(t *testing.T) {
	got := drawn(t, Lines("Test loss", "Epoch", "Loss", true, XY("CE", []float64{1, 2, 3}, []float64{3, 2, 1}),
		XY("UL", []float64{1, 2}, []float64{1, 2})))
	for _, w := range []string{"Test loss", "Epoch", "Loss", "CE", "UL"} {
		if !strings.Contains(got, w) {
			t.Errorf("%q is not in the picture", w)
		}
	}
}

func TestPlane(t *testing.T) {
	picture, err := Plane{"on the circle", 1, []Group{{Name: "features", At: [][2]float64{{0.5, 0.5}, {0, 0}}},
		{Name: "prototypes", At: [][2]float64{{1, 0}, {0, 0}}, Arrows: true}}}.SVG()
	if err != nil {
		t.Fatal(err)
	}
	if got := texts(t, picture); !strings.Contains(got, "features") || !strings.Contains(got, "prototypes") ||
		!strings.Contains(got, "on the circle") {
		t.Errorf("texts %q", got)
	}
	for _, bad := range [][2]float64{{math.NaN(), 0}, {0, math.Inf(1)}} {
		if _, err := (Plane{"", 0, []Group{{Name: "bad", At: [][2]float64{bad}}}}).SVG(); err == nil ||
			!strings.Contains(err.Error(), "bad") {
			t.Errorf("%v: error %v", bad, err)
		}
	}
	if _, err := (Plane{}).SVG(); err == nil {
		t.Error("an empty plane accepted")
	}
}

func TestBars(t *testing.T) {
	picture, err := Bars("accuracy", "loss", "%", []string{"CE", "PAL"}, Bar{Name: "seed mean",
		Values: []float64{88, -3}, SD: []float64{1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{"accuracy", "loss", "%", "CE", "PAL", "seed mean", "80"} {
		if !strings.Contains(texts(t, picture), w) {
			t.Errorf("%q is not in the picture", w)
		}
	}
	for _, bad := range []Bar{{Name: "b", Values: []float64{1}}, {Name: "b", Values: []float64{1, math.NaN()}},
		{Name: "b", Values: []float64{1, 2}, SD: []float64{1}}} {
		if _, err := Bars("", "", "", []string{"x", "y"}, bad); err == nil || !strings.Contains(err.Error(), `"b"`) {
			t.Errorf("%+v: error %v", bad, err)
		}
	}
	if _, err := Bars("", "", "", nil); err == nil {
		t.Error("no bars accepted")
	}
}

func TestHeatMap(t *testing.T) {
	m := mat.NewDense(100, 100, nil)
	for i := range 100 {
		m.Set(i, i, 1)
	}
	picture, err := HeatMap("cosines", "column", "row", "value", m, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(picture) > 100_000 {
		t.Errorf("%d bytes", len(picture))
	}
	if got := texts(t, picture); !strings.Contains(got, "cosines") || !strings.Contains(got, "−1") {
		t.Errorf("texts %q", got)
	}
	if _, err := HeatMap("zeros", "column", "row", "value", mat.NewDense(2, 3, nil), 0); err != nil {
		t.Error(err)
	}
	m.Set(3, 4, math.NaN())
	_, err = HeatMap("", "column", "row", "value", m, 0)
	if err == nil || !strings.Contains(err.Error(), "row 3, column 4") {
		t.Errorf("error %v", err)
	}
	if _, err := HeatMap("", "column", "row", "value", &mat.Dense{}, 0); err == nil {
		t.Error("an empty matrix accepted")
	}
	for v, want := range map[float64][3]uint8{0: {255, 255, 255}, 1: {palette[3].R, palette[3].G, palette[3].B},
		-7: {palette[0].R, palette[0].G, palette[0].B}} {
		if c := shade(v); [3]uint8{c.R, c.G, c.B} != want {
			t.Errorf("shade(%g) = %v", v, c)
		}
	}
}

// Superscripts are narrower than the digits that they are made of, and marks over a letter have no width.
func TestMathText(t *testing.T) {
	sty := style(10)
	width := func(s string) vg.Length { return sty.Width(s) }
	if w := width("10⁵⁴"); w >= width("1054") || w <= width("10") {
		t.Errorf("10⁵⁴ is %v wide", w)
	}
	if w := width("Z̄̂"); w != width("Z") {
		t.Errorf("Z̄̂ is %v wide, Z %v", w, width("Z"))
	}
	if width("⊗") == 0 || width("ᵀ") == 0 || width("⁻") == 0 || width("∥") == 0 {
		t.Error("a letter of no width")
	}
	if math.Abs(float64(width("ab")-width("a")-width("b"))) > 0.5 {
		t.Error("plain text is measured otherwise")
	}
}
