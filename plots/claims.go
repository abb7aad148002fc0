package plots

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"

	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// ClaimsTable displays the claims and their verdicts as the output of a GoNB cell: an HTML table, with the same as
// Markdown and as plain text for readers without HTML.
func ClaimsTable(claims []result.Claim) {
	display(map[protocol.MIMEType]any{
		protocol.MIMETextHTML:     claimsHTML(claims),
		protocol.MIMETextMarkdown: claimsMarkdown(claims),
		protocol.MIMETextPlain:    claimsText(claims),
	})
}

// verdict is a verdict in words, with a sign for those who see no colours.
func verdict(c result.Claim) string {
	sign := map[result.Verdict]string{result.Holds: "✓", result.Fails: "✗", result.Corrected: "≈", result.Undecided: "?"}[c.Verdict]
	words := strings.TrimSpace(sign + " " + string(c.Verdict))
	if c.Erratum != "" {
		words += " (" + c.Erratum + ")"
	}
	return words
}

// number writes a value with four significant digits, with a true minus sign and raised powers of ten.
func number(n result.Number) string {
	v := float64(n)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	s := strconv.FormatFloat(math.Abs(v), 'g', 4, 64)
	if mantissa, exponent, found := strings.Cut(s, "e"); found {
		e, _ := strconv.Atoi(exponent)
		s = mantissa + "×" + powerOfTen(float64(e))
	}
	if v < 0 {
		s = "−" + s
	}
	return s
}

var verdictColor = map[result.Verdict]string{result.Holds: "#128a5f", result.Fails: "#d9480f", result.Corrected: "#2b7fc4", result.Undecided: "#7d7d7d"} // on white and on dark

func claimsHTML(claims []result.Claim) string {
	var b strings.Builder
	b.WriteString(`<table class="claims"><thead><tr><th style="text-align:left">Verdict</th><th style="text-align:left">Claim</th><th>Measured</th><th>Expected</th><th>Tolerance</th></tr></thead><tbody>`)
	for _, c := range claims {
		fmt.Fprintf(&b, `<tr><td style="text-align:left;white-space:nowrap;font-weight:bold;color:%s">%s</td><td style="text-align:left">%s</td><td>%s</td><td>%s</td><td>%s</td></tr>`,
			verdictColor[c.Verdict], html.EscapeString(verdict(c)), html.EscapeString(c.Claim), number(c.Measured), number(c.Expected), number(c.Tolerance))
	}
	b.WriteString("</tbody></table>")
	return b.String()
}

func claimsMarkdown(claims []result.Claim) string {
	var b strings.Builder
	b.WriteString("| Verdict | Claim | Measured | Expected | Tolerance |\n|:--|:--|--:|--:|--:|\n")
	for _, c := range claims {
		claim := strings.NewReplacer("|", `\|`, "\n", " ").Replace(c.Claim)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", verdict(c), claim, number(c.Measured), number(c.Expected), number(c.Tolerance))
	}
	return b.String()
}

func claimsText(claims []result.Claim) string {
	var b strings.Builder
	for _, c := range claims {
		fmt.Fprintf(&b, "%s: %s; measured %s, expected %s, tolerance %s\n", verdict(c), c.Claim, number(c.Measured), number(c.Expected), number(c.Tolerance))
	}
	return b.String()
}
