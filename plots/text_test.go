package plots

import (
	"math"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/recorder"
)

// SVG drops blanks at the beginning and at the end of a text. So no text may have such blanks, and the text that
// follows a script must keep its position.
func TestBlanksAfterScripts(t *testing.T) {
	sty := style(10)
	for _, c := range []struct{ before, after string }{
		{"‖H‖² ", "of one batch"},
		{"10⁻⁵  ", "apart"},
		{"  ", "indented"},
		{"‖H‖₂ ", ""},
		{"", "plain text"},
	} {
		var canvas recorder.Canvas
		at := vg.Point{X: 7, Y: 3}
		sty.Handler.Draw(&canvas, c.before+c.after, sty, at)
		end, _, _ := sty.Handler.Box(c.before, sty.Font)
		found := c.after == ""
		for _, action := range canvas.Actions {
			drawn, ok := action.(*recorder.FillString)
			if !ok {
				continue
			}
			if strings.TrimSpace(drawn.String) != drawn.String || drawn.String == "" {
				t.Errorf("%q: it draws %q", c.before+c.after, drawn.String)
			}
			if drawn.String == c.after {
				found = true
				if math.Abs(float64(drawn.Point.X-at.X-end)) > 1e-9 {
					t.Errorf("%q: %q is %v from the start, should be %v", c.before+c.after, c.after, drawn.Point.X-at.X,
						end)
				}
			}
		}
		if !found {
			t.Errorf("%q: %q is not drawn by itself", c.before+c.after, c.after)
		}
	}
}
