package training

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/unhinged-lab/lab/unhinged/vision"
)

// TestOnTakesASetupWithRunsOfTheFigure checks that a figure is drawn from the runs that belong into it, even if another
// setup has more runs.
func TestOnTakesASetupWithRunsOfTheFigure(t *testing.T) {
	small, large := runs("ul", 50, 20, 20), concat(runs("ce", 50, 80, 81, 82), runs("pal", 50, 80, 81, 82))
	folder := t.TempDir()
	for i, o := range concat(small, large) {
		o.Settings.Dataset, o.Settings.Model = "cifar-10", "large"
		if i < len(small) {
			o.Settings.Model = "small"
			o.Diverged = &vision.Diverged{Step: 9}
		}
		path := filepath.Join(folder, strconv.Itoa(i))
		if err := errors.Join(os.Mkdir(path, 0o755), o.Write(path)); err != nil {
			t.Fatal(err)
		}
	}
	fig, err := On("cifar-10", "fig19", BlowUp)(folder)
	if err != nil || len(fig.Claims) == 0 {
		t.Errorf("%d claims, error %v", len(fig.Claims), err)
	}
}
