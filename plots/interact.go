package plots

import (
	"encoding/json"
	"fmt"
	"html"
	"math"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/dom"
	"github.com/janpfeifer/gonb/gonbui/widgets"
)

// Slider is one number that the reader of a notebook can move.
type Slider struct {
	Name     string  // label, such as "γ"
	Min, Max float64 // range of values
	Value    float64 // initial value, which is also drawn without a browser
	Log      bool    // moves by equal factors; Min must then be positive
	Steps    int     // number of steps from Min to Max; 0 means 200
	// Format writes the value, such as "%.0f"; empty means four significant digits.
	Format string
}

func (s Slider) check() error {
	switch {
	case !finite(s.Min) || !finite(s.Max) || s.Min >= s.Max:
		return fmt.Errorf("plots: slider %q from %g to %g: Min must be less than Max", s.Name, s.Min, s.Max)
	case s.Log && s.Min <= 0:
		return fmt.Errorf("plots: slider %q from %g: a logarithmic slider must begin above 0", s.Name, s.Min)
	case !(s.Value >= s.Min && s.Value <= s.Max):
		return fmt.Errorf("plots: slider %q stands at %g: it must be between %g and %g", s.Name, s.Value, s.Min, s.Max)
	case s.Steps < 0:
		return fmt.Errorf("plots: slider %q has %d steps: there must be at least one", s.Name, s.Steps)
	}
	return nil
}

func (s Slider) steps() int {
	if s.Steps == 0 {
		return 200
	}
	return s.Steps
}

// at returns the value at a position, 0 to steps.
func (s Slider) at(position int) float64 {
	f := min(1, max(0, float64(position)/float64(s.steps())))
	if s.Log {
		return s.Min * math.Pow(s.Max/s.Min, f)
	}
	return s.Min + f*(s.Max-s.Min)
}

// position returns the position nearest to a value.
func (s Slider) position(value float64) int {
	f := (value - s.Min) / (s.Max - s.Min)
	if s.Log {
		f = math.Log(value/s.Min) / math.Log(s.Max/s.Min)
	}
	return int(math.Round(f * float64(s.steps())))
}

func (s Slider) label(value float64) string {
	if s.Format != "" {
		return fmt.Sprintf(s.Format, value)
	}
	return strconv.FormatFloat(value, 'g', 4, 64)
}

// Interactive reports whether a browser is attached, in which a slider can be moved. Under nbclient, under nbconvert
// and outside of notebooks there is none, and a widget would wait forever.
func Interactive() bool { return gonbui.IsNotebook && os.Getenv("GONB_JUPYTER_KERNEL_ID") != "" }

// Interact draws a picture that depends on sliders. In a browser it redraws at every move, always for the latest
// values, until the reader presses Stop or interrupts the kernel, and leaves the last picture as the cell's output. An
// error of draw is shown in place of the picture until a later move draws a new one. Without a browser it draws once,
// for the initial values of the sliders. If there is no picture at the end, the error is returned.
func Interact(sliders []Slider, draw func(values []float64) (svg []byte, err error)) error {
	values := make([]float64, len(sliders))
	for i, s := range sliders {
		if err := s.check(); err != nil {
			return err
		}
		values[i] = s.Value
	}
	if !Interactive() {
		picture, err := safely(draw, values)
		if err != nil {
			return err
		}
		ShowSVG(picture)
		return nil
	}
	return newControls(sliders, values).run(draw)
}

// controls is the part of a cell's output with the sliders, the Stop button and the picture. Its element ids begin with
// "slider-", "value-", "stop-", "time-" and "picture-".
type controls struct {
	id      string
	sliders []Slider

	mu      sync.Mutex
	values  []float64
	changed chan struct{} // holds one token while there is a value not drawn yet
	stopped chan struct{}
}

func newControls(sliders []Slider, values []float64) *controls {
	return &controls{id: gonbui.UniqueId(), sliders: sliders, values: values, changed: make(chan struct{}, 1),
		stopped: make(chan struct{})}
}

func (c *controls) element(kind string, i int) string { return fmt.Sprintf("%s-%s-%d", kind, c.id, i) }

