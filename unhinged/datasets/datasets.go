// Package datasets opens the labelled image sets that networks are trained on — MNIST, Fashion-MNIST, CIFAR-10 and
// -100, SVHN, and folders of images — as published, from whichever source brought them to this machine, with every file
// checked against its known checksum; it draws imbalanced subsets of them, and prepares batches ahead of a training:
//
//	data, err := datasets.Open("cifar-10") // after `unhinged data get cifar-10`, or datasets.Get
//	…
//	train, err := data.Train.LongTailed(10, 100, seed) // or data.Train as it is
//	…
//	batches := datasets.Batches{Images: train, Size: 256, Seed: seed, Normalisation: train.Normalisation(),
//		Augmentation: datasets.Augmentation{Shift: 4, Flip: true}}
//	for batch := range batches.From(0, 0) {
//
// What is damaged, incomplete or not as published is an error. Where two processes want the same data set, one
// downloads or decodes it while the other waits.
package datasets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
)

// Dataset is a training set and a test set of labelled images of equal size.
type Dataset struct {
	Name    string
	Classes []string // name of each class, by label
	Folder  string   // where it was read from
	Train   Images
	Test    Images

	Imbalance Imbalance // of Train, if Train is an imbalanced subset
	Known     Known     // which of the published classes Train and Test have, if not all
	Unknown   Images    // test images of all other classes

	content *contentSum // nil if the data set was not opened from files; Content then computes its checksum each time
}

// Images are labelled images, grey (one channel) or in colour (red, green, blue).
type Images struct {
	Height, Width, Channels int
	Pixels                  []uint8 // [n·Height·Width·Channels], image by image, row by row, channels last; 0 is black
	Labels                  []uint8 // [n], from 0
}

// Size is the number of values of one image, Height·Width·Channels.
func (im Images) Size() int { return im.Height * im.Width * im.Channels }

// Len is the number of images.
func (im Images) Len() int { return len(im.Labels) }

// IntLabels returns the labels as numbers of type int, [n].
func (im Images) IntLabels() []int {
	labels := make([]int, im.Len())
	for i, label := range im.Labels {
		labels[i] = int(label)
	}
	return labels
}

// Evenly returns n images that are drawn from all classes as evenly as these have images: the first ones of each class,
// in their order. It is an error if there are fewer than n images, or if n is less than the number of classes.
func (im Images) Evenly(n, classes int) (Images, error) {
	take, err := im.evenly(n, classes)
	if err != nil {
		return Images{}, err
	}
	var indices []int
	for i, label := range im.Labels {
		if take[label] > 0 {
			take[label]--
			indices = append(indices, i)
		}
	}
	return im.pick(indices), nil
}

// evenly returns the number of images of each class among n images that Evenly draws.
func (im Images) evenly(n, classes int) ([]int, error) {
	if n < classes || n > im.Len() {
		return nil,
			fmt.Errorf("%d images; there must be at least one of each of the %d classes, and no more than "+
				"there are, %d",
				n, classes, im.Len())
	}
	left, take := im.ClassCounts(classes), make([]int, classes)
	for drawn := 0; drawn < n; {
		for c := range take {
			if drawn < n && left[c] > 0 {
				take[c]++
				left[c]--
				drawn++
			}
		}
	}
	return take, nil
}

// Sample returns n images that represent all: the first n images if each class is among them, and otherwise (for
// example in a set that is sorted by class) the n images that Evenly draws. If n is less than the number of classes, it
// returns the first n images.
func (im Images) Sample(n, classes int) Images {
	first := im.First(n)
	if n < classes || n >= im.Len() || !slices.Contains(first.ClassCounts(classes), 0) {
		return first
	}
	even, err := im.Evenly(n, classes)
	if err != nil { // n is neither too small nor too large
		return first
	}
	return even
}

// HoldOut divides the images into two parts: n of them, drawn by seed from all classes in the numbers of Evenly, and
// the rest. Both parts keep their order.
func (im Images) HoldOut(n, classes int, seed uint64) (rest, held Images, err error) {
	take, err := im.evenly(n, classes)
	if err != nil {
		return Images{}, Images{}, err
	}
	var out, in []int
	for _, i := range rand.New(rand.NewPCG(seed, holdOutStream)).Perm(im.Len()) {
		if take[im.Labels[i]] > 0 {
			take[im.Labels[i]]--
			out = append(out, i)
		} else {
			in = append(in, i)
		}
	}
	slices.Sort(out)
	slices.Sort(in)
	return im.pick(in), im.pick(out), nil
}

// holdOutStream makes the random numbers of HoldOut independent of those of the order and the augmentation of the
// images.
const holdOutStream = 0x517c_c1b7_2722_0a95

