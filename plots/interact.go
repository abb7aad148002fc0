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
	"unicode/utf8"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/comms"
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

	names []string // of the values 0, 1, …
}

// Choice is a slider between things, whose names it shows. Its values are their numbers, from 0.
func Choice(name string, names []string, value int) Slider {
	last := len(names) - 1
	return Slider{Name: name, Max: float64(last), Value: float64(value), Steps: max(1, last), names: names}
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
	if s.names != nil {
		return s.names[int(math.Round(value))]
	}
	if s.Format != "" {
		return fmt.Sprintf(s.Format, value)
	}
	return strconv.FormatFloat(value, 'g', 4, 64)
}

// Interactive reports whether a browser is attached, in which a slider can be moved. Under nbclient, under nbconvert
// and outside of notebooks there is none, and a widget would wait forever.
func Interactive() bool { return gonbui.IsNotebook && os.Getenv("GONB_JUPYTER_KERNEL_ID") != "" }

// Interact draws a picture that depends on sliders: first for their initial values, before there are any sliders. In a
// browser it then redraws at every move, always for the latest values, until the reader presses Stop or interrupts the
// kernel, and leaves the last picture as the cell's output. The axes of figures and planes hold still: an axis grows
// if a curve leaves it, and never shrinks until the reader presses "Fit axes". The cell also ends, and says why, if the
// page does not answer within answerWithin, or does not answer any more: it was reloaded or closed, or another notebook
// in the page has taken the connection over. An error of draw is shown in place of the picture until a later move draws
// a new one. Without a browser it draws once. If there is no picture at the end, the error is returned.
func Interact[P Picture](sliders []Slider, draw func(values []float64) (P, error)) error {
	values := make([]float64, len(sliders))
	for i, s := range sliders {
		if err := s.check(); err != nil {
			return err
		}
		values[i] = s.Value
	}
	hold := &held{}
	svg := func(values []float64) ([]byte, error) {
		picture, err := draw(values)
		if err != nil {
			return nil, err
		}
		return hold.svg(picture)
	}
	picture, err := safely(svg, slices.Clone(values))
	if !Interactive() {
		if err == nil {
			ShowSVG(picture)
		}
		return err
	}
	c := newControls(sliders, values)
	if _, drawn := any(*new(P)).([]byte); !drawn {
		c.fit = func() { *hold = held{} }
	}
	return c.run(svg, picture, err)
}

// The page tells every second that it is there. Browsers let hidden pages do so once a minute only.
const (
	answerWithin = 10 * time.Second // before the first answer
	visiblePause = 15 * time.Second // between two answers of a page that can be seen
	hiddenPause  = 150 * time.Second
)

// What a page tells.
const (
	pageGone = iota
	pageVisible
	pageHidden
)

// controls is the part of a cell's output with the sliders, the buttons and the picture. Its element ids begin with
// "slider-", "value-", "fit-", "stop-", "time-" and "picture-".
type controls struct {
	id      string
	sliders []Slider
	fit     func() // forgets the axes of the pictures before; nil if a picture has no axes that are held

	mu      sync.Mutex
	values  []float64
	changed chan struct{} // holds one token while there is a value not drawn yet
	fitted  chan struct{} // one token for each press of "Fit axes"
	stopped chan struct{}
}

func newControls(sliders []Slider, values []float64) *controls {
	return &controls{id: gonbui.UniqueId(), sliders: sliders, values: values, changed: make(chan struct{}, 1),
		fitted: make(chan struct{}, 1), stopped: make(chan struct{})}
}

func (c *controls) element(kind string, i int) string { return fmt.Sprintf("%s-%s-%d", kind, c.id, i) }

