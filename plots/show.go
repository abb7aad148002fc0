package plots

import (
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

// ShowSVG displays an SVG as the output of a GoNB cell. JupyterLab makes it interactive (jupyter/labextensions). It is
// sent as image/svg+xml, which code hosts and nbconvert show. (gonbui would send it inside HTML, from which they remove
// it.)
func ShowSVG(picture []byte) {
	display(map[protocol.MIMEType]any{protocol.MIMEImageSVG: string(picture)})
}

// Markdown displays text in Markdown as the output of a GoNB cell. (gonbui.DisplayMarkdown does not wait, so that the
// last outputs of a cell can be lost.)
func Markdown(text string) { display(map[protocol.MIMEType]any{protocol.MIMETextMarkdown: text}) }

// display sends an output to the notebook, if there is one, and waits until GoNB has received it: an output that is
// still being sent when the cell's program ends is lost.
func display(data map[protocol.MIMEType]any) {
	if !gonbui.IsNotebook {
		return
	}
	gonbui.SendData(&protocol.DisplayData{Data: data})
	gonbui.Sync()
}
