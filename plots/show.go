package plots

import (
	"encoding/json"
	"fmt"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// Show displays the figure as the output of a GoNB cell. Outside of a notebook it only checks that the figure can be
// drawn.
func Show(fig result.Figure) error {
	picture, err := SVG(fig)
	if err != nil {
		return err
	}
	ShowSVG(picture)
	return nil
}

// ShowSVG displays an SVG as the output of a GoNB cell. It is sent as image/svg+xml, which code hosts and nbconvert
// show. (gonbui would send it inside HTML, from which they remove it.)
func ShowSVG(picture []byte) {
	display(map[protocol.MIMEType]any{protocol.MIMEImageSVG: string(picture)})
}

// display sends an output to the notebook, if there is one, and waits until GoNB has received it: an output that is
// still being sent when the cell's program ends is lost.
func display(data map[protocol.MIMEType]any) {
	if !gonbui.IsNotebook {
		return
	}
	gonbui.SendData(&protocol.DisplayData{Data: data})
	gonbui.Sync()
}

// ShowInteractive displays the figure as an interactive plotly figure, or as several of them if it has more than six
// panels. It needs no network in JupyterLab: plotly.js comes from the Jupyter server's lab extension unhinged-assets,
// and from plotly's server only if that fails. For notebooks that are committed, Show is better, because code hosts run
// no scripts.
func ShowInteractive(fig result.Figure) error {
	for _, part := range parts(fig) {
		interactive, err := Plotly(part)
		if err != nil {
			return err
		}
		literal, err := json.Marshal(interactive) // also escapes <, > and &, so that no text ends the script
		if err != nil {
			return fmt.Errorf("plots: figure %q: %w", fig.ID, err)
		}
		display(map[protocol.MIMEType]any{protocol.MIMETextHTML: fmt.Sprintf(plotlyCell, gonbui.UniqueId(), literal)})
	}
	return nil
}

// parts splits a figure evenly into figures of at most six panels.
func parts(fig result.Figure) []result.Figure {
	n := max(1, (len(fig.Panels)+plotlyPanels-1)/plotlyPanels)
	out := make([]result.Figure, n)
	for i := range out {
		out[i] = fig
		out[i].Panels = fig.Panels[i*len(fig.Panels)/n : (i+1)*len(fig.Panels)/n]
	}
	return out
}

const plotlyCell = `<div id="plotly-%[1]s"></div><script>(() => {
const place = document.getElementById("plotly-%[1]s"), fig = %[2]s;
const draw = () => window.Plotly.newPlot(place, fig.data, fig.layout, fig.config);
if (window.Plotly) return draw();
const sources = ["https://cdn.plot.ly/plotly-4.1.1.min.js"];
try {
  const base = JSON.parse(document.getElementById("jupyter-config-data").textContent).baseUrl;
  sources.unshift(base + "lab/extensions/unhinged-assets/plotly-4.1.1.min.js");
} catch (e) {}
window.unhingedPlotly ??= (async () => {
  for (const src of sources) {
    try {
      await new Promise((ok, no) => {
        const s = document.createElement("script");
        s.src = src; s.onload = ok; s.onerror = no; document.head.appendChild(s);
      });
      if (window.Plotly) return;
    } catch (e) {}
  }
  window.unhingedPlotly = undefined;
  throw new Error("plotly.js could not be loaded from " + sources.join(", "));
})();
window.unhingedPlotly.then(draw).catch(e => { place.textContent = "No plot: " + e.message });
})()</script>`
