package plots

import (
	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// Show displays the figure as the output of a GoNB cell; outside a notebook it only checks that it can be drawn.
func Show(fig result.Figure) error {
	picture, err := SVG(fig)
	if err != nil {
		return err
	}
	ShowSVG(picture)
	return nil
}

// ShowSVG displays an SVG as the output of a GoNB cell. It is sent as image/svg+xml, which code hosts and
// nbconvert show; inside HTML, where gonbui puts it, they strip it.
func ShowSVG(picture []byte) {
	if !gonbui.IsNotebook {
		return
	}
	gonbui.SendData(&protocol.DisplayData{Data: map[protocol.MIMEType]any{protocol.MIMEImageSVG: string(picture)}})
}
