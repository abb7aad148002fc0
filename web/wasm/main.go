//go:build js && wasm

// Command wasm is the explorer's theory for a browser. It defines two functions of the page:
//
//	unhingedScenes() → scenes with their sliders
//	unhingedDraw(scene, settings, told) → a picture, or {error: text}
//
// Both speak in plain objects; series are Float64Array. If the settings ask for a brute-force iteration, it runs after
// unhingedDraw has returned, in pieces between which the page can do other things. Now and then, and at the end, it
// calls told(share that is done, panels). The next unhingedDraw stops it.
package main

import (
	"encoding/binary"
	"math"
	"syscall/js"
	"time"

	"github.com/unhinged-lab/lab/web/explorer"
)

func main() {
	js.Global().Set("unhingedScenes", js.FuncOf(func(js.Value, []js.Value) any { return scenes() }))
	js.Global().Set("unhingedDraw", js.FuncOf(func(_ js.Value, args []js.Value) any {
		settings := explorer.Settings{}
		drawn++
		keys := js.Global().Get("Object").Call("keys", args[1])
		for i := range keys.Length() {
			key := keys.Index(i).String()
			settings[key] = args[1].Get(key).Float()
		}
		picture, err := explorer.Draw(args[0].String(), settings)
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		if picture.Iterate != nil {
			go iterate(picture, drawn, args[2])
		}
		return map[string]any{"answer": picture.Answer, "panels": panels(picture), "cosines": numbers(picture.Cosines),
			"iterates": picture.Iterate != nil}
	}))
	js.Global().Call("unhingedReady")
	select {} // the functions stay
}

// drawn is how many pictures the page has asked for.
var drawn int

// An iteration works for at most about workTime before the page has its turn, and tells its state every tellTime.
const workTime, tellTime = 10 * time.Millisecond, 250 * time.Millisecond

// iterate runs the iteration of the picture with the number id, until the page asks for another picture.
func iterate(picture *explorer.Picture, id int, told js.Value) {
	time.Sleep(tellTime / 5) // while a slider moves, most iterations never begin
	worked, said := time.Now(), time.Now()
	stopped := id != drawn || !picture.Iterate(func(done float64) bool {
		if time.Since(worked) < workTime {
			return true
		}
		time.Sleep(time.Millisecond)
		if id != drawn {
			return false
		}
		worked = time.Now()
		if worked.Sub(said) > tellTime {
			said = worked
			told.Invoke(done, panels(picture))
		}
		return true
	})
	if !stopped {
		told.Invoke(1, panels(picture))
	}
}

func scenes() any {
	var list []any
	for _, s := range explorer.Scenes() {
		var sliders []any
		for _, slider := range s.Sliders {
			var choices []any
			for _, choice := range slider.Choices {
				choices = append(choices, choice)
			}
			sliders = append(sliders, map[string]any{"name": slider.Name, "label": slider.Label, "min": slider.Min,
				"max": slider.Max, "step": slider.Step, "default": slider.Default, "power": slider.Power,
				"choices": choices})
		}
		list = append(list, map[string]any{"id": s.ID, "title": s.Title, "text": s.Text, "sliders": sliders})
	}
	return list
}

func panels(picture *explorer.Picture) []any {
	var list []any
	for _, panel := range picture.Panels {
		var curves []any
		for _, curve := range panel.Curves {
			curves = append(curves, map[string]any{"name": curve.Name, "points": curve.Points,
				"values": numbers(curve.Values)})
		}
		list = append(list, map[string]any{"title": panel.Title, "x": panel.X, "y": panel.Y, "from": panel.From,
			"to": panel.To, "at": numbers(panel.At), "curves": curves})
	}
	return list
}

// numbers copies values into a Float64Array.
func numbers(values []float64) js.Value {
	content := make([]byte, 0, 8*len(values))
	for _, v := range values {
		content = binary.LittleEndian.AppendUint64(content, math.Float64bits(v))
	}
	bytes := js.Global().Get("Uint8Array").New(len(content))
	js.CopyBytesToJS(bytes, content)
	return js.Global().Get("Float64Array").New(bytes.Get("buffer"))
}
