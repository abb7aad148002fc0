// Package datasets opens the labelled image sets that networks are trained on: MNIST and Fashion-MNIST, as published
// (IDX files), from whichever source brought them to this machine, with every file checked against its known checksum.
package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Dataset is a training set and a test set of labelled images of equal size.
type Dataset struct {
	Name    string
	Classes []string // name of each class, by label
	Folder  string   // where it was read from
	Train   Images
	Test    Images
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

// First returns the first n images, or all if there are fewer. The pixels are shared, not copied.
func (im Images) First(n int) Images {
	n = min(n, im.Len())
	im.Pixels, im.Labels = im.Pixels[:n*im.Size()], im.Labels[:n]
	return im
}

// ErrMissing is the error of a data set that is in none of the folders searched. Errors that wrap it say which folders
// those were and how to get the data set.
var ErrMissing = errors.New("this data set is not on this machine")

// Open reads the named data set ("mnist", "fashion-mnist") from the first folder that has it, and checks every file's
// SHA-256. A data set that is in no folder gives an error that wraps ErrMissing.
func Open(name string) (*Dataset, error) {
	s, err := sourceNamed(name)
	if err != nil {
		return nil, err
	}
	folder := s.find()
	if folder == "" {
		return nil, fmt.Errorf("%s: %w (searched: %s). Get it with `%s`",
			name, ErrMissing, strings.Join(s.searched(), ", "), strings.Join(s.howToGet(), "` or with `"))
	}
	return open(folder, s)
}

// OpenFolder reads a data set of the user's own: a folder with the four IDX files of MNIST's names (train-images-idx3-ubyte,
// train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte), plain or with .gz. Classes are named by
// their number, and there are no checksums to check.
func OpenFolder(folder string) (*Dataset, error) {
	s := source{name: filepath.Base(folder)}
	for i, name := range fileNames {
		s.files[i].name = name
	}
	return open(folder, s)
}

// Verify checks the SHA-256 of every file of the named data set and returns the folder they lie in.
func Verify(name string) (folder string, err error) {
	data, err := Open(name)
	if err != nil {
		return "", err
	}
	return data.Folder, nil
}

func open(folder string, s source) (*Dataset, error) {
	d := &Dataset{Name: s.name, Classes: s.classes, Folder: folder}
	var err error
	if d.Train, err = readImages(folder, s.files[0], s.files[1]); err != nil {
		return nil, err
	}
	if d.Test, err = readImages(folder, s.files[2], s.files[3]); err != nil {
		return nil, err
	}
	if d.Train.Height != d.Test.Height || d.Train.Width != d.Test.Width {
		return nil, fmt.Errorf("%s: training images are %d×%d and test images %d×%d; they must agree",
			folder, d.Train.Height, d.Train.Width, d.Test.Height, d.Test.Width)
	}
	if len(d.Classes) == 0 {
		highest := uint8(0)
		for _, label := range d.Train.Labels {
			highest = max(highest, label)
		}
		for c := range int(highest) + 1 {
			d.Classes = append(d.Classes, fmt.Sprint(c))
		}
	}
	for _, part := range []struct {
		name   string
		labels []uint8
	}{{"training", d.Train.Labels}, {"test", d.Test.Labels}} {
		for i, label := range part.labels {
			if int(label) >= len(d.Classes) {
				return nil, fmt.Errorf("%s: %s image %d has label %d; labels go from 0 to %d", folder, part.name, i, label, len(d.Classes)-1)
			}
		}
	}
	return d, nil
}

func readImages(folder string, images, labels file) (Images, error) {
	sizes, pixels, err := read(folder, images, 3)
	if err != nil {
		return Images{}, err
	}
	_, classes, err := read(folder, labels, 1)
	if err != nil {
		return Images{}, err
	}
	if sizes[0] != len(classes) {
		return Images{}, fmt.Errorf("%s: %s has %d images and %s has %d labels; they must agree", folder, images.name, sizes[0], labels.name, len(classes))
	}
	if len(pixels) == 0 {
		return Images{}, fmt.Errorf("%s: %s has no pixels (sizes %v)", folder, images.name, sizes)
	}
	return Images{Height: sizes[1], Width: sizes[2], Channels: 1, Pixels: pixels, Labels: classes}, nil
}

// read reads one file and, where its SHA-256 is known, checks that of the IDX content.
func read(folder string, f file, dimensions int) (sizes []int, values []uint8, err error) {
	path, err := pathOf(folder, f.name)
	if err != nil {
		return nil, nil, err
	}
	in, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	if sizes, values, err = ReadIDX(in); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(sizes) != dimensions {
		return nil, nil, fmt.Errorf("%s: %d dimensions, where %d were expected", path, len(sizes), dimensions)
	}
	if f.sha256 != "" {
		if sum := contentSum(sizes, values); sum != f.sha256 {
			return nil, nil, fmt.Errorf("%s: SHA-256 of the (uncompressed) content is %s, published is %s: remove the file and get it again", path, sum, f.sha256)
		}
	}
	return sizes, values, nil
}

// contentSum is the SHA-256 of the uncompressed IDX file: ReadIDX accepts exactly what WriteIDX writes, so that the
// file can be hashed from what was read.
func contentSum(sizes []int, values []uint8) string {
	hash := sha256.New()
	if err := WriteIDX(io.Writer(hash), sizes, values); err != nil {
		panic(err) // sizes and values come from ReadIDX
	}
	return hex.EncodeToString(hash.Sum(nil))
}
