package plots

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestSliderPositions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	for range 500 {
		s := Slider{Name: "γ", Min: math.Exp(3 * rng.NormFloat64()), Log: rng.IntN(2) == 0, Steps: rng.IntN(500)}
		s.Max = s.Min * (1 + math.Exp(3*rng.NormFloat64()))
		s.Value = s.Min + rng.Float64()*(s.Max-s.Min)
		if err := s.check(); err != nil {
			t.Fatal(err)
		}
		near := func(a, b float64) bool { return math.Abs(a-b) < 1e-9*s.Max }
		if !near(s.at(0), s.Min) || !near(s.at(s.steps()), s.Max) || !near(s.at(-3), s.Min) || !near(s.at(1e9), s.Max) {
			t.Errorf("%+v: ends %g and %g", s, s.at(0), s.at(s.steps()))
		}
		for p := range s.steps() {
			if s.at(p+1) <= s.at(p) {
				t.Fatalf("%+v does not rise at %d", s, p)
			}
			if got := s.position(s.at(p)); got != p {
				t.Fatalf("%+v: position %d comes back as %d", s, p, got)
			}
		}
		if s.Log && s.steps() > 1 && math.Abs(s.at(1)/s.at(0)-s.at(s.steps())/s.at(s.steps()-1)) > 1e-9 {
			t.Errorf("%+v: unequal factors", s)
		}
	}
}

func TestSlidersAreChecked(t *testing.T) {
	for _, s := range []Slider{
		{Min: 1, Max: 1, Value: 1}, {Min: 2, Max: 1, Value: 1}, {Min: 0, Max: 1, Log: true}, {Min: 0, Max: 1, Value: 2},
		{Min: 0, Max: math.Inf(1)}, {Min: math.NaN(), Max: 1}, {Min: 0, Max: 1, Value: math.NaN()},
		{Min: 0, Max: 1, Steps: -1},
	} {
		s.Name = "η"
		err := Interact([]Slider{s}, func([]float64) ([]byte, error) { t.Error("drawn"); return nil, nil })
		if err == nil || !strings.Contains(err.Error(), `"η"`) {
			t.Errorf("%+v: error %v", s, err)
		}
	}
}

func TestInteractWithoutBrowser(t *testing.T) {
	var drawn [][]float64
	err := Interact([]Slider{{Name: "a", Max: 1, Value: 0.123}, {Name: "b", Min: 1, Max: 100, Value: 7, Log: true}},
		func(v []float64) ([]byte, error) {
			drawn = append(drawn, v)
			return []byte("<svg/>"), nil
		})
	if err != nil || len(drawn) != 1 || !slices.Equal(drawn[0], []float64{0.123, 7}) {
		t.Errorf("drawn for %v, error %v", drawn, err)
	}
	if err := Interact(nil, func([]float64) ([]byte, error) { return nil, fmt.Errorf("bad γ") }); err == nil ||
		err.Error() != "bad γ" {
		t.Errorf("error %v", err)
	}
	if err := Interact(nil, func([]float64) ([]byte, error) { panic("shape mismatch") }); err == nil ||
		!strings.Contains(err.Error(), "shape mismatch") {
		t.Errorf("panic became %v", err)
	}
}

// However fast a slider moves, at most one redraw waits, and it uses the latest value.
func TestOnlyTheLatestValueIsDrawn(t *testing.T) {
	c := newControls([]Slider{{Max: 1}, {Max: 1}}, []float64{0, 0})
	for i := range 1000 {
		c.move(i%2, float64(i)/1000)
	}
	<-c.changed
	select {
	case <-c.changed:
		t.Error("a second redraw is waiting")
	default:
	}
	if got := c.latest(); !slices.Equal(got, []float64{0.998, 0.999}) {
		t.Errorf("latest values %v", got)
	}
	c.latest()[0] = 5
	if c.latest()[0] == 5 {
		t.Error("a picture can change the sliders' values")
	}
	c.move(1, 0.999) // this is the current value
	if len(c.changed) != 0 {
		t.Error("redrawn for no change")
	}
}

// A choice shows names, at every position, and its values are numbers.
func TestChoice(t *testing.T) {
	s := Choice("λ", []string{"none", "1e-5", "1e-3"}, 1)
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	for position, want := range []string{"none", "1e-5", "1e-3"} {
		value := s.at(position)
		if value != float64(position) || s.label(value) != want || s.position(value) != position {
			t.Errorf("position %d is the value %g, %q", position, value, s.label(value))
		}
	}
	if err := Choice("λ", []string{"none"}, 0).check(); err == nil {
		t.Error("a choice of one thing is accepted")
	}
}
