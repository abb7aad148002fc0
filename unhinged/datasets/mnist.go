package datasets

import (
	"bytes"
	"fmt"
	"io"

	"github.com/unhinged-lab/lab/internal/regular"
)

// idxNames are the names that MNIST and all sets of its kind share: training images and labels, test images and labels.
var idxNames = [4]string{"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
	"t10k-labels-idx1-ubyte"}

// idxForm describes four IDX files, plain or with .gz, with the SHA-256 of their uncompressed content. Packages
// compress the files again or not at all, so that only the content shows whether a file is the published one.
func idxForm(sums [4]string) form {
	f := form{files: idxNames[:], zipped: true}
	f.read = func(folder string, progress io.Writer) (train, test Images, err error) {
		if train, err = f.readIDXImages(folder, 0, sums, progress); err != nil {
			return
		}
		test, err = f.readIDXImages(folder, 2, sums, progress)
		return
	}
	return f
}

// readIDXImages reads the images of file number first and the labels of the one after it.
func (f form) readIDXImages(folder string, first int, sums [4]string, progress io.Writer) (Images, error) {
	sizes, pixels, err := f.readIDXFile(folder, idxNames[first], sums[first], 3, progress)
	if err != nil {
		return Images{}, err
	}
	_, labels, err := f.readIDXFile(folder, idxNames[first+1], sums[first+1], 1, progress)
	if err != nil {
		return Images{}, err
	}
	if sizes[0] != len(labels) {
		return Images{}, fmt.Errorf("%s: %s has %d images and %s has %d labels; they must agree", folder,
			idxNames[first], sizes[0], idxNames[first+1], len(labels))
	}
	if len(pixels) == 0 {
		return Images{}, fmt.Errorf("%s: %s has no pixels (sizes %v)", folder, idxNames[first], sizes)
	}
	return Images{Height: sizes[1], Width: sizes[2], Channels: 1, Pixels: pixels, Labels: labels}, nil
}

func (f form) readIDXFile(folder, name, sum string, dimensions int, progress io.Writer) (sizes []int, values []uint8,
	err error) {
	path, err := f.path(folder, name)
	if err != nil {
		return nil, nil, err
	}
	in, err := regular.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	if sizes, values, err = ReadIDX(io.TeeReader(in, progress)); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(sizes) != dimensions {
		return nil, nil, fmt.Errorf("%s: %d dimensions, where %d were expected", path, len(sizes), dimensions)
	}
	// ReadIDX accepts exactly what WriteIDX writes, so that WriteIDX can restore the uncompressed file.
	var content bytes.Buffer
	if err := WriteIDX(&content, sizes, values); err != nil {
		return nil, nil, err
	}
	if err := checkSum(content.Bytes(), sum); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return sizes, values, nil
}
