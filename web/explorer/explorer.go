// Package explorer has the scenes of the explorer: pictures of the theorems at settings that a reader moves with
// sliders, computed by package dynamics. The same code runs in a browser (web/wasm) and in tests.
package explorer

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Slider is a setting of a scene.
type Slider struct {
	Name     string // the key in Settings and in the page's address
	Label    string
	Min, Max float64
	Step     float64
	Default  float64
	// Power says that the setting is 10 to the slider's value.
	Power bool
	// Choices names the values 0, 1, … of a setting that is a choice.
	Choices []string
}

// Settings are a scene's settings by name. A setting that is missing has its default.
type Settings map[string]float64

// Picture is what a scene shows.
type Picture struct {
	Answer string // in words: the limit, the rate and what follows
	Panels []Panel
	// Cosines are those between prototypes at the end, C×C, row by row.
	Cosines []float64
	// Iterate computes the points of the brute-force iteration, which are NaN before. It calls pause often, with the
	// share that is done, which is less than 1. If pause returns false, Iterate stops there and returns false. Iterate
	// is nil if the settings do not ask for an iteration.
	Iterate func(pause func(done float64) bool) bool
}

// Panel is one diagram. Where there is no value, there is NaN.
type Panel struct {
	Title, X, Y string
	// From and To bound the vertical axis. If they are equal, the curves determine it.
	From, To float64
	At       []float64 // the horizontal axis
	Curves   []Curve
}

// points adds the points of an iteration to the panel and returns their values, which are NaN.
func (p *Panel) points(name string) []float64 {
	values := nans(len(p.At))
	p.Curves = append(p.Curves, Curve{Name: name, Values: values, Points: true})
	return values
}

// Curve is a line of a panel, or the points of a brute-force iteration.
type Curve struct {
	Name   string
	Values []float64
	Points bool
}

// Scene is one of the explorer's pictures.
type Scene struct {
	ID, Title, Text string
	Sliders         []Slider
	draw            func(values) (*Picture, error)
}

// Scenes returns all scenes.
func Scenes() []Scene {
	return []Scene{unconstrained(), regularised(), spherical(), anchored(), unequal(), theorem8()}
}

// Draw makes the picture of a scene. It returns an error for a scene that does not exist, for a setting that the scene
// does not have or that is out of its slider's range, and for settings that have no picture.
func Draw(id string, settings Settings) (*Picture, error) {
	scenes := Scenes()
	at := slices.IndexFunc(scenes, func(s Scene) bool { return s.ID == id })
	if at < 0 {
		var ids []string
		for _, s := range scenes {
			ids = append(ids, s.ID)
		}
		return nil, fmt.Errorf("there is no scene %q; there are %s", id, strings.Join(ids, ", "))
	}
	v := values{}
	for _, s := range scenes[at].Sliders {
		value, given := settings[s.Name]
		if !given {
			value = s.Default
		}
		if !(value >= s.Min-1e-9 && value <= s.Max+1e-9) {
			return nil, fmt.Errorf("%s is %g; it must be from %g to %g", s.Name, value, s.Min, s.Max)
		}
		if s.Power {
			value = math.Pow(10, value)
		}
		v[s.Name] = value
	}
	for name := range settings {
		if _, known := v[name]; !known {
			return nil, fmt.Errorf("the scene %s has no setting %q", id, name)
		}
	}
	return scenes[at].draw(v)
}

// values are the settings of a picture.
type values map[string]float64

func (v values) int(name string) int { return int(math.Round(v[name])) }

func (v values) on(name string) bool { return v[name] != 0 }

// The sliders that scenes share.
func sizes(p, c, n float64) []Slider {
	return []Slider{
		{Name: "p", Label: "p, dimension of the features", Min: 2, Max: 512, Step: 1, Default: p},
		{Name: "C", Label: "C, classes", Min: 2, Max: 100, Step: 1, Default: c},
		{Name: "N", Label: "N, samples of a class", Min: 1, Max: 50, Step: 1, Default: n},
		{Name: "seed", Label: "seed", Min: 1, Max: 99, Step: 1, Default: 1},
	}
}

func gammaSlider() Slider {
	return Slider{Name: "gamma", Label: "γ(C−1), 1 is the paper's choice", Min: 0, Max: 5, Step: 0.01, Default: 1}
}

func spanSlider(power float64) Slider {
	return Slider{Name: "time", Label: "time", Min: 0, Max: 6, Step: 0.05, Default: power, Power: true}
}

func iterationSlider() Slider {
	return Slider{Name: "brute", Label: "brute force", Max: 1, Step: 1, Choices: []string{"off", "iterate"}}
}

// drawnTimes is how many times of a trajectory are drawn.
const drawnTimes = 161

// span returns drawnTimes times from 0 to the end.
func span(end float64) []float64 {
	times := make([]float64, drawnTimes)
	for i := range times {
		times[i] = end * float64(i) / (drawnTimes - 1)
	}
	return times
}

// log10 returns the base-10 logarithms of what has these natural logarithms.
func log10(logs []float64) []float64 {
	out := make([]float64, len(logs))
	for i, v := range logs {
		out[i] = finite(v / math.Ln10)
	}
	return out
}

// finite returns v, or NaN if v is infinite.
func finite(v float64) float64 {
	if math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

// percent returns shares in percent.
func percent(shares []float64) []float64 {
	out := make([]float64, len(shares))
	for i, v := range shares {
		out[i] = 100 * v
	}
	return out
}
