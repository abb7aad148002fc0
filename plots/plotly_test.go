package plots

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// plotlyJSON is what the browser gets.
type plotlyJSON struct {
	Data []struct {
		Name         string
		X, Y         []*float64
		Xaxis, Yaxis string
		Showlegend   bool
		Fill         string
	}
	Layout map[string]json.RawMessage
	Config struct{ ShowSendToCloud *bool }
}

func marshalled(t *testing.T, f result.Figure) plotlyJSON {
	t.Helper()
	p, err := Plotly(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(p) // fails on NaN and Inf
	if err != nil {
		t.Fatal(err)
	}
	var out plotlyJSON
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPlotlyArrangement(t *testing.T) {
	for n := 1; n <= 6; n++ {
		f := figure(n, 3, 30)
		got := marshalled(t, f)
		if len(got.Data) != 3*n {
			t.Errorf("%d panels: %d traces", n, len(got.Data))
		}
		if show := got.Config.ShowSendToCloud; show == nil || *show {
			t.Error("the figure has a button that sends its data to a server")
		}
		legend := map[string]int{}
		for _, d := range got.Data {
			if d.Showlegend {
				legend[d.Name]++
			}
			if strings.TrimPrefix(d.Xaxis, "x") != strings.TrimPrefix(d.Yaxis, "y") {
				t.Errorf("trace on %s and %s", d.Xaxis, d.Yaxis)
			}
		}
		for _, c := range f.Curves {
			if legend[c.Name] != 1 {
				t.Errorf("%d panels: %q is %d times in the legend", n, c.Name, legend[c.Name])
			}
		}
		// No two panels overlap.
		rows := arrangement(n)
		for i := range n {
			for j := range i {
				ax, ay := domain(rows, i)
				bx, by := domain(rows, j)
				if ax[0] < bx[1] && bx[0] < ax[1] && ay[0] < by[1] && by[0] < ay[1] {
					t.Errorf("%d panels: %d and %d overlap", n, i, j)
				}
			}
		}
	}
	if _, err := Plotly(figure(7, 1, 3)); err == nil {
		t.Error("seven panels accepted")
	}
}

func TestPlotlyGapsAndHugeValues(t *testing.T) {
	f := figure(1, 1, 4)
	s := f.Curves[0].Series
	s["y"] = result.Series{1, math.NaN(), math.Inf(1), -2}
	got := marshalled(t, f).Data[0].Y
	if *got[0] != 1 || got[1] != nil || got[2] != nil || *got[3] != -2 {
		t.Errorf("linear: %v", got)
	}
	f.Panels[0].Log = true
	if got = marshalled(t, f).Data[0].Y; *got[0] != 1 || got[3] != nil {
		t.Errorf("log: %v", got)
	}
	s[result.Log10("y")] = result.Series{0, 100, math.NaN(), 5000}
	out := marshalled(t, f)
	if got = out.Data[0].Y; *got[0] != 0 || *got[1] != 100 || got[2] != nil || *got[3] != 5000 {
		t.Errorf("logarithms: %v", got)
	}
	if axis := string(out.Layout["yaxis"]); !strings.Contains(axis, "tickprefix") {
		t.Errorf("an axis of logarithms without 10 before its ticks: %s", axis)
	}
	s[result.Log10("y")][3] = 200
	if got = marshalled(t, f).Data[0].Y; math.Abs(*got[3]/1e200-1) > 1e-12 {
		t.Errorf("10^200 became %g", *got[3])
	}
}

func TestPlotlyBandAndDecimation(t *testing.T) {
	f := figure(1, 1, 50001)
	f.Curves[0].Series["y_sd"] = f.Curves[0].Series["y"]
	got := marshalled(t, f)
	if len(got.Data) != 3 || got.Data[1].Fill != "tonexty" {
		t.Fatalf("%d traces", len(got.Data))
	}
	for _, d := range got.Data {
		if len(d.X) != len(d.Y) || len(d.X) > 2*plotlyPoints {
			t.Errorf("%d and %d points", len(d.X), len(d.Y))
		}
	}
}

func TestManyPanelsAreSplitEvenly(t *testing.T) {
	for n, want := range map[int][]int{0: {0}, 1: {1}, 6: {6}, 7: {3, 4}, 10: {5, 5}, 13: {4, 4, 5}} {
		var got []int
		var titles, all []string
		f := figure(n, 1, 3)
		for _, part := range parts(f) {
			got = append(got, len(part.Panels))
			for _, p := range part.Panels {
				titles = append(titles, p.Title)
			}
		}
		for _, p := range f.Panels {
			all = append(all, p.Title)
		}
		if !slices.Equal(got, want) || !slices.Equal(titles, all) {
			t.Errorf("%d panels split into %v, %v", n, got, titles)
		}
	}
	if err := ShowInteractive(figure(10, 1, 3)); err != nil {
		t.Error(err)
	}
}
