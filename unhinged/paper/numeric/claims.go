package numeric

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/unhinged-lab/lab/unhinged/dynamics"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// claim adds a check.
func (r *run) claim(s result.Sentence, text string, measured, expected, tolerance float64) {
	r.add(s.Of(result.Check(text, measured, expected, tolerance)))
}

// withdraw adds a sentence that is not claimed, with the reason.
func (r *run) withdraw(s result.Sentence, text, reason string) {
	r.add(s.Of(result.Withdrawn(text, reason)))
}

// unequal reports whether the classes have different sizes. If so, it adds that the figure's sentences are not claimed.
func (r *run) unequal() bool {
	if r.n > 0 {
		return false
	}
	r.add(result.Withdrawn("the paper's sentences about this figure", "they are about classes of equal size"))
	return true
}

// measurement is one of the measurements that a claim is about.
type measurement struct {
	name, outside                 string
	measured, expected, tolerance float64
}

// each claims a sentence for several curves at once. The claim has the numbers of the curve that is furthest from its
// expected value. Curves that the sentence is not about are named with the reason; if there are no others, the claim is
// withdrawn. The text of the claim begins with the curves' names, followed by text.
func (r *run) each(s result.Sentence, group, text string, all []measurement) {
	var within []string
	var outside exclusions
	var worst measurement
	furthest, different := -1.0, false
	for _, m := range all {
		if m.outside != "" {
			outside.add(m.name, m.outside)
			continue
		}
		different = different || len(within) > 0 && m.expected != worst.expected
		within = append(within, m.name)
		off := math.Abs(m.measured-m.expected) / m.tolerance
		if m.measured == m.expected {
			off = 0
		}
		if off > furthest || math.IsNaN(off) {
			worst, furthest = m, off
		}
	}
	switch {
	case len(all) == 0:
	case len(within) == 0:
		r.withdraw(s, group+"for "+names(outside.all())+text, outside.reason())
	default:
		text = group + "for " + names(within) + text
		if len(within) > 1 && (furthest > 0 || different) {
			text += " (shown: " + worst.name + ", the furthest off)"
		}
		r.claim(s, text+outside.note(), worst.measured, worst.expected, worst.tolerance)
	}
}

// exclusions lists the curves that a sentence is not about, grouped by the reason.
type exclusions []struct {
	reason string
	names  []string
}

func (e *exclusions) add(name, reason string) {
	for i := range *e {
		if (*e)[i].reason == reason {
			(*e)[i].names = append((*e)[i].names, name)
			return
		}
	}
	*e = append(*e, struct {
		reason string
		names  []string
	}{reason, []string{name}})
}

func (e exclusions) all() (list []string) {
	for _, x := range e {
		list = append(list, x.names...)
	}
	return list
}

// reason returns the reason for which all curves are excluded.
func (e exclusions) reason() string {
	if len(e) == 1 {
		return e[0].reason
	}
	var parts []string
	for _, x := range e {
		parts = append(parts, x.reason+" (for "+names(x.names)+")")
	}
	return strings.Join(parts, "; ")
}

// note returns the text about the excluded curves for a claim about the others.
func (e exclusions) note() string {
	if len(e) == 0 {
		return ""
	}
	var parts []string
	for _, x := range e {
		parts = append(parts, "for "+names(x.names)+": "+x.reason)
	}
	return " (not claimed " + strings.Join(parts, "; ") + ")"
}

// names lists values of one parameter as "η = 0.1, 0.5 and 1".
func names(list []string) string {
	list = slices.Clone(list)
	symbol, _, _ := strings.Cut(list[0], " = ")
	for i := 1; i < len(list); i++ {
		list[i] = strings.TrimPrefix(list[i], symbol+" = ")
	}
	if last := len(list) - 1; last > 0 {
		return strings.Join(list[:last], ", ") + " and " + list[last]
	}
	return list[0]
}

// number writes a value in the usual way: 1e-5, not 1e-05.
func number(v float64) string {
	return strings.NewReplacer("e-0", "e-", "e+0", "e", "e+", "e").Replace(fmt.Sprintf("%g", v))
}

// always excludes no curve.
func always(*curve) string { return "" }

// Some of the reasons why a sentence is not claimed.
const (
	nothingToCompare = "there are no two values to compare"
	tooFast          = "the learning rate is too large for descent to follow the flow"
	tooSmall         = "the exponent is too small to be measured"
)

// outside returns the reason why Corollaries 3 and 5 are not about a curve, or "".
func (r *run) outside(c *curve) string {
	switch {
	case c.gamma == 0:
		return "γ = 0 is a tie of two eigenspaces"
	case !r.inRange(c.gamma) && c.gamma == r.limit():
		return "γ = 2/(C−2) is a tie of two eigenspaces"
	case !r.inRange(c.gamma):
		value := "" // empty if the names of the curves have the value
		if !strings.HasPrefix(c.short, "γ") {
			value = " = " + number(c.gamma)
		}
		return fmt.Sprintf("γ%s is beyond 2/(C−2) = %.3g", value, r.limit())
	case !r.follows(c):
		return tooFast
	case !c.collapses:
		return "no eigenspace wins alone"
	}
	return ""
}

