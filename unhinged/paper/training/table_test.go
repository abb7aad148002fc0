package training

import (
	"testing"

	"github.com/unhinged-lab/lab/unhinged/vision"
)

func TestAccuracyTable(t *testing.T) {
	at := func(dataset string, list []vision.Outcome) []vision.Outcome {
		for i := range list {
			list[i].Settings.Dataset, list[i].Settings.Model = dataset, "net"
		}
		return list
	}
	plain := runs("ul", 10, 10, 10)
	for i := range plain {
		plain[i].Diverged = &vision.Diverged{}
	}
	efr := withEFR(runs("pal-efr", 10, 64)[0], 5e-6)
	got := AccuracyTable(concat(
		at("cifar-10", runs("ce", 50, 60, 70, 80)), at("cifar-10", []vision.Outcome{efr}), at("cifar-10", plain),
		at("fashion-mnist", runs("ce", 50, 90, 91)), at("fashion-mnist", runs("pal", 50, 88)),
	))
	want := `|  | cifar-10, net, 2 epochs | the paper: cifar-10, ResNet-18, 200 epochs | fashion-mnist, net, 2 epochs |
|---:|---:|---:|---:|
| CE | 70.00 ± 10.00 (3) | 95.34 | 90.50 ± 0.71 (2) |
| UL (PAL) |  | 95.29 | 88.00 (1) |
| UL* (PAL + EFR), λ = 5e-06 | 64.00 (1) | 95.08 |  |
| UL (trainable prototypes) | diverged (2) |  |  |
`
	if got != want {
		t.Errorf("table\n%s\nshould be\n%s", got, want)
	}
}
