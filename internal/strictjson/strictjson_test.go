package strictjson

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

type settings struct {
	Epochs int
	Names  []string
	Inner  struct{ Rate float64 }
}

func TestUnmarshal(t *testing.T) {
	for _, c := range []struct{ content, wrong string }{
		{`{"epochs": 3, "names": ["a", "epochs", "a"], "inner": {"rate": 2}}`, ""},
		{`{"inner": {}, "names": []}`, ""},
		{"{\"epochs\": 3,\n\"epochs\": 4}", `line 2: the key "epochs" is there twice`},
		{`{"epochs": 3, "Epochs": 4}`, `the key "Epochs" is there twice`},
		{`{"inner": {"rate": 1, "rate": 1}}`, `the key "rate" is there twice`},
		{`{"names": [{"x": {}, "x": []}]}`, `the key "x" is there twice`},
		{"{\n\"other\": 3}", `line 2: unknown key "other"`},
		{"{\n\"epochs\": \"3\"}", `line 2: "Epochs" is a string`},
		{`{"epochs": 3} {}`, "there is more after the end"},
		{`{"epochs": 3}}`, "there is more after the end"},
		{`{"epochs": 3`, "ends too early"},
		{"{\n\"epochs\": }", "line 2"},
		{``, "ends too early"},
	} {
		var s settings
		err := Unmarshal([]byte(c.content), &s)
		switch {
		case c.wrong == "" && err != nil:
			t.Errorf("%s: %v", c.content, err)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%s: got %v, want %q", c.content, err, c.wrong)
		}
	}
}

// Accepted input gives the same value as encoding/json.
func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"epochs": 3, "names": ["a"], "inner": {"rate": 2e3}}`))
	f.Add([]byte(`[{"a": [1, {"b": null}]}, "x", true]`))
	f.Fuzz(func(t *testing.T, content []byte) {
		var own, theirs settings
		if Unmarshal(content, &own) != nil {
			return
		}
		if err := json.Unmarshal(content, &theirs); err != nil || !reflect.DeepEqual(own, theirs) {
			t.Errorf("%q: %v is not %v (%v)", content, own, theirs, err)
		}
	})
}
