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

// ClaimsTable displays the claims and their verdicts as the output of a GoNB cell: as an HTML table, and as Markdown
// and plain text for readers without HTML. Evidence about the run comes first, checks of the implementation follow.
func ClaimsTable(claims []result.Claim) {
	display(map[protocol.MIMEType]any{
		protocol.MIMETextHTML:     claimsHTML(claims),
		protocol.MIMETextMarkdown: claimsMarkdown(claims),
		protocol.MIMETextPlain:    claimsText(claims),
	})
}

// verdict returns the verdict in words, with a symbol for readers who do not see colours.
func verdict(c result.Claim) string {
	sign := map[result.Verdict]string{result.Holds: "✓", result.Fails: "✗", result.Corrected: "≈",
		result.Undecided:  "?",
		result.NotClaimed: "–"}[c.Verdict]
	words := strings.TrimSpace(sign + " " + string(c.Verdict))
	if c.Erratum != "" {
		words += " (" + c.Erratum + ")"
	}
	return words
}

// number writes a value with four significant digits, with a proper minus sign and powers of ten as superscripts.
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

// verdictColor has colours that are visible on a white and on a dark background.
var verdictColor = map[result.Verdict]string{
	result.Holds: "#128a5f", result.Fails: "#d9480f", result.Corrected: "#2b7fc4", result.Undecided: "#7d7d7d",
	result.NotClaimed: "#7d7d7d",
}

// checks is the heading above checks of the implementation.
const checks = "Checks of the implementation: true by theorem, whatever the run does"

// words returns the text of a claim and, if it is not claimed, the reason.
func words(c result.Claim) string {
	if c.Reason != "" {
		return c.Claim + ". Not claimed here: " + c.Reason
	}
	return c.Claim
}

func claimsHTML(claims []result.Claim) string {
	var b strings.Builder
	b.WriteString(`<table class="claims"><thead><tr><th style="text-align:left">Verdict</th>` +
		`<th style="text-align:left">Claim</th>` +
		`<th>Measured</th><th>Expected</th><th>Tolerance</th></tr></thead><tbody>`)
	rows := func(claims []result.Claim) {
		for _, c := range claims {
			control := ""
			if c.Control != "" && c.Verdict != result.NotClaimed {
				control = `<br><small>Negative control: ` + html.EscapeString(c.Control) + `</small>`
			}
			fmt.Fprintf(&b, `<tr><td style="text-align:left;white-space:nowrap;font-weight:bold;color:%s">%s</td>`+
				`<td style="text-align:left">%s%s</td><td>%s</td><td>%s</td><td>%s</td></tr>`,
				verdictColor[c.Verdict], html.EscapeString(verdict(c)), html.EscapeString(words(c)), control,
				number(c.Measured), number(c.Expected), number(c.Tolerance))
		}
	}
	evidence, implementation := result.ByKind(claims)
	rows(evidence)
	if len(implementation) > 0 {
		fmt.Fprintf(&b, `<tr><th colspan="5" style="text-align:left">%s</th></tr>`, checks)
		rows(implementation)
	}
	b.WriteString("</tbody></table>")
	return b.String()
}

func claimsMarkdown(claims []result.Claim) string {
	var b strings.Builder
	b.WriteString("| Verdict | Claim | Measured | Expected | Tolerance |\n|:--|:--|--:|--:|--:|\n")
	rows := func(claims []result.Claim) {
		for _, c := range claims {
			claim := strings.NewReplacer("|", `\|`, "\n", " ").Replace(words(c))
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", verdict(c), claim, number(c.Measured), number(c.Expected),
				number(c.Tolerance))
		}
	}
	evidence, implementation := result.ByKind(claims)
	rows(evidence)
	if len(implementation) > 0 {
		fmt.Fprintf(&b, "| | **%s** | | | |\n", checks)
		rows(implementation)
	}
	return b.String()
}

func claimsText(claims []result.Claim) string {
	var b strings.Builder
	rows := func(claims []result.Claim) {
		for _, c := range claims {
			fmt.Fprintf(&b, "%s: %s", verdict(c), words(c))
			if c.Verdict != result.NotClaimed {
				fmt.Fprintf(&b, "; measured %s, expected %s, tolerance %s", number(c.Measured), number(c.Expected),
					number(c.Tolerance))
			}
			b.WriteByte('\n')
		}
	}
	evidence, implementation := result.ByKind(claims)
	rows(evidence)
	if len(implementation) > 0 {
		b.WriteString(checks + "\n")
		rows(implementation)
	}
	return b.String()
}
