package plots

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/unhinged-lab/lab/unhinged/result"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// HTML is one page with all figures, their settings, claims and provenance. It needs nothing else and no network;
// beside each figure it links to ID.json and ID.svg in its own directory.
func HTML(figs []result.Figure) ([]byte, error) {
	type row struct{ Name, Value string }
	type section struct {
		result.Figure
		Picture, Table template.HTML
		Verdicts       string
		Rows, Origin   []row
	}
	if len(figs) == 0 {
		return nil, fmt.Errorf("plots: no figures for the page: there must be at least one")
	}
	var sections []section
	for _, fig := range figs {
		picture, err := SVG(fig)
		if err != nil {
			return nil, err
		}
		s := section{Figure: fig, Picture: template.HTML(picture), Table: template.HTML(claimsHTML(fig.Claims)), Verdicts: tally(fig.Claims)}
		for _, name := range slices.Sorted(maps.Keys(fig.Settings)) {
			s.Rows = append(s.Rows, row{name, fmt.Sprint(fig.Settings[name])})
		}
		p := fig.Provenance
		s.Origin = []row{{"command", p.Command}, {"seed", fmt.Sprint(p.Seed)}, {"commit", p.Commit}, {"computed by", p.Backend}, {"Go", p.Go},
			{"started", p.Started.Format("2006-01-02 15:04:05 MST")}, {"took", fmt.Sprintf("%.3g s", p.Duration)}}
		sections = append(sections, s)
	}
	var b bytes.Buffer
	if err := page.Execute(&b, sections); err != nil {
		return nil, fmt.Errorf("plots: page: %w", err)
	}
	return b.Bytes(), nil
}

// tally counts verdicts: "5 hold, 1 corrected".
func tally(claims []result.Claim) string {
	if len(claims) == 0 {
		return "no claims"
	}
	count := map[result.Verdict]int{}
	for _, c := range claims {
		count[c.Verdict]++
	}
	var parts []string
	for _, v := range []struct {
		verdict  result.Verdict
		one, all string
	}{{result.Holds, "holds", "hold"}, {result.Corrected, "corrected", "corrected"}, {result.Fails, "fails", "fail"}, {result.Undecided, "undecided", "undecided"}} {
		switch n := count[v.verdict]; n {
		case 0:
		case 1:
			parts = append(parts, "1 "+v.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, v.all))
		}
	}
	return strings.Join(parts, ", ")
}