// run shows the first picture, if it was drawn without the error, and then the sliders.
func (c *controls) run(draw func([]float64) ([]byte, error), picture []byte, err error) error {
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt)
	defer signal.Stop(interrupt)

	first := c.element("first", 0)
	gonbui.UpdateHTML(first, string(picture))
	answers := make(chan int, 64)
	ready := make(chan struct{})
	go func() { // the widgets wait for the browser; an interrupt must work meanwhile
		c.build()
		c.listen(answers)
		close(ready)
	}()
	redraw := func() {
		var drawn []byte
		if drawn, err = c.redraw(draw); err == nil {
			picture = drawn
		}
	}
	left := "" // the reason if the cell ends by itself
	silence := time.NewTimer(answerWithin)
	for running := true; running; {
		select {
		case <-ready:
			ready = nil
			gonbui.UpdateHTML(first, "")
			redraw()
		case <-c.changed:
			redraw()
		case <-c.fitted:
			c.fit()
			redraw()
		case page := <-answers:
			switch page {
			case pageGone:
				running, left = false, "The page with the sliders was closed or reloaded. Run the cell again to move "+
					"them."
			case pageVisible:
				silence.Reset(visiblePause)
			case pageHidden:
				silence.Reset(hiddenPause)
			}
		case <-silence.C:
			running, left = false, noAnswer(ready == nil)
		case <-c.stopped:
			running = false
		case <-interrupt:
			running = false
		}
	}
	gonbui.UpdateHTML(first, "")
	gonbui.UpdateHTML(c.id, html.EscapeString(left))
	if picture == nil {
		gonbui.Sync()
		return err
	}
	ShowSVG(picture)
	return nil
}

// noAnswer returns what the cell says if the page does not answer, with sliders or before they are shown.
func noAnswer(sliders bool) string {
	if !sliders {
		return fmt.Sprintf("The page did not answer within %v, so that there are no sliders. Run the cell again, or "+
			"reload the page first.", answerWithin)
	}
	return "The page does not answer any more: it was closed or reloaded, or another notebook in it has sliders too, " +
		"which only one can have. Run the cell again to move these."
}

// listen makes the page report every second that it still has the sliders, and passes its reports on.
func (c *controls) listen(answers chan<- int) {
	address := "/alive/" + c.id
	comms.Subscribe(address, func(_ string, page int) {
		select {
		case answers <- page:
		default: // there are enough that were not heard yet
		}
	})
	dom.TransientJavascript(fmt.Sprintf(`(() => {
	const tell = () => {
		const there = document.getElementById(%q);
		globalThis.gonb_comm?.send(%q, there ? (document.hidden ? %d : %d) : %d);
		if (!there) stop();
	};
	const gone = () => globalThis.gonb_comm?.send(%[2]q, %[5]d);
	const timer = setInterval(tell, 1000);
	const stop = () => { clearInterval(timer); document.removeEventListener("visibilitychange",
		tell); removeEventListener("pagehide", gone); };
	document.addEventListener("visibilitychange", tell);
	addEventListener("pagehide", gone);
	tell();
})()`, c.element("controls", 0), address, pageHidden, pageVisible, pageGone))
}

// build adds the widgets to the cell's output and listens to them.
func (c *controls) build() {
	var b strings.Builder
	root := c.element("controls", 0)
	fmt.Fprintf(&b, `<div id="%s"><style>#%[1]s input { width: 22em; max-width: 60vw }</style>`, root)
	longest := 0 // label, in characters
	for _, s := range c.sliders {
		longest = max(longest, utf8.RuneCountInString(s.Name))
	}
	for i, s := range c.sliders {
		fmt.Fprintf(&b, `<div style="display:flex;align-items:center;gap:.6em">`+
			`<span style="min-width:%dch;text-align:right">%s</span>`+
			`<span id="%s"></span><output id="%s">%s</output></div>`,
			longest+1, html.EscapeString(s.Name), c.element("place", i), c.element("value", i),
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
	if c.fit != nil {
		presses := c.button("Fit axes", "fit")
		go func() {
			for range presses.C {
				c.fitted <- struct{}{}
			}
		}()
	}
	presses := c.button("Stop", "stop")
	go func() {
		<-presses.C
		close(c.stopped)
	}()
}

// button adds a button below the sliders.
func (c *controls) button(label, kind string) *comms.AddressChan[int] {
	return widgets.Button(label).WithHtmlId(c.element(kind, 0)).AppendTo(c.element("place",
		len(c.sliders))).Done().Listen()
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
