//go:build js && wasm

// Command wasm is the explorer's theory for a browser. It defines two functions of the page:
//
//	unhingedScenes() → scenes with their sliders
//	unhingedDraw(scene, settings) → a picture, or {error: text}
//
// Both speak in plain objects; series are Float64Array.
package main

import (
	"encoding/binary"
	"math"
	"syscall/js"

	"github.com/unhinged-lab/lab/web/explorer"
)

func main() {
	js.Global().Set("unhingedScenes", js.FuncOf(func(js.Value, []js.Value) any { return scenes() }))
	js.Global().Set("unhingedDraw", js.FuncOf(func(_ js.Value, args []js.Value) any {
		settings := explorer.Settings{}
		keys := js.Global().Get("Object").Call("keys", args[1])
		for i := range keys.Length() {
			key := keys.Index(i).String()
			settings[key] = args[1].Get(key).Float()
		}
		picture, err := explorer.Draw(args[0].String(), settings)
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		return object(picture)
	}))
	js.Global().Call("unhingedReady")
	select {} // the functions stay
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

func object(picture *explorer.Picture) map[string]any {
	var panels []any
	for _, panel := range picture.Panels {
		var curves []any
		for _, curve := range panel.Curves {
			curves = append(curves, map[string]any{"name": curve.Name, "points": curve.Points,
				"values": numbers(curve.Values)})
		}
		panels = append(panels, map[string]any{"title": panel.Title, "x": panel.X, "y": panel.Y,
			"at": numbers(panel.At), "curves": curves})
	}
	return map[string]any{"answer": picture.Answer, "panels": panels, "cosines": numbers(picture.Cosines)}
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
