package datasets

import (
	"math"
	"slices"
	"testing"
)

func TestOnlyKnown(t *testing.T) {
	d := &Dataset{Name: "test", Classes: []string{"a", "b", "c", "d"}, Train: balancedImages(3, 4),
		Test: balancedImages(2, 4)}
	out, err := d.OnlyKnown("1,3")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out.Classes, []string{"b", "d"}) || !slices.Equal(out.Train.Labels, []uint8{0, 1, 0, 1, 0, 1}) ||
		!slices.Equal(out.Test.Labels, []uint8{0, 1, 0, 1}) || !slices.Equal(out.Unknown.Labels, []uint8{0, 2, 0, 2}) ||
		!slices.Equal(out.Train.Pixels, []uint8{0, 0, 1, 1, 2, 2}) {
		t.Errorf("known classes: %+v", out)
	}
	if d.Train.Len() != 12 || d.Known != "" {
		t.Error("the data set itself was changed")
	}
	if same, err := d.OnlyKnown(""); err != nil || same != d {
		t.Errorf("all classes: %v, %v", same, err)
	}
	for _, wrong := range []Known{"1", "3,1", "1,1", "0,4", "a,b", "1, 3", "-1,2", "1,3,"} {
		if _, err := d.OnlyKnown(wrong); err == nil {
			t.Errorf("known classes %q: no error", wrong)
		}
	}
	if KnownClasses(3, 1, 3) != "1,3" {
		t.Error(KnownClasses(3, 1, 3))
	}
}

func TestImbalancedDataset(t *testing.T) {
	d := &Dataset{Name: "test", Classes: []string{"a", "b", "c", "d"}, Train: balancedImages(100, 4),
		Test: balancedImages(2, 4)}
	for kind, want := range map[string][]int{LongTailed: {100, 46, 21, 10}, Step: {100, 100, 10, 10}} {
		imbalance := Imbalance{Kind: kind, Ratio: 10}
		out, err := d.Imbalanced(imbalance)
		if err != nil {
			t.Fatal(err)
		}
		if counts := out.Train.ClassCounts(4); !slices.Equal(counts, want) || out.Imbalance != imbalance ||
			out.Test.Len() != 8 {
			t.Errorf("%s: %v", kind, counts)
		}
	}
	for _, wrong := range []Imbalance{{Kind: "other", Ratio: 2}, {Kind: Step}, {Kind: Step, Ratio: 0.5},
		{Kind: LongTailed, Ratio: math.Inf(1)}, {Kind: LongTailed, Ratio: math.NaN()}, {Ratio: 3},
		{Kind: LongTailed, Ratio: 1000}} {
		if _, err := d.Imbalanced(wrong); err == nil {
			t.Errorf("%+v: no error", wrong)
		}
	}
}

// TestShifted checks three corruptions. Shuffled patches keep the pixels of an image and their rows of 8, blurring
// keeps a constant image and the sum of a bright pixel far from the border, and noise has the stated moments.
func TestShifted(t *testing.T) {
	im := Images{Height: 20, Width: 17, Channels: 3, Labels: []uint8{0, 1}}
	im.Pixels = make([]uint8, 2*im.Size())
	for i := range im.Pixels {
		im.Pixels[i] = uint8(i * 7)
	}
	shuffled := im.PatchShuffled(1)
	if slices.Equal(shuffled.Pixels, im.Pixels) {
		t.Error("no patch has moved")
	}
	for i := range 2 {
		a, b := slices.Clone(im.Pixels[i*im.Size():(i+1)*im.Size()]),
			slices.Clone(shuffled.Pixels[i*im.Size():(i+1)*im.Size()])
		if !slices.Equal(a[16*17*3:], b[16*17*3:]) {
			t.Error("rows that are in no patch have moved")
		}
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Error("pixels were lost")
		}
	}
	grey := Images{Height: 21, Width: 21, Channels: 1, Labels: []uint8{0}, Pixels: slices.Repeat([]uint8{77}, 21*21)}
	if blurred := grey.Blurred(); !slices.Equal(blurred.Pixels, grey.Pixels) {
		t.Error("a constant image is another when it is blurred")
	}
	point := Images{Height: 21, Width: 21, Channels: 1, Labels: []uint8{0}, Pixels: make([]uint8, 21*21)}
	point.Pixels[10*21+10] = 255
	blurred := point.Blurred().Pixels
	if want := 255 / (2 * math.Pi * blurSigma * blurSigma); math.Abs(float64(blurred[10*21+10])-want) > 1 ||
		blurred[10*21+12] != blurred[12*21+10] || blurred[10*21+12] != blurred[10*21+8] {
		t.Errorf("a point of 255 is %d at its place, want %.1f", blurred[10*21+10], want)
	}
	for name, noise := range map[string]struct {
		images Images
		sd     float64
	}{"uniform": {im.UniformNoise(100, 1), 73.9}, "Gaussian": {im.GaussianNoise(100, 1), 107}} {
		norm := noise.images.Normalisation()
		if noise.images.Len() != 100 || math.Abs(255*norm.Mean[0]-127.5) > 2 || math.Abs(255*norm.Std[0]-noise.sd) > 3 {
			t.Errorf("%s noise has mean %.1f and standard deviation %.1f", name, 255*norm.Mean[0], 255*norm.Std[0])
		}
	}
}
