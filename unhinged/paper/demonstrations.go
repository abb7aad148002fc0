package paper

import (
	"fmt"

	"github.com/unhinged-lab/lab/unhinged/errata"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// demonstrations compares the printed form and the right form of each erratum with brute force. Each form has a claim.
func demonstrations(o Options) (*result.Figure, error) {
	if o.Runs != "" || o.State != nil {
		return nil, fmt.Errorf("the demonstrations use neither recorded runs nor features")
	}
	claims, err := errata.Claims()
	if err != nil {
		return nil, err
	}
	return &result.Figure{Settings: map[string]any{}, Claims: claims, Table: &result.Table{
		Columns: []string{"form", "distance from brute force", "tolerance", "verdict"},
		Rows:    formRows(claims),
		Note:    "The distance is 0, up to rounding, where a form is right. ERRATA.md lists all errata.",
	}}, nil
}

func formRows(claims []result.Claim) [][]string {
	var rows [][]string
	for _, c := range claims {
		rows = append(rows, []string{c.Claim, fmt.Sprintf("%.2g", float64(c.Measured)),
			fmt.Sprintf("%.0e", float64(c.Tolerance)), string(c.Verdict)})
	}
	return rows
}
