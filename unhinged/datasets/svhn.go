package datasets

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
)

// svhnForm is SVHN's "cropped digits", two MATLAB files, with their checksums.
func svhnForm(trainSum, testSum string) form {
	f := form{files: []string{"train_32x32.mat", "test_32x32.mat"}}
	f.read = func(folder string, progress io.Writer) (train, test Images, err error) {
		var parts [2]Images
		for i, sum := range []string{trainSum, testSum} {
			name := filepath.Join(folder, f.files[i])
			content, err := readFile(name, io.Discard)
			if err != nil {
				return train, test, err
			}
			parts[i], err = svhnImages(content)
			if err == nil {
				err = checkSum(content, sum)
			}
			if err != nil {
				return train, test, fmt.Errorf("%s: %w", name, err)
			}
			_, _ = progress.Write(content) // most of the time is needed after reading
		}
		return parts[0], parts[1], nil
	}
	return f
}

// svhnImages decodes X [32, 32, 3, n] and y [n, 1], in which the digit 0 has label 10.
func svhnImages(content []byte) (Images, error) {
	arrays, err := readMAT(content)
	if err != nil {
		return Images{}, err
	}
	x, y := arrays["X"], arrays["y"]
	if len(x.dimensions) != 4 || !slices.Equal(x.dimensions[:3], []int{32, 32, 3}) || x.dimensions[3] == 0 ||
		!slices.Equal(y.dimensions, []int{x.dimensions[3], 1}) {
		return Images{}, fmt.Errorf("array X has dimensions %v and y %v; they should be [32 32 3 n] and [n 1]",
			x.dimensions, y.dimensions)
	}
	n := x.dimensions[3]
	im := Images{Height: 32, Width: 32, Channels: 3, Pixels: make([]uint8, len(x.values)), Labels: make([]uint8, n)}
	for i, label := range y.values {
		if label < 1 || label > 10 {
			return Images{}, fmt.Errorf("label %d is %d; labels go from 1 to 10, which stands for 0", i, label)
		}
		im.Labels[i] = label % 10
	}
	for i := range n {
		from, to := x.values[i*im.Size():(i+1)*im.Size()], im.Pixels[i*im.Size():(i+1)*im.Size()]
		for channel := range 3 {
			for column := range 32 {
				for row, v := range from[(channel*32+column)*32 : (channel*32+column+1)*32] {
					to[(row*32+column)*3+channel] = v
				}
			}
		}
	}
	return im, nil
}