// pick returns copies of the images of these indices, in this order.
func (im Images) pick(indices []int) Images {
	out, size := im, im.Size()
	out.Pixels, out.Labels = make([]uint8, 0, len(indices)*size), make([]uint8, 0, len(indices))
	for _, i := range indices {
		out.Pixels, out.Labels = append(out.Pixels, im.Pixels[i*size:(i+1)*size]...), append(out.Labels, im.Labels[i])
	}
	return out
}

// First returns the first n images, or all if there are fewer. The pixels are shared, not copied.
func (im Images) First(n int) Images {
	n = min(n, im.Len())
	im.Pixels, im.Labels = im.Pixels[:n*im.Size()], im.Labels[:n]
	return im
}

// ErrMissing is the error of a data set that is in none of the folders searched. Errors that wrap it say which folders
// those were and how to get the data set.
var ErrMissing = errors.New("this data set is not on this machine")

// Open reads the named data set ("mnist", "fashion-mnist", "cifar-10", "cifar-100", "svhn") from the first folder that
// has it. Every file's checksum is verified when it is decoded. CIFAR and SVHN are decoded once, into a file under
// Root(), which is mapped into memory from then on as long as the files it came from are unchanged; where no file can
// be written, they are decoded each time. A data set that is in no folder gives an error that wraps ErrMissing; a
// folder that has some of its files but not all gives another, unless Get is not done with it: then it is passed over.
func Open(name string, progress ...Progress) (*Dataset, error) {
	s, err := sourceNamed(name)
	if err != nil {
		return nil, err
	}
	folder, f, err := s.find()
	if err != nil {
		return nil, err
	}
	decode := func() (*Dataset, error) { return s.decode(folder, f, progress...) }
	if !s.cached {
		return decode()
	}
	return openCached(cachePath(s.name), f.fingerprint(folder), decode)
}

// OpenFolder reads a data set of the user's own: a folder with the four IDX files of MNIST's names
// (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte), plain or with
// .gz. Classes are named by their number, and there are no checksums to check.
func OpenFolder(folder string, progress ...Progress) (*Dataset, error) {
	s := source{name: filepath.Base(folder)}
	return s.decode(folder, idxForm([4]string{}), progress...)
}

// Verify reads every file of the named data set anew and checks its checksum, the number of images in all and in each
// class, and the channels' statistics, as far as they are known, and whether what was decoded earlier is the same.
func Verify(name string, progress ...Progress) (*Dataset, error) {
	s, err := sourceNamed(name)
	if err != nil {
		return nil, err
	}
	folder, f, err := s.find()
	if err != nil {
		return nil, err
	}
	d, err := s.decode(folder, f, progress...)
	if err != nil || !s.cached {
		return d, err
	}
	kept, err := openCached(cachePath(s.name), f.fingerprint(folder), func() (*Dataset, error) { return d, nil })
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(kept.Train.Pixels, d.Train.Pixels) || !bytes.Equal(kept.Train.Labels, d.Train.Labels) ||
		!bytes.Equal(kept.Test.Pixels, d.Test.Pixels) || !bytes.Equal(kept.Test.Labels, d.Test.Labels) {
		return nil, fmt.Errorf("%s does not hold the images that are in %s: remove it", cachePath(s.name), folder)
	}
	return d, nil
}

// decode reads one form of the data set and checks what is known of its content.
func (s source) decode(folder string, f form, progress ...Progress) (*Dataset, error) {
	d := &Dataset{Name: s.name, Classes: s.classes, Folder: folder, content: new(contentSum)}
	counter := newCounter(progress, s.name, f.size(folder))
	defer counter.end()
	err := s.read(d, f, counter)
	if err != nil && s.files != nil {
		return nil, fmt.Errorf("%w. %s", err, s.remedy(folder))
	}
	if err != nil { // Get does not know it
		return nil, err
	}
	return d, nil
}

func (s source) read(d *Dataset, f form, progress io.Writer) (err error) {
	if d.Train, d.Test, err = f.read(d.Folder, progress); err != nil {
		return err
	}
	if d.Train.Height != d.Test.Height || d.Train.Width != d.Test.Width {
		return fmt.Errorf("%s: training images are %d×%d and test images %d×%d; they must agree",
			d.Folder, d.Train.Height, d.Train.Width, d.Test.Height, d.Test.Width)
	}
	if len(d.Classes) == 0 {
		for c := range int(slices.Max(d.Train.Labels)) + 1 {
			d.Classes = append(d.Classes, fmt.Sprint(c))
		}
	}
	if err := s.check(d); err != nil {
		return fmt.Errorf("%s: %w", d.Folder, err)
	}
	return nil
}
