package explorer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
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
		for _, panel := range picture.Panels {
			for _, curve := range panel.Curves {
				if curve.Points && slices.ContainsFunc(curve.Values, func(v float64) bool { return !math.IsNaN(v) }) {
					t.Errorf("%s, %s: %s has values before Iterate", scene, panel.Title, curve.Name)
				}
			}
		}
		before := -1.0
		if !picture.Iterate(func(done float64) bool {
			if !(done >= before && done < 1) {
				t.Errorf("%s: after the share %g comes %g", scene, before, done)
			}
			before = done
			return true
		}) || before < 0.9 {
			t.Errorf("%s: the iteration ended at the share %g", scene, before)
		}
		compared := 0
		for _, panel := range picture.Panels {
			if !slices.ContainsFunc(panel.Curves, func(c Curve) bool { return c.Points }) {
				t.Errorf("%s, %s: there are no points of an iteration", scene, panel.Title)
			}
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
					if strings.HasSuffix(panel.Y, "%") { // an accuracy may change one step earlier
						tolerance = 10
					}
					if scene == "spherical" { // descent is exact; distances of 10^v round by about 1e-16
						tolerance = 1e-9 + 1e-15*math.Pow(10, -min(0, value))
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

// TestIterationStops checks that an iteration ends at the first pause that returns false, and that even the largest one
// pauses many times a step.
func TestIterationStops(t *testing.T) {
	large := Settings{"p": 512, "C": 100, "N": 50, "brute": 1}
	for scene, v := range map[string]Settings{"unconstrained": large, "anchored": large, "spherical": large,
		"regularised": {"brute": 1}, "theorem8": {"brute": 1}, "unequal": {"brute": 1}} {
		picture, err := Draw(scene, v)
		if err != nil {
			t.Fatal(err)
		}
		const last = 20 // fewer than the pauses of one large step
		pauses, done := 0, 0.0
		ended := picture.Iterate(func(now float64) bool { pauses, done = pauses+1, now; return pauses < last })
		if ended || pauses != last {
			t.Errorf("%s: %d pauses, and the last of %d returned false", scene, pauses, last)
		}
		if v["p"] == 512 && done > 1e-3 {
			t.Errorf("%s: the share %g is done after %d pauses", scene, done, last)
		}
	}
	if picture, err := Draw("unconstrained", nil); err != nil || picture.Iterate != nil {
		t.Errorf("an iteration that nobody asked for, error %v", err)
	}
}

// TestAxesSayWhatTheyShow checks that every axis is labelled with a quantity, and that steps are called steps.
func TestAxesSayWhatTheyShow(t *testing.T) {
	for _, s := range Scenes() {
		picture, err := Draw(s.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		x := "time"
		if s.ID == "spherical" {
			x = "steps"
		}
		for _, panel := range picture.Panels {
			if panel.X != x {
				t.Errorf("%s, %s: the horizontal axis is %q, not %q", s.ID, panel.Title, panel.X, x)
			}
			quantity := strings.TrimSuffix(strings.TrimPrefix(panel.Y, "log₁₀"), "%")
			if !strings.ContainsFunc(quantity, unicode.IsLetter) {
				t.Errorf("%s, %s: the vertical axis is %q", s.ID, panel.Title, panel.Y)
			}
		}
	}
}

// TestTheorem8InWords checks that the limit in words is where the curves are after a long time.
func TestTheorem8InWords(t *testing.T) {
	for _, v := range []Settings{{}, {"C": 2}, {"length": -1}, {"lambda": 0.2}, {"gamma": 0.5, "N": 30}} {
		v["time"] = 6
		picture, err := Draw("theorem8", v)
		if err != nil {
			t.Fatal(err)
		}
		accuracy, norm := picture.Panels[0], picture.Panels[1]
		last := len(accuracy.At) - 1
		growth := (norm.Curves[0].Values[last] - norm.Curves[0].Values[last-1]) * math.Ln10 /
			(norm.At[last] - norm.At[last-1])
		pace := fmt.Sprintf("norms grow as exp(%.4g·t)", growth)
		if v["lambda"] == 0.2 {
			pace = fmt.Sprintf("norms die as exp(−%.4g·t)", -growth)
		}
		for _, says := range []string{pace, "the direction approaches its limit as exp(−", "than chance",
			fmt.Sprintf("In the limit %.1f %% of the training samples", accuracy.Curves[0].Values[last]),
			fmt.Sprintf("and %.1f %% of the unseen points", accuracy.Curves[1].Values[last])} {
			if !strings.Contains(picture.Answer, says) {
				t.Errorf("%v: %q does not say %q", v, picture.Answer, says)
			}
		}
	}
}

// TestSphericalRate compares the rate in words with the last drawn steps, which are late enough for these η.
func TestSphericalRate(t *testing.T) {
	for _, eta := range []float64{1.5, 2} {
		picture, err := Draw("spherical", Settings{"rlr": 1, "eta": eta, "time": 3.3})
		if err != nil {
			t.Fatal(err)
		}
		panel := picture.Panels[2]
		last := len(panel.At) - 1
		values := panel.Curves[0].Values
		slope := (values[last-1] - values[last]) * math.Ln10 / (panel.At[last] - panel.At[last-1])
		_, text, _ := strings.Cut(picture.Answer, "at the rate ")
		rate, err := strconv.ParseFloat(strings.Fields(text + " ")[0], 64)
		if err != nil || math.Abs(rate/slope-1) > 0.05 {
			t.Errorf("η = 10^%g: the rate is %g a step, and %q (error %v)", eta, slope, picture.Answer, err)
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

// TestIterationAtDefaults checks that the norms of an iteration are as near to the closed form as the answer says, at
// the settings that a reader meets first, and that too long a time is said.
func TestIterationAtDefaults(t *testing.T) {
	for _, scene := range []string{"unconstrained", "regularised", "anchored", "theorem8"} {
		picture, err := Draw(scene, Settings{"brute": 1})
		if err != nil {
			t.Fatal(err)
		}
		if !picture.Iterate(func(float64) bool { return true }) {
			t.Fatalf("%s: the iteration ended early", scene)
		}
		compared := 0
		for _, curve := range picture.Panels[1].Curves {
			for _, other := range picture.Panels[1].Curves {
				if !other.Points || other.Name != curve.Name+", iteration" {
					continue
				}
				for i, v := range other.Values {
					if math.IsNaN(v) {
						continue
					}
					compared++
					if math.Abs(v-curve.Values[i]) > 0.03 {
						t.Errorf("%s, %s at %g: %g, closed form %g", scene, other.Name, picture.Panels[1].At[i], v,
							curve.Values[i])
						break
					}
				}
			}
		}
		if compared < 100 || !strings.Contains(picture.Answer, "steps of the length") ||
			strings.Contains(picture.Answer, "too long") {
			t.Errorf("%s: %d points; %q", scene, compared, picture.Answer)
		}
	}
	long, err := Draw("unconstrained", Settings{"brute": 1, "time": 6})
	if err != nil || !strings.Contains(long.Answer, "too long") {
		t.Errorf("%v: %q", err, long.Answer)
	}
}

// TestCriticalDecay checks that λ* is said for every λ, and that norms have a limit there on both sides of 2/(C−2).
func TestCriticalDecay(t *testing.T) {
	for _, v := range []Settings{{"lambda": 0}, {"lambda": 1}, {"lambda": 1, "gamma": 2.6}, {"lambda": 1, "s": 0.5}} {
		picture, err := Draw("regularised", v)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(picture.Answer, "λ* = 0)") ||
			strings.Contains(picture.Answer, "norms tend to a limit") != (v["lambda"] == 1) {
			t.Errorf("%v: %s", v, picture.Answer)
		}
	}
}

// TestMergingInWords checks that no rate of zero is called a rate, and that the words agree with the curves.
func TestMergingInWords(t *testing.T) {
	for _, c := range []struct {
		settings Settings
		says     string
	}{
		{nil, "Minority prototypes merge as exp(−"}, {Settings{"ratio": 1}, "do not merge. Majority features do not"},
		{Settings{"gamma": 0}, "do not merge"},
	} {
		picture, err := Draw("unequal", c.settings)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(picture.Answer, c.says) || strings.Contains(picture.Answer, "exp(−0·t)") ||
			strings.Contains(picture.Answer, "exp(0·t)") {
			t.Errorf("%v: %s", c.settings, picture.Answer)
		}
	}
}
