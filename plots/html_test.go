package plots

import (
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/unhinged-lab/lab/unhinged/result"
)

const evil = `<script>alert("it's")</script> & |`

func claims() []result.Claim {
	return []result.Claim{
		{Claim: "the limit is √2 " + evil, Measured: 1.4142, Expected: 1.41421356, Tolerance: 1e-3,
			Verdict: result.Holds},
		{Claim: "diverges", Measured: result.Number(math.Inf(1)), Expected: -2.5e54, Tolerance: 0,
			Verdict: result.Fails},
		{Claim: "as captioned", Measured: 3e-5, Expected: 7e-7, Tolerance: 1e-8, Verdict: result.Corrected,
			Erratum: "E24"},
		{Claim: "has the rate", Measured: -1, Expected: -1, Tolerance: 1e-9, Verdict: result.Holds,
			Kind: result.Implementation},
		{Claim: "is larger", Measured: 0.2, Expected: 0, Tolerance: 0.5, Verdict: result.Undecided, Control: "swap " +
			evil},
		result.Withdrawn("converges", "γ is beyond 2/(C−2)"),
	}
}

func TestHTMLPage(t *testing.T) {
	a, b := figure(4, 3, 30), figure(5, 2, 30)
	a.ID, a.Title, a.Claims = "fig1", evil, claims()
	a.Settings = map[string]any{"γ " + evil: []float64{0, 0.05}}
	a.Curves[0].Name = evil
	a.Panels[0].Title = evil
	a.Provenance = result.Provenance{Command: evil, Seed: 42, Commit: "abc", Backend: "gonum", Go: "go1.26",
		Started: time.Unix(0, 0), Duration: 0.5}
	b.ID = "fig5"
	out, err := HTML([]result.Figure{a, b})
	if err != nil {
		t.Fatal(err)
	}
	page := string(out)
	for _, forbidden := range []string{"<script", `alert("`, "NaN"} {
		if strings.Contains(page, forbidden) {
			t.Errorf("%q is in the page", forbidden)
		}
	}
	for _, wanted := range []string{
		`href="fig1.json"`, `href="fig1.svg"`, `href="fig5.json"`, `id="fig5"`,
		"1 holds, 1 corrected (E24), 1 fails, 1 undecided, 1 not claimed; checks of the implementation: 1 holds",
		"– not claimed", "converges. Not claimed here: γ is beyond 2/(C−2)", "Negative control: swap &lt;script",
		"? undecided", "✓ holds", "✗ fails", "≈ corrected (E24)", "−2.5×10⁵⁴", "[0 0.05]", "42",
		"prefers-color-scheme: dark", "width=device-width",
	} {
		if !strings.Contains(page, wanted) {
			t.Errorf("%q is not in the page", wanted)
		}
	}
	if n := strings.Count(page, "<svg "); n != 2 {
		t.Errorf("%d pictures", n)
	}
	for _, address := range regexp.MustCompile(`(?:src|href|url)\s*[=(]\s*["']?(https?:[^"')\s]*)`).FindAllStringSubmatch(page, -1) {
		t.Errorf("the page needs the network: %s", address[1])
	}
	if _, err := HTML(nil); err == nil {
		t.Error("a page without figures accepted")
	}
}

func TestClaimsInEveryForm(t *testing.T) {
	table := claimsHTML(claims())
	if strings.Contains(table, "<script") || strings.Count(table, "<tr>") != 8 {
		t.Errorf("table: %s", table)
	}
	markdown := strings.Split(strings.TrimSpace(claimsMarkdown(claims())), "\n")
	bar := regexp.MustCompile(`(?:^|[^\\])\|`)
	for i, line := range markdown {
		if n := len(bar.FindAllString(line, -1)); n != 6 {
			t.Errorf("row %d has %d bars: %s", i, n, line)
		}
	}
	if len(markdown) != 9 {
		t.Errorf("%d rows of Markdown", len(markdown))
	}
	if text := claimsText(claims()); strings.Count(text, "\n") != 7 || !strings.HasSuffix(text,
		checks+"\n✓ holds: has the rate; measured −1, expected −1, tolerance 1×10⁻⁹\n") || !strings.Contains(text,
		"✗ fails: diverges; measured –") {
		t.Errorf("text: %s", text)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1.41421356: "1.414", -3e15: "−3×10¹⁵", 4.96e-7: "4.96×10⁻⁷",
		50000: "5×10⁴", math.Inf(-1): "–"} {
		if got := number(result.Number(v)); got != want {
			t.Errorf("number(%g) = %q, want %q", v, got, want)
		}
	}
}