// group returns the common setting of the curves as the beginning of a text, if there are several groups of curves.
func group(curves []*curve) string {
	if curves[0].group == "" {
		return ""
	}
	return "at " + curves[0].group + ", "
}

// rates claims, for all curves to which Corollary 3 or 5 applies, that the distance falls at the exponential rate of
// the corollary.
func (r *run) rates(source string, curves []*curve) error {
	var all []measurement
	for _, c := range curves {
		m := measurement{name: c.short, outside: r.outside(c)}
		_, m.expected = r.exponents(c)
		if m.outside == "" && !measurable(m.expected) {
			m.outside = tooSmall
		}
		if m.outside == "" {
			var err error
			if m.measured, err = asymptote(c.at, dynamics.Point.LogDistance, m.expected); err != nil {
				return err
			}
			m.tolerance = 1e-6 * math.Abs(m.expected)
		}
		all = append(all, m)
	}
	r.each(approaches, group(curves), ", the distance to the limit falls exponentially, at the rate of "+source+
		" (exponent per step)", all)
	return nil
}

// growth claims that ‖Z‖ grows (or shrinks, or is constant at λ*) with the exponent of the paper, for the curves that
// outside does not exclude.
func (r *run) growth(text string, curves []*curve, outside func(*curve) string) error {
	var all []measurement
	for _, c := range curves {
		m := measurement{name: c.short, outside: outside(c)}
		var approach float64
		m.expected, approach = r.exponents(c)
		if !measurable(approach) { // γ = 0: E1 and E2 have the same eigenvalue, and the next one is that of E3
			approach = -max(math.Abs(m.expected), c.eta*c.lambda)
		}
		switch {
		case m.outside != "":
		case !r.follows(c):
			m.outside = tooFast
		case !measurable(approach):
			m.outside = tooSmall
		default:
			var err error
			if m.measured, err = asymptote(c.at, dynamics.Point.LogNormZ, approach); err != nil {
				return err
			}
			m.tolerance = 1e-6 * math.Abs(approach)
		}
		all = append(all, m)
	}
	r.each(grows, group(curves), text+" (exponent of ‖Z‖ per step)", all)
	return nil
}

// accuracies claims that all training samples end classified correctly for γ < 2/(C−2).
func (r *run) accuracies(curves []*curve) {
	var all []measurement
	for _, c := range curves {
		m := measurement{name: c.short, measured: c.last("accuracy"), expected: 1}
		if c.gamma != 0 && !r.inRange(c.gamma) {
			m.outside = r.outside(c)
		}
		all = append(all, m)
	}
	r.each(aligns, "", ", the features align to their prototypes (train accuracy at the end)", all)
}

// ordered claims that the final values of a series strictly decrease from curve to curve as the parameter increases. It
// compares their logarithms, because the values may be too small for float64. Two curves that are both at 0 are not
// compared.
func (r *run) ordered(s result.Sentence, text, series, parameter string, curves []*curve, outside func(*curve) string) {
	text = group(curves) + text
	var within []*curve
	var excluded exclusions
	for _, c := range curves {
		if reason := outside(c); reason != "" {
			excluded.add(c.short, reason)
			continue
		}
		within = append(within, c)
	}
	slices.SortStableFunc(within, func(a, b *curve) int {
		return cmp.Compare(a.Params[parameter],
			b.Params[parameter])
	})
	falls, pairs := 0, 0
	for i := 1; i < len(within); i++ {
		a, b := within[i-1], within[i]
		before, after := a.last(result.Log10(series)), b.last(result.Log10(series))
		if a.Params[parameter] == b.Params[parameter] || math.IsInf(before, -1) && math.IsInf(after, -1) {
			continue
		}
		pairs++
		if after < before {
			falls++
		}
	}
	switch {
	case pairs > 0:
		r.claim(s, text+excluded.note(), float64(falls), float64(pairs), 0)
	case len(excluded) > 0:
		r.withdraw(s, text, excluded.reason())
	default:
		r.withdraw(s, text, nothingToCompare)
	}
}

// same claims that a quantity of the flow is the same for all curves, which differ in λ.
func (r *run) same(s result.Sentence, text string, curves []*curve, quantity func(dynamics.Point) float64) error {
	text = group(curves) + text + " (largest difference between the curves, of the flow)"
	for _, c := range curves {
		if reason := r.outside(c); reason != "" {
			r.withdraw(s, text, reason)
			return nil
		}
	}
	if len(curves) < 2 {
		r.withdraw(s, text, nothingToCompare)
		return nil
	}
	spread, err := r.spread(curves, quantity)
	if err != nil {
		return err
	}
	r.claim(s, text, spread, 0, 1e-9)
	return nil
}
