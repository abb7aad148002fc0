// Package result has the types for the result of an experiment: curves, the panels to draw them in, the claims that
// were checked, and the provenance. It is plain data: package paper makes it, packages plots and cmd read it, and it is
// written to disk as JSON.
package result

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
)

// Figure is the result of one figure, study or other experiment.
type Figure struct {
	ID         string         `json:"id"`
	Title      string         `json:"title"`
	Settings   map[string]any `json:"settings"`
	Panels     []Panel        `json:"panels"`
	Curves     []Curve        `json:"curves"`
	Table      *Table         `json:"table,omitempty"`
	Claims     []Claim        `json:"claims"`
	Provenance Provenance     `json:"provenance"`
}

// Curve is one entry of the legend. All its series have the length of Series["step"]. Beside a series NAME, NAME_sd has
// standard deviations, drawn as a band, and NAME_from where a filled area begins that ends at NAME, such as a
// histogram's 0.
type Curve struct {
	Name   string             `json:"name"`
	Params map[string]float64 `json:"params"`
	Series map[string]Series  `json:"series"`
}

// Table is a table of the paper, the published numbers beside ours.
type Table struct {
	Columns []string   `json:"columns"` // headings; the first is that of the rows' names
	Rows    [][]string `json:"rows"`    // a cell a column; an empty one has no number
	Note    string     `json:"note,omitempty"`
}

// Markdown is the table as Markdown.
func (t Table) Markdown() string {
	var b strings.Builder
	line := func(cells []string) {
		for _, cell := range cells {
			b.WriteString("| " + cell + " ")
		}
		b.WriteString("|\n")
	}
	line(t.Columns)
	line(append([]string{"---"}, slices.Repeat([]string{"---:"}, len(t.Columns)-1)...))
	for _, row := range t.Rows {
		line(row)
	}
	if t.Note != "" {
		b.WriteString("\n" + t.Note + "\n")
	}
	return b.String()
}

// Series are values over time. Values that float64 cannot hold are ±Inf here and null in JSON; the series of
// the same name with the prefix "log10_" then has their base-10 logarithms (of the absolute value).
type Series []float64

// Log10 names the series that holds the base-10 logarithm of |values| of the named one.
func Log10(name string) string { return "log10_" + name }

// Steps has each value twice, for the two limits of a bin: a series of a histogram.
func Steps(values []float64) Series {
	out := make(Series, 0, 2*len(values))
	for _, v := range values {
		out = append(out, v, v)
	}
	return out
}

// MarshalJSON writes NaN and ±Inf as null, because JSON does not have them.
func (s Series) MarshalJSON() ([]byte, error) {
	out := make([]*float64, len(s))
	for i := range s {
		if !math.IsNaN(s[i]) && !math.IsInf(s[i], 0) {
			out[i] = &s[i]
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads null as NaN.
func (s *Series) UnmarshalJSON(data []byte) error {
	var in []*float64
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*s = make(Series, len(in))
	for i, v := range in {
		(*s)[i] = math.NaN()
		if v != nil {
			(*s)[i] = *v
		}
	}
	return nil
}

// Panel says how to draw one quantity of the curves against the step.
type Panel struct {
	Title  string `json:"title"`  // such as "(a) Train loss"
	Y      string `json:"y"`      // key of the series
	YLabel string `json:"ylabel"` // axis label
	// X is the key of the series drawn along the horizontal axis ("step" if empty), XLabel its label
	// ("Time-of-training" if empty).
	X      string `json:"x,omitempty"`
	XLabel string `json:"xlabel,omitempty"`
	Log    bool   `json:"log"` // base-10 logarithmic y axis; a "log10_" series is used if there is one
	// Curves names the curves shown; empty means all.
	Curves []string `json:"curves,omitempty"`
	// Lines are horizontal reference lines by legend name, such as {"√2": 1.414…}.
	Lines map[string]float64 `json:"lines,omitempty"`
	// MaxStep cuts the x axis; 0 shows all steps.
	MaxStep float64 `json:"max_step,omitempty"`
	// YMin cuts a logarithmic y axis off below; 0 shows all values.
	YMin float64 `json:"y_min,omitempty"`
	// ZoomFrom asks for an inset from this step to the end; 0 means none. ZoomCurves names the curves in it (empty:
	// all).
	ZoomFrom   float64  `json:"zoom_from,omitempty"`
	ZoomCurves []string `json:"zoom_curves,omitempty"`
}

// Number is a float64 whose NaN and ±Inf are null in JSON.
type Number float64

// MarshalJSON writes NaN and ±Inf as null.
func (n Number) MarshalJSON() ([]byte, error) {
	if f := float64(n); !math.IsNaN(f) && !math.IsInf(f, 0) {
		return json.Marshal(f)
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads null as NaN.
func (n *Number) UnmarshalJSON(data []byte) error {
	var f *float64
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	*n = Number(math.NaN())
	if f != nil {
		*n = Number(*f)
	}
	return nil
}

// Provenance says how a figure was made.
type Provenance struct {
	Command  string    `json:"command"`
	Seed     uint64    `json:"seed"`
	Commit   string    `json:"commit"`  // of the source that the program was built from, see internal/build
	Backend  string    `json:"backend"` // what computed it
	Go       string    `json:"go"`
	Started  time.Time `json:"started"`
	Duration float64   `json:"duration_seconds"`
}
