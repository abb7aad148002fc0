package plots

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// ranges returns the axes of all panels of a picture.
func ranges(t *testing.T, picture []byte) [][4]float64 {
	t.Helper()
	found := regexp.MustCompile(`<metadata>(.*?)</metadata>`).FindSubmatch(picture)
	var panels []axes
	if err := json.Unmarshal(found[1], &panels); err != nil {
		t.Fatal(err)
	}
	var out [][4]float64
	for _, p := range panels {
		out = append(out, p.Range)
	}
	return out
}

// While a slider moves, axes never shrink and show every curve, whatever panels a picture has. After "Fit axes" they
// are those of the picture alone.
func TestAxesHoldStill(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	random := func() result.Figure {
		fig := result.Figure{Curves: []result.Curve{XY("a", nil, nil)}}
		y := result.Series{}
		x := result.Series{}
		for i := range 10 {
			x, y = append(x, float64(i)*(1+rng.Float64())), append(y, math.Exp(3*rng.NormFloat64()))
		}
		fig.Curves[0].Series["step"], fig.Curves[0].Series["y"] = x, y
		fig.Panels = []result.Panel{{Y: "y", YLabel: "linear"}, {Y: "y", YLabel: "log", Log: true}}[:1+rng.IntN(2)]
		return fig
	}
	hold := &held{}
	before := map[int][4]float64{}
	var last result.Figure
	for range 50 {
		last = random()
		picture, err := hold.svg(last)
		if err != nil {
			t.Fatal(err)
		}
		alone, err := SVG(last)
		if err != nil {
			t.Fatal(err)
		}
		needed := ranges(t, alone)
		for i, got := range ranges(t, picture) {
			for _, inner := range [][4]float64{before[i], needed[i]} {
				const rounding = 1e-6
				if inner != [4]float64{} && (got[0] > inner[0]+rounding || got[1] < inner[1]-rounding ||
					got[2] > inner[2]+rounding || got[3] < inner[3]-rounding) {
					t.Fatalf("panel %d shows %v, which does not contain %v", i, got, inner)
				}
			}
			before[i] = got
		}
	}
	*hold = held{}
	fitted, err := hold.svg(last)
	if err != nil {
		t.Fatal(err)
	}
	if alone, err := SVG(last); err != nil || string(alone) != string(fitted) {
		t.Errorf("a fitted picture is not that of the figure alone (error %v)", err)
	}
}

// A small move of a curve within its axes leaves the axes exactly where they are.
func TestAxesDoNotMove(t *testing.T) {
	hold := &held{}
	var first [][4]float64
	for i := range 20 {
		size := 1 - float64(i)/40
		for _, picture := range []any{
			Lines("", "x", "y", false, XY("a", []float64{0, size}, []float64{-size, size})),
			Plane{Groups: []Group{{At: [][2]float64{{size, 0}}}}},
		} {
			svg, err := hold.svg(picture)
			if err != nil {
				t.Fatal(err)
			}
			now := ranges(t, svg)
			if i == 0 {
				first = append(first, now[0])
			} else if now[0] != first[0] && now[0] != first[1] {
				t.Fatalf("the axes moved to %v from one of %v", now[0], first)
			}
		}
	}
}
