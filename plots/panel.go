package plots

import (
	"fmt"
	"image/color"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// panel is a result.Panel with the values of its curves, as they are drawn on the axis: on a log axis y is log10 of the
// value. Values that cannot be drawn (NaN, ±Inf, and zero or less on a log axis) become NaN, which is drawn as a gap.
type panel struct {
	title, xlabel, ylabel string
	log                   bool
	curves                []curve
	refs                  []reference
	zoomFrom              float64
	zoomed                []string
	least                 *bounds // the axes are at least as long, if this is not nil
}

type curve struct {
	name  string
	color color.NRGBA
	x, y  []float64
	// lo and hi bound the band of mean ± standard deviation, of a "_sd" series, or from a "_from" series to the value;
	// nil without one of them.
	lo, hi []float64
}

type reference struct {
	name string
	y    float64
}

// resolve returns the panels of a figure, and the groups of curves (by index) that share a legend.
func resolve(fig result.Figure) (panels []panel, legends [][]int, err error) {
	fail := func(format string, args ...any) ([]panel, [][]int, error) {
		return nil, nil, fmt.Errorf("plots: figure %q: "+format, append([]any{fig.ID}, args...)...)
	}
	if len(fig.Panels) == 0 {
		return fail("no panels: there must be at least one")
	}
	if len(fig.Curves) == 0 {
		return fail("no curves: there must be at least one")
	}
	shown := make([][]int, len(fig.Panels))
	for i, p := range fig.Panels {
		if shown[i], err = shownCurves(fig, p); err != nil {
			return fail("panel %q: %w", p.Title, err)
		}
	}
	legends = groups(len(fig.Curves), shown)
	colors := make([]color.NRGBA, len(fig.Curves))
	for _, g := range legends {
		for rank, i := range g {
			colors[i] = palette[rank%len(palette)]
		}
	}
	for i, p := range fig.Panels {
		out := panel{title: p.Title, xlabel: p.XLabel, ylabel: p.YLabel, log: p.Log, zoomFrom: p.ZoomFrom,
			zoomed: p.ZoomCurves}
		if out.xlabel == "" {
			out.xlabel = "Time-of-training"
		}
		for _, j := range shown[i] {
			c, err := onAxis(fig.Curves[j], p)
			if err != nil {
				return fail("panel %q: curve %q: %w", p.Title, fig.Curves[j].Name, err)
			}
			c.color = colors[j]
			out.curves = append(out.curves, c)
		}
		for _, name := range slices.Sorted(maps.Keys(p.Lines)) {
			y := p.Lines[name]
			if p.Log {
				y = math.Log10(y)
			}
			if !finite(y) {
				return fail("panel %q: reference line %q at %g cannot be drawn on this axis", p.Title, name,
					p.Lines[name])
			}
			out.refs = append(out.refs, reference{name, y})
		}
		panels = append(panels, out)
	}
	return panels, legends, nil
}

func shownCurves(fig result.Figure, p result.Panel) ([]int, error) {
	var out []int
	for i, c := range fig.Curves {
		if len(p.Curves) == 0 || slices.Contains(p.Curves, c.Name) {
			out = append(out, i)
		}
	}
	for _, name := range slices.Concat(p.Curves, p.ZoomCurves) {
		if !slices.ContainsFunc(fig.Curves, func(c result.Curve) bool { return c.Name == name }) {
			var names []string
			for _, c := range fig.Curves {
				names = append(names, fmt.Sprintf("%q", c.Name))
			}
			return nil, fmt.Errorf("no curve %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	return out, nil
}

func onAxis(c result.Curve, p result.Panel) (curve, error) {
	xKey := p.X
	if xKey == "" {
		xKey = "step"
	}
	x, ok := c.Series[xKey]
	if !ok {
		return curve{}, noSeries(c, xKey)
	}
	y, plain := c.Series[p.Y]
	logs, logged := c.Series[result.Log10(p.Y)]
	if !plain && (!p.Log || !logged) {
		return curve{}, noSeries(c, p.Y)
	}
	sd, from := c.Series[p.Y+"_sd"], c.Series[p.Y+"_from"]
	for key, s := range map[string]result.Series{p.Y: y, result.Log10(p.Y): logs, p.Y + "_sd": sd,
		p.Y + "_from": from} {
		if s != nil && len(s) != len(x) {
			return curve{}, fmt.Errorf("series %q has %d values and %q has %d: want the same number", key, len(s),
				xKey, len(x))
		}
	}
	out := curve{name: c.Name}
	scale := func(v float64) float64 { return v }
	if p.Log {
		scale = math.Log10
	}
	for i := range x {
		if p.MaxStep > 0 && x[i] > p.MaxStep {
			continue
		}
		var v float64
		if p.Log && logged {
			v = logs[i]
		} else {
			v = scale(y[i])
		}
		if !finite(v) || !finite(x[i]) || p.YMin > 0 && v < scale(p.YMin) {
			v = math.NaN()
		}
		out.x, out.y = append(out.x, x[i]), append(out.y, v)
		if sd != nil && plain {
			lo, hi := scale(y[i]-sd[i]), scale(y[i]+sd[i])
			if p.Log && y[i] > 0 && y[i] <= sd[i] {
				lo = math.Inf(-1) // the band reaches zero, so it is drawn down to the edge
			}
			if math.IsNaN(lo) || !finite(hi) || math.IsNaN(v) || sd[i] < 0 {
				lo, hi = math.NaN(), math.NaN()
			}
			out.lo, out.hi = append(out.lo, lo), append(out.hi, hi)
		} else if from != nil {
			lo, hi := scale(from[i]), v
			if !finite(lo) || !finite(hi) {
				lo, hi = math.NaN(), math.NaN()
			}
			out.lo, out.hi = append(out.lo, lo), append(out.hi, hi)
		}
	}
	return out, nil
}

func noSeries(c result.Curve, key string) error {
	return fmt.Errorf("no series %q; there are %s", key, strings.Join(slices.Sorted(maps.Keys(c.Series)), ", "))
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// inset returns the zoomed part of the panel, the chosen curves from zoomFrom on, if there is one that is not empty.
func (p panel) inset() (panel, bool) {
	if p.zoomFrom <= 0 {
		return panel{}, false
	}
	in := panel{log: p.log}
	for _, c := range p.curves {
		if len(p.zoomed) > 0 && !slices.Contains(p.zoomed, c.name) {
			continue
		}
		z := curve{name: c.name, color: c.color}
		for i := range c.x {
			if c.x[i] >= p.zoomFrom {
				z.x, z.y = append(z.x, c.x[i]), append(z.y, c.y[i])
			}
		}
		if z.drawable() {
			in.curves = append(in.curves, z)
		}
	}
	return in, len(in.curves) > 0
}

func (c curve) drawable() bool { return slices.ContainsFunc(c.y, finite) }

// bounds returns the smallest and the largest values to draw; ok is false if there are none.
func (p panel) bounds() (b bounds, ok bool) {
	b = bounds{math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)}
	if p.least != nil {
		b = *p.least
	}
	widen := func(y float64) {
		if finite(y) {
			b.y0, b.y1 = min(b.y0, y), max(b.y1, y)
		}
	}
	for _, c := range p.curves {
		for i, x := range c.x {
			if finite(x) {
				b.x0, b.x1 = min(b.x0, x), max(b.x1, x)
			}
			widen(c.y[i])
			if c.lo != nil {
				widen(c.lo[i])
				widen(c.hi[i])
			}
		}
	}
	for _, r := range p.refs {
		widen(r.y)
	}
	return b, b.x0 <= b.x1 && b.y0 <= b.y1
}
