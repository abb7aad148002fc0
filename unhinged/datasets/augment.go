package datasets

import "math/rand/v2"

// Augmentation changes a training image a little, differently in every epoch.
type Augmentation struct {
	Shift int  // up to so many pixels to every side, uniformly; black comes in: "pad Shift zeros, crop"
	Flip  bool // left to right, half of the time
}

// draw gives the shift (rows down, columns right) and the flip of image index in an epoch. They depend on these and the
// seed only, and so on no other image, nor on how many are prepared at a time.
func (a Augmentation) draw(seed uint64, epoch, index int) (down, right int, flip bool) {
	// Epoch and index are less than 2^32.
	rng := rand.New(rand.NewPCG(seed^augmentStream, uint64(epoch)<<32|uint64(index)))
	down, right = rng.IntN(2*a.Shift+1)-a.Shift, rng.IntN(2*a.Shift+1)-a.Shift
	return down, right, a.Flip && rng.Uint64()>>63 == 1
}

// augmentStream keeps the augmentations of a seed apart from its orders of images.
const augmentStream = 0xa5a5_1f2e_9b3c_77d1

// apply writes image from, of height × width, to the normalised to.
func (a Augmentation) apply(to []float32, from []uint8, im Images, table lookup, down, right int, flip bool) {
	channels, width := im.Channels, im.Width
	row := make([]uint8, width*channels)
	for y := range im.Height {
		clear(row)
		if source := y - down; source >= 0 && source < im.Height {
			line := from[source*width*channels : (source+1)*width*channels]
			if right >= 0 {
				copy(row[min(right, width)*channels:], line)
			} else {
				copy(row, line[min(-right, width)*channels:])
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
