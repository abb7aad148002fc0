package datasets

import (
	"errors"
	"fmt"
	"math/rand/v2"
)

// Augmentation changes a training image a little, differently in every epoch.
type Augmentation struct {
	Shift     int  // up to this number of pixels to every side, uniformly; the rest is black ("pad Shift zeros, crop")
	Reflect   bool // the rest is the image's reflection at its edge instead of black
	Flip      bool // left to right, half of the time
	Alternate bool // with Flip: an image that is flipped in one epoch is not in the next (arXiv 2404.00498)
}

// check returns an error for changes that are not possible for images of this size.
func (a Augmentation) check(height, width int) error {
	switch most := min(height, width) - 1; {
	case a.Shift < 0 || a.Shift > most:
		return fmt.Errorf("a shift of up to %d pixels; images of %d×%d can be shifted by 0 to %d", a.Shift, height,
			width, most)
	case a.Alternate && !a.Flip:
		return errors.New("alternating flips without flips; set Flip too")
	}
	return nil
}

// draw returns the shift (rows down, columns right) and the flip of image index in an epoch. They depend only on the
// index, the epoch and the seed. Other images, and the number of images that are prepared at a time, have no influence.
func (a Augmentation) draw(seed uint64, epoch, index int) (down, right int, flip bool) {
	// Epoch and index are less than 2^32.
	rng := rand.New(rand.NewPCG(seed^augmentStream, uint64(epoch)<<32|uint64(index)))
	down, right = rng.IntN(2*a.Shift+1)-a.Shift, rng.IntN(2*a.Shift+1)-a.Shift
	if a.Alternate { // the first epoch's flip, and the parity of the epoch
		first := rand.New(rand.NewPCG(seed^augmentStream, uint64(index)))
		first.Uint64()
		return down, right, a.Flip && (first.Uint64()>>63+uint64(epoch))%2 == 1
	}
	return down, right, a.Flip && rng.Uint64()>>63 == 1
}

// augmentStream makes the random numbers of the augmentation independent of those of the order of the images.
const augmentStream = 0xa5a5_1f2e_9b3c_77d1

// apply writes image from, of height × width, to the normalised to.
func (a Augmentation) apply(to []float32, from []uint8, im Images, table lookup, down, right int, flip bool) {
	channels, width := im.Channels, im.Width
	row := make([]uint8, width*channels)
	for y := range im.Height {
		clear(row)
		if source, inside := a.source(y-down, im.Height); inside {
			line := from[source*width*channels : (source+1)*width*channels]
			if right >= 0 {
				copy(row[right*channels:], line)
			} else {
				copy(row, line[-right*channels:])
			}
			if a.Reflect {
				reflect(row, line, right, width, channels)
			}
		}
		if flip {
			for i, j := 0, (width-1)*channels; i < j; i, j = i+channels, j-channels {
				for c := range channels {
					row[i+c], row[j+c] = row[j+c], row[i+c]
				}
			}
		}
		table.write(to[y*width*channels:(y+1)*width*channels], row)
	}
}

// source returns the row from which row i of the shifted image comes. The row is inside if it is in the image or, with
// Reflect, in its reflection.
func (a Augmentation) source(i, n int) (int, bool) {
	switch {
	case a.Reflect && i < 0:
		return -i, true
	case a.Reflect && i >= n:
		return 2*(n-1) - i, true
	}
	return i, i >= 0 && i < n
}

// reflect sets the pixels of row that are left empty after line was shifted to the right, or to the left if the shift
// is negative. The pixel at the edge is not repeated, as with PyTorch's reflection padding.
func reflect(row, line []uint8, right, width, channels int) {
	for x := range right {
		copy(row[x*channels:(x+1)*channels], line[(right-x)*channels:])
	}
	for k := range max(0, -right) {
		x := width - 1 - k // its source is width−1 + (−right − k) to the right of line's start
		source := 2*(width-1) - (x - right)
		copy(row[x*channels:(x+1)*channels], line[source*channels:])
	}
}
