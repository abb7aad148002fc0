// Command print writes pictures of all scenes as JSON, to compare a browser's with.
package main

import (
	"encoding/json"
	"os"

	"github.com/janpfeifer/must"
	"github.com/unhinged-lab/lab/unhinged/result"
	"github.com/unhinged-lab/lab/web/explorer"
)

type picture struct {
	Scene    string
	Settings explorer.Settings
	Panels   [][]result.Series // the curves of each panel
}

func main() {
	var list []picture
	for _, s := range explorer.Scenes() {
		for _, brute := range []float64{0, 1} {
			settings := explorer.Settings{"brute": brute, "C": 5}
			if s.ID == "unequal" {
				settings["R"] = 3
			}
			drawn := must.M1(explorer.Draw(s.ID, settings))
			if drawn.Iterate != nil {
				drawn.Iterate(func(float64) bool { return true })
			}
			p := picture{Scene: s.ID, Settings: settings}
			for _, panel := range drawn.Panels {
				var curves []result.Series
				for _, curve := range panel.Curves {
					curves = append(curves, curve.Values)
				}
				p.Panels = append(p.Panels, curves)
			}
			list = append(list, p)
		}
	}
	must.M(json.NewEncoder(os.Stdout).Encode(list))
}