func (c *controls) run(draw func([]float64) ([]byte, error)) error {
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt)
	defer signal.Stop(interrupt)

	ready := make(chan struct{})
	go func() { // the widgets wait for the browser; an interrupt must work meanwhile
		c.build()
		close(ready)
	}()
	var picture []byte // the last one without an error
	var err error
	redraw := func() {
		var drawn []byte
		if drawn, err = c.redraw(draw); err == nil {
			picture = drawn
		}
	}
	for running := true; running; {
		select {
		case <-ready:
			ready = nil
			redraw()
		case <-c.changed:
			redraw()
		case <-c.stopped:
			running = false
		case <-interrupt:
			running = false
		}
	}
	gonbui.UpdateHTML(c.id, "")
	if picture == nil {
		gonbui.Sync()
		return err
	}
	ShowSVG(picture)
	return nil
}

// build adds the widgets to the cell's output and listens to them.
func (c *controls) build() {
	var b strings.Builder
	root := c.element("controls", 0)
	fmt.Fprintf(&b, `<div id="%s"><style>#%[1]s input { width: 22em; max-width: 60vw }</style>`, root)
	for i, s := range c.sliders {
		fmt.Fprintf(&b, `<div style="display:flex;align-items:center;gap:.6em">`+
			`<span style="min-width:4em;text-align:right">%s</span>`+
			`<span id="%s"></span><output id="%s">%s</output></div>`,
			html.EscapeString(s.Name), c.element("place", i), c.element("value", i),
			html.EscapeString(s.label(s.Value)))
	}
	fmt.Fprintf(&b, `<div><span id="%s"></span> <span id="%s" style="opacity:.7"></span></div>`+
		`<div id="%s" style="overflow-x:auto"></div></div>`,
		c.element("place", len(c.sliders)), c.element("time", 0), c.element("picture", 0))
	gonbui.UpdateHTML(c.id, b.String())

	for i, s := range c.sliders {
		moves := widgets.Slider(0, s.steps(), s.position(s.Value)).
			WithHtmlId(c.element("slider", i)).AppendTo(c.element("place", i)).Done().Listen().LatestOnly()
		go func() {
			for position := range moves.C {
				c.move(i, s.at(position))
			}
		}()
	}
	presses := widgets.Button("Stop").WithHtmlId(c.element("stop", 0)).AppendTo(c.element("place",
		len(c.sliders))).Done().Listen()
	go func() {
		<-presses.C
		close(c.stopped)
	}()
}

// move stores a slider's new value. If several values come while a picture is being drawn, one redraw follows.
func (c *controls) move(i int, value float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.values[i] == value {
		return
	}
	c.values[i] = value
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

func (c *controls) latest() []float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.values)
}

func (c *controls) redraw(draw func([]float64) ([]byte, error)) ([]byte, error) {
	values := c.latest()
	begin := time.Now()
	picture, err := safely(draw, slices.Clone(values))
	content := map[string]string{c.element("time", 0): fmt.Sprintf("%.1f ms",
		float64(time.Since(begin).Microseconds())/1000)}
	content[c.element("picture", 0)] = string(picture)
	if err != nil {
		content[c.element("picture", 0)] = `<pre style="color:#b02020">` + html.EscapeString(err.Error()) + `</pre>`
	}
	for i, s := range c.sliders {
		content[c.element("value", i)] = html.EscapeString(s.label(values[i]))
	}
	literal, jsonErr := json.Marshal(content) // also escapes <, > and &, so that no text ends the script
	if jsonErr != nil {
		return nil, jsonErr
	}
	dom.TransientJavascript(fmt.Sprintf(`for (const [id, html] of Object.entries(%s)) {`+
		` document.getElementById(id).innerHTML = html }`, literal))
	return picture, err
}

// safely turns a panic of draw (gomlx panics in graphs, must.M1 everywhere) into an error.
func safely(draw func([]float64) ([]byte, error), values []float64) (picture []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			picture, err = nil, fmt.Errorf("%v", r)
		}
	}()
	return draw(values)
}
