package plots

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"slices"

	"github.com/unhinged-lab/lab/unhinged/result"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// HTML returns one page with all figures, their settings, claims and provenance. The page needs no other files and no
// network. For each figure it has links to ID.json and ID.svg in its own directory.
func HTML(figs []result.Figure) ([]byte, error) {
	type row struct{ Name, Value string }
	type section struct {
		result.Figure
		Picture, Sentences template.HTML
		Verdicts           string
		Rows, Origin       []row
	}
	if len(figs) == 0 {
		return nil, fmt.Errorf("plots: no figures for the page: there must be at least one")
	}
	var sections []section
	for _, fig := range figs {
		var picture []byte
		if len(fig.Panels) > 0 || fig.Table == nil { // a table may have no picture
			var err error
			if picture, err = SVG(fig); err != nil {
				return nil, err
			}
		}
		s := section{Figure: fig, Picture: template.HTML(picture), Sentences: template.HTML(claimsHTML(fig.Claims)),
			Verdicts: result.Tally(fig.Claims)}
		for _, name := range slices.Sorted(maps.Keys(fig.Settings)) {
			s.Rows = append(s.Rows, row{name, fmt.Sprint(fig.Settings[name])})
		}
		p := fig.Provenance
		s.Origin = []row{{"command", p.Command}, {"seed", fmt.Sprint(p.Seed)}, {"commit", p.Commit},
			{"computed by", p.Backend}, {"Go", p.Go},
			{"started", p.Started.Format("2006-01-02 15:04:05 MST")}, {"took", fmt.Sprintf("%.3g s", p.Duration)}}
		sections = append(sections, s)
	}
	var b bytes.Buffer
	if err := page.Execute(&b, sections); err != nil {
		return nil, fmt.Errorf("plots: page: %w", err)
	}
	return b.Bytes(), nil
}
