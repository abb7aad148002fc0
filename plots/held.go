package plots

import (
	"fmt"

	"github.com/unhinged-lab/lab/unhinged/result"
)

// Picture is what Interact draws: an SVG as it is, or a figure or a plane, whose axes hold still while a slider moves.
type Picture interface {
	[]byte | result.Figure | Plane
}

// held holds axes still over several pictures: an axis grows if a curve leaves it, and never shrinks.
type held struct {
	panels map[string]bounds
	reach  float64 // of a plane
}

// bounds are the smallest and the largest values on the axes of a panel.
type bounds struct{ x0, x1, y0, y1 float64 }

// svg draws a Picture.
func (h *held) svg(picture any) ([]byte, error) {
	switch p := picture.(type) {
	case result.Figure:
		return h.figure(p)
	case Plane:
		return p.svg(h)
	}
	return picture.([]byte), nil
}

// widen gives the panel, which is the i-th of its figure, the axes of the pictures before, and remembers the panel's
// own. A panel with other labels has other axes.
func (h *held) widen(i int, p *panel) {
	if h == nil {
		return
	}
	key := fmt.Sprint(i, p.log, p.xlabel, p.ylabel)
	if before, ok := h.panels[key]; ok {
		p.least = &before
	}
	if now, ok := p.bounds(); ok {
		if h.panels == nil {
			h.panels = map[string]bounds{}
		}
		h.panels[key] = now
	}
}
