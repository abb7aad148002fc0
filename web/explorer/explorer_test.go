package explorer

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// settings draws settings of a scene within the ranges of its sliders, small enough to iterate.
func settings(random *rand.Rand, s Scene) Settings {
	out := Settings{}
	for _, slider := range s.Sliders {
		value := slider.Min + slider.Step*math.Round(random.Float64()*(slider.Max-slider.Min)/slider.Step)
		out[slider.Name] = min(value, slider.Max)
	}
	for name, most := range map[string]float64{"p": 40, "C": 8, "N": 8, "R": 4, "ratio": 20, "small": 5, "time": 3} {
		if value, found := out[name]; found && value > most {
			out[name] = most
		}
	}
	if r, found := out["R"]; found {
		out["C"] = max(out["C"], r+2)
	}
	return out
}

// TestScenesAtRandomSettings checks that every scene gives a picture or an error with a reason, at its defaults and at
// random settings. Series must have the length of their axis, and closed forms must agree with the iteration if its
// steps are short.
func TestScenesAtRandomSettings(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 15))
	for _, s := range Scenes() {
		if _, err := Draw(s.ID, nil); err != nil {
			t.Errorf("%s at its defaults: %v", s.ID, err)
		}
		drawn := 0
		for range 30 {
			v := settings(random, s)
			v["brute"] = 0
			picture, err := Draw(s.ID, v)
			if err != nil {
				if !strings.Contains(err.Error(), "needs p ≥") {
					t.Errorf("%s, %v: %v", s.ID, v, err)
				}
				continue
			}
			drawn++
			if picture.Answer == "" || len(picture.Panels) < 3 || len(picture.Cosines) == 0 {
				t.Errorf("%s: %+v", s.ID, picture)
			}
			for _, panel := range picture.Panels {
				for _, curve := range panel.Curves {
					if len(curve.Values) != len(panel.At) {
						t.Errorf("%s, %s, %s: %d values at %d times", s.ID, panel.Title, curve.Name, len(curve.Values),
							len(panel.At))
					}
				}
			}
		}
		if drawn < 5 {
			t.Errorf("%s has %d pictures of 30", s.ID, drawn)
		}
	}
}

// TestIterationAgrees checks that at time 20, with 2,000 steps, each closed form and its brute-force iteration are the
// same curve, up to an error proportional to the step.
func TestIterationAgrees(t *testing.T) {
	saved := maxSteps
	defer func() { maxSteps = saved }()
	stepTime = 0.01
	defer func() { stepTime = 1 }()
	maxSteps = 2000
	for scene, v := range map[string]Settings{
		"unconstrained": {"p": 12, "C": 4, "N": 3, "time": 1.3}, "regularised": {"p": 12, "C": 4, "N": 3, "time": 1.3,
			"lambda": 1.2},
		"anchored": {"p": 12, "C": 4, "N": 3, "time": 1.3}, "unequal": {"time": 1.3, "shift": 0.2, "lambda": 0.05},
		"theorem8": {"C": 3, "N": 4, "time": 1.3, "lambda": 0.05}, "spherical": {"p": 12, "C": 4, "N": 3, "time": 2},
	} {
		v["brute"] = 1
		picture, err := Draw(scene, v)
		if err != nil {
			t.Fatal(err)
		}
		compared := 0
		for _, panel := range picture.Panels {
			for _, curve := range panel.Curves {
				if !curve.Points {
					continue
				}
				closed := panel.Curves[0]
				for _, other := range panel.Curves {
					if !other.Points && strings.HasPrefix(curve.Name, other.Name) {
						closed = other
					}
				}
				for i, value := range curve.Values {
					if math.IsNaN(value) {
						continue
					}
					compared++
					tolerance := 0.01
					if panel.Y == "%" { // an accuracy may change one step earlier
						tolerance = 10
					}
					if scene == "spherical" {
						tolerance = 1e-9
					}
					if !(math.Abs(value-closed.Values[i]) <= tolerance) {
						t.Errorf("%s, %s, %s at %g: %g, closed form %g", scene, panel.Title, curve.Name, panel.At[i],
							value, closed.Values[i])
						break
					}
				}
			}
		}
		if compared < 90 {
			t.Errorf("%s: %d values compared", scene, compared)
		}
	}
}

// TestDrawRefuses checks that unknown scenes, unknown settings and values out of range are errors.
func TestDrawRefuses(t *testing.T) {
	for _, c := range []struct {
		scene    string
		settings Settings
		says     string
	}{
		{"none", nil, "unconstrained"}, {"anchored", Settings{"rho": 1}, "no setting"},
		{"anchored", Settings{"C": 1}, "from 2 to 100"}, {"anchored", Settings{"C": math.NaN()}, "from 2 to 100"},
		{"anchored", Settings{"p": 4, "C": 10}, "p ≥ C−1"}, {"unequal", Settings{"C": 4, "R": 3}, "at least 2"},
	} {
		if _, err := Draw(c.scene, c.settings); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s, %v: error %v", c.scene, c.settings, err)
		}
	}
}
