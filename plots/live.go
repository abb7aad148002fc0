package plots

import (
	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// Live is one output of a GoNB cell in which a figure grows while the cell computes. At the end it leaves one picture
// in the notebook, the last one, as Show does.
//
//	live := plots.NewLive()
//	training.Report = vision.Watch("PAL", live.Show)
//	records, err := training.Run(ctx, backend, data)
//	must.M(live.Done())
type Live struct {
	id    string
	last  *result.Figure
	wrong error
}

// NewLive returns a Live that shows nothing yet.
func NewLive() *Live { return &Live{id: gonbui.UniqueId()} }

// Show replaces the picture by this figure, under a line of text about the progress of the computation. Without a
// browser nothing is drawn until Done. If the figure cannot be drawn, Done returns the error.
func (l *Live) Show(fig result.Figure, status string) {
	l.last = &fig
	if !Interactive() {
		return
	}
	picture, err := withStatus(fig, status)
	if err != nil {
		l.wrong = err
		return
	}
	l.display(picture)
}

// Done leaves the last figure, if there is one, without its line of text.
func (l *Live) Done() error {
	if l.last == nil || l.wrong != nil {
		return l.wrong
	}
	picture, err := SVG(*l.last)
	if err != nil {
		return err
	}
	if gonbui.IsNotebook {
		l.display(picture)
		gonbui.Sync()
	}
	return nil
}

func (l *Live) display(picture []byte) {
	gonbui.SendData(&protocol.DisplayData{DisplayID: l.id,
		Data: map[protocol.MIMEType]any{protocol.MIMEImageSVG: string(picture)}})
}

// withStatus returns the SVG of the figure with a line of text above it.
func withStatus(fig result.Figure, status string) ([]byte, error) {
	s, err := newSheet(fig, nil)
	if err != nil {
		return nil, err
	}
	sty := style(legendText)
	line := sty.FontExtents().Height + 2*legendPad
	return svg(fig.Title, s.width, s.height+line, func(c draw.Canvas) {
		blank(c)
		c.FillText(aligned(sty, draw.XCenter, draw.YTop), vg.Point{X: c.Center().X, Y: c.Max.Y - legendPad}, status)
		c.Max.Y -= line
		s.draw(c)
	})
}
