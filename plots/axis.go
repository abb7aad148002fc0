package plots

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
)

// niceStep is the smallest 1, 2 or 5 times a power of ten that divides the span into at most n parts.
func niceStep(span float64, n int) float64 {
	power := math.Pow(10, math.Floor(math.Log10(span/float64(n))))
	for _, m := range []float64{1, 2, 5} {
		if span <= m*power*float64(n)*(1+1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// multiples of step from lo to hi, at most a few hundred.
func multiples(lo, hi, step float64) []float64 {
	var out []float64
	first := math.Ceil(lo/step - 1e-9)
	for i := 0.0; i < 300 && (first+i)*step <= hi+1e-9*step; i++ {
		out = append(out, (first+i)*step)
	}
	return out
}

// linearTicks marks at most about n round numbers.
func linearTicks(n int) plot.TickerFunc {
	return func(lo, hi float64) []plot.Tick {
		step := niceStep(hi-lo, n)
		var out []plot.Tick
		for _, v := range multiples(lo, hi, step) {
			out = append(out, plot.Tick{Value: v, Label: decimal(v, step)})
		}
		return out
	}
}

// decimal writes v with the number of decimals that its step needs, with a proper minus sign, and with commas from
// 10,000 on.
func decimal(v, step float64) string {
	s := strconv.FormatFloat(math.Abs(v), 'f', max(0, -int(math.Floor(math.Log10(step)+1e-9))), 64)
	whole, fraction, _ := strings.Cut(s, ".")
	if len(whole) > 4 {
		for i := len(whole) - 3; i > 0; i -= 3 {
			whole = whole[:i] + "," + whole[i:]
		}
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if v < 0 && strings.Trim(whole, "0.,") != "" {
		return "−" + whole
	}
	return whole
}

// logTicks marks powers of ten on an axis of base-10 logarithms of any size. If the axis spans less than two decades,
// it also marks round numbers in between.
func logTicks(n int) plot.TickerFunc {
	return func(lo, hi float64) []plot.Tick {
		var out []plot.Tick
		if hi-lo < 2.2 {
			decade := math.Floor(lo)
			a, b := math.Pow(10, lo-decade), math.Pow(10, hi-decade)
			step := niceStep(b-a, n)
			values := multiples(a, b, step)
			switch { // evenly spaced numbers would be too close at the top
			case hi-lo > 1:
				values = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}
			case hi-lo > 0.7:
				values = []float64{1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100}
			}
			for _, m := range values {
				if m < a || m > b {
					continue
				}
				unit := step
				if hi-lo > 0.7 {
					unit = m
				}
				out = append(out, plot.Tick{Value: decade + math.Log10(m), Label: scientific(m, unit, decade)})
			}
			return out
		}
		step := math.Max(1, niceStep(hi-lo, n))
		for _, v := range multiples(lo, hi, step) {
			out = append(out, plot.Tick{Value: v, Label: powerOfTen(v)})
		}
		switch {
		case step == 1:
			for decade := math.Floor(lo); decade <= hi; decade++ {
				for m := 2.0; m < 10; m++ {
					out = append(out, plot.Tick{Value: decade + math.Log10(m)})
				}
			}
		case hi-lo <= 40:
			for _, v := range multiples(lo, hi, 1) {
				out = append(out, plot.Tick{Value: v})
			}
		}
		return out
	}
}

// scientific writes m·10^decade, or a plain number if that is short.
func scientific(m, step, decade float64) string {
	if decade >= -3 && decade <= 3 {
		power := math.Pow(10, decade)
		return decimal(m*power, step*power)
	}
	for m >= 10 {
		m, step, decade = m/10, step/10, decade+1
	}
	if m == 1 && step == 1 {
		return powerOfTen(decade)
	}
	return decimal(m, step) + "×" + powerOfTen(decade)
}

// powerOfTen writes 10 to an integer power: 10⁵⁴.
func powerOfTen(exponent float64) string {
	switch exponent {
	case 0:
		return "1"
	case 1:
		return "10"
	}
	return "10" + strings.Map(func(r rune) rune {
		if r == '-' {
			return '⁻'
		}
		return []rune("⁰¹²³⁴⁵⁶⁷⁸⁹")[r-'0']
	}, strconv.FormatFloat(exponent, 'f', 0, 64))
}

// commonPower returns the exponent of the power of ten to factor out of the labels of a linear axis. It is 0 unless the
// labels would have more than the given number of digits before the point, or only zeros.
func commonPower(lo, hi float64, digits int) int {
	largest := max(math.Abs(lo), math.Abs(hi))
	if largest == 0 || largest >= 1e-3 && largest < math.Pow10(digits) {
		return 0
	}
	return max(-300, int(math.Floor(math.Log10(largest))))
}

// withPower adds the power of ten that was factored out of an axis to its label.
func withPower(label string, power int) string {
	switch {
	case power == 0:
		return label
	case label == "":
		return "×" + powerOfTen(float64(power))
	}
	return fmt.Sprintf("%s (×%s)", label, powerOfTen(float64(power)))
}
