package ntk

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// same reports whether two layers are built in the same way, so that the variables of a finite network have the same
// places too.
func same(a, b Layer) bool {
	switch x := a.(type) {
	case activation:
		y, ok := b.(activation)
		return ok && x.name == y.name && x.variance(1.3) == y.variance(1.3)
	case residual:
		y, ok := b.(residual)
		return ok && slices.EqualFunc(x.branches, y.branches, same)
	case Network:
		y, ok := b.(Network)
		return ok && slices.EqualFunc(x.layers, y.layers, same)
	}
	return a == b
}

func TestParse(t *testing.T) {
	for text, want := range map[string]Network{
		"dense:512":                             Serial(Dense(512)),
		"  dense:512\n relu\tdense:10,b=0.25 ":  Serial(Dense(512), ReLU, Dense(10).Std(1, 0.25)),
		"dense:1,b=1e-3,w=1.5":                  Serial(Dense(1).Std(1.5, 1e-3)),
		"conv:64,3":                             Serial(Conv(64, 3)),
		"conv:64,3,same,w=2,stride=2,b=-1":      Serial(Conv(64, 3).Same().Std(2, -1).Stride(2)),
		"avgpool:2 gap flatten identity":        Serial(AveragePool(2), GlobalAveragePool, Flatten, Identity),
		"maxpool:3 batchnorm":                   Serial(MaxPool(3), BatchNorm),
		"relu abs erf gelu sin":                 Serial(ReLU, Abs, Erf, GELU, Sin),
		"leakyrelu:0.1 abrelu:-1,2 abrelu:0,1":  Serial(LeakyReLU(0.1), ABReLU(-1, 2), ReLU),
		"residual[identity|relu dense:8]":       Serial(Residual(Identity, Serial(ReLU, Dense(8)))),
		"residual[dense:8] residual[[dense:8]]": Serial(Residual(Dense(8)), Residual(Serial(Dense(8)))),
		"[ relu [ ] [dense:3] ]":                Serial(Serial(ReLU, Serial(), Serial(Dense(3)))),
		"residual[ [] | residual[erf|sin] ]":    Serial(Residual(Serial(), Residual(Erf, Sin))),
	} {
		got, err := Parse(text)
		if err != nil {
			t.Error(err)
			continue
		}
		if !same(got, want) {
			t.Errorf("%q is read as %q, want %q", text, got, want)
		}
		if again, err := Parse(want.String()); err != nil || !same(again, want) {
			t.Errorf("%q does not come back: %v", want, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "it has no layers: want a network such as",
		"dense":                   "dense: the width is missing",
		"dense:":                  `the width is ""`,
		"dense:0":                 `the width is "0": want a whole number from 1 on`,
		"dense:5,6":               `dense:5,6: unknown or repeated argument "6"`,
		"dense:5,w=x":             `the w is "x": want a finite number`,
		"dense:5,w=nan":           "want a finite number",
		"dense:5,w=1,w=2":         `unknown or repeated argument "w=2"`,
		"conv:5":                  "conv:5: the size is missing",
		"conv:64,same,3":          `the size is "same"`,
		"conv:5,3,stride=0":       "the stride must be a whole number from 1 on",
		"conv:5,3,stride=1.5":     "the stride must be a whole number from 1 on",
		"relu:":                   `unknown or repeated argument ""`,
		"leakyrelu":               "the slope is missing",
		"dropout:2":               `no layer is called "dropout"; there are dense, conv`,
		"function":                "no layer is called",
		"Dense:5":                 "no layer is called",
		"residual":                "residual wants its branches in brackets",
		"residual[]":              "a branch of a residual is empty",
		"residual[relu|]":         "a branch of a residual is empty",
		"residual[relu|dense:5":   "a residual's [ has no ]",
		"[relu":                   "a [ has no ]",
		"relu ]":                  `"]" has no [ before it`,
		"relu | abs":              `"|" has no [ before it`,
		strings.Repeat("[", 1000): "brackets nest deeper than 100",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(),
			"\n") {
			t.Errorf("%.20q: error %v, want one line with %q", text, err, want)
		}
	}
	identity := func(x float64) float64 { return x }
	one := func(float64) float64 { return 1 }
	own := Serial(Dense(3), Function(identity, one, func(x *graph.Node) *graph.Node { return x }))
	if own.String() != "dense:3 function" {
		t.Errorf("a function is written %q", own)
	}
}

// For any text that Parse accepts, the network that it returns is written as a text that Parse reads as the same
// network.
func FuzzParse(f *testing.F) {
	f.Add("dense:512,w=1.5,b=0.1 relu dense:10")
	f.Add("conv:64,3,stride=2,same,w=1.5 leakyrelu:1e-3 abrelu:-1,2 avgpool:2 gap flatten")
	f.Add("residual[ identity | relu conv:64,3,same | [ ] ] [ erf [ sin ] ]")
	f.Fuzz(func(t *testing.T, text string) {
		network, err := Parse(text)
		if err != nil {
			return
		}
		written := network.String()
		again, err := Parse(written)
		if err != nil || !same(again, network) || again.String() != written {
			t.Errorf("%q is written %q, which is read as %q, error %v", text, written, again, err)
		}
	})
}

func TestNothingIsNoLayer(t *testing.T) {
	for name, build := range map[string]func(){
		"layer 1":  func() { Serial(ReLU, nil) },
		"Function": func() { Function(nil, math.Cos, graph.Sin) },
	} {
		err := exceptions.TryCatch[error](build)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want an error about %q, got %v", name, err)
		}
	}
}
