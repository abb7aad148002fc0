package plots

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/plot/vg"
)

func TestThinKeepsTheShape(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		n := 1 + rng.IntN(5000)
		pts := make([]vg.Point, n)
		burst := rng.IntN(n)
		for i := range pts {
			pts[i] = vg.Point{X: vg.Length(240 * float64(i) / float64(n)), Y: vg.Length(100 +
				50*math.Sin(float64(i)/300))}
		}
		pts[burst].Y = 250
		got := thin(pts)
		if len(got) > maxPoints+2 {
			t.Errorf("%d points of %d", len(got), n)
		}
		if !slices.ContainsFunc(got, func(p vg.Point) bool { return p.Y == 250 }) {
			t.Errorf("n = %d: the burst at %d is gone", n, burst)
		}
		for _, ends := range [][2]vg.Point{{got[0], pts[0]}, {got[len(got)-1], pts[n-1]}} {
			if math.Abs(float64(ends[0].X-ends[1].X)) > 0.051 || math.Abs(float64(ends[0].Y-ends[1].Y)) > 0.051 {
				t.Errorf("n = %d: end %v is now %v", n, ends[1], ends[0])
			}
		}
	}
	straight := make([]vg.Point, 1000)
	for i := range straight {
		straight[i] = vg.Point{X: vg.Length(i) / 5, Y: vg.Length(i) / 7}
	}
	if got := thin(straight); len(got) != 2 {
		t.Errorf("a straight line in %d points", len(got))
	}
}

func TestExtremes(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		y := make([]float64, 1+rng.IntN(3000))
		for i := range y {
			y[i] = rng.NormFloat64()
		}
		hole := rng.IntN(len(y))
		y[hole] = math.NaN()
		kept := extremes(y, 100)
		if len(kept) > 3*50+2 || !slices.IsSorted(kept) || kept[0] != 0 || kept[len(kept)-1] != len(y)-1 {
			t.Errorf("%d of %d kept: %v", len(kept), len(y), kept)
		}
		lowest, highest, gap := math.Inf(1), math.Inf(-1), false
		for _, i := range kept {
			gap = gap || math.IsNaN(y[i])
			if !math.IsNaN(y[i]) {
				lowest, highest = min(lowest, y[i]), max(highest, y[i])
			}
		}
		for _, v := range y {
			if v < lowest || v > highest {
				t.Errorf("the extreme %g is gone", v)
			}
		}
		if !gap {
			t.Error("the gap is gone")
		}
	}
}

func TestEmptiestStaysInsideAndFindsRoom(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	area := vg.Rectangle{Min: vg.Point{X: 10, Y: 20}, Max: vg.Point{X: 250, Y: 200}}
	for range 50 {
		// a corner of 80 by 60 stays free
		corner := vg.Point{X: vg.Length(10 + 160*rng.IntN(2)), Y: vg.Length(20 + 120*rng.IntN(2))}
		var marks []vg.Point
		for x := area.Min.X; x <= area.Max.X; x += 4 {
			for y := area.Min.Y; y <= area.Max.Y; y += 4 {
				if x < corner.X || x > corner.X+80 || y < corner.Y || y > corner.Y+60 {
					marks = append(marks, vg.Point{X: x, Y: y})
				}
			}
		}
		box := emptiest(area, 50, 30, marks, nil)
		if box.Min.X < area.Min.X || box.Max.X > area.Max.X || box.Min.Y < area.Min.Y || box.Max.Y > area.Max.Y {
			t.Errorf("box %v outside of %v", box, area)
		}
		for _, m := range marks {
			if m.X > box.Min.X && m.X < box.Max.X && m.Y > box.Min.Y && m.Y < box.Max.Y {
				t.Fatalf("box %v covers %v though %v is free", box, m, corner)
			}
		}
		second := emptiest(area, 40, 20, nil, []vg.Rectangle{box})
		if second.Min.X < box.Max.X && box.Min.X < second.Max.X && second.Min.Y < box.Max.Y &&
			box.Min.Y < second.Max.Y {
			t.Errorf("boxes %v and %v overlap", box, second)
		}
	}
}
