package plots

import (
	"strings"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/result"
)

func TestLiveIsTheFigureUnderALine(t *testing.T) {
	fig := figure(2, 2, 5)
	plain, err := newSheet(fig, nil)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := withStatus(fig, "epoch 3 of 7 <soon>")
	if err != nil {
		t.Fatal(err)
	}
	without, err := SVG(fig)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(picture), "epoch 3 of 7 &lt;soon&gt;") || strings.Contains(string(without), "epoch") {
		t.Errorf("%.300s", picture)
	}
	// the line has a white background, which is one more path
	if a, b := strings.Count(string(picture), "<path"), strings.Count(string(without), "<path"); a != b+1 {
		t.Errorf("%d paths under a line, %d without it", a, b)
	}
	again, err := newSheet(fig, nil)
	if err != nil || again.height != plain.height {
		t.Errorf("the line changes the figure: height %v, was %v; error %v", again.height, plain.height, err)
	}
}

func TestLiveSaysAtTheEndWhatWasWrong(t *testing.T) {
	live := NewLive()
	if err := live.Done(); err != nil {
		t.Errorf("nothing shown: %v", err)
	}
	live.Show(figure(1, 1, 3), "")
	if err := live.Done(); err != nil {
		t.Error(err)
	}
	live.Show(result.Figure{ID: "empty"}, "")
	if err := live.Done(); err == nil || !strings.Contains(err.Error(), `figure "empty": no panels`) {
		t.Errorf("error %v", err)
	}
}
