package datasets

import (
	"math"
	"math/rand/v2"
)

// patchSide is the length in pixels of the patches that PatchShuffled permutes.
const patchSide = 8

// blurSigma is the standard deviation, in pixels, of the Gaussian that Blurred convolves with.
const blurSigma = 2

// UniformNoise returns n images of this size whose values are drawn uniformly from 0 to 255. They have the label 0.
func (im Images) UniformNoise(n int, seed uint64) Images {
	return im.noise(n, seed, func(random *rand.Rand) float64 { return 256 * random.Float64() })
}

// GaussianNoise returns n images of this size whose values are drawn from a normal distribution of mean 127.5 and
// standard deviation 255, and then clipped to 0 and 255. They have the label 0.
func (im Images) GaussianNoise(n int, seed uint64) Images {
	return im.noise(n, seed, func(random *rand.Rand) float64 { return 127.5 + 255*random.NormFloat64() })
}

func (im Images) noise(n int, seed uint64, draw func(*rand.Rand) float64) Images {
	random := rand.New(rand.NewPCG(seed, 0))
	im.Labels, im.Pixels = make([]uint8, n), make([]uint8, n*im.Size())
	for i := range im.Pixels {
		im.Pixels[i] = uint8(min(max(math.Floor(draw(random)), 0), 255))
	}
	return im
}

// Blurred returns the images convolved with a Gaussian, whose weights are renormalised at the borders.
func (im Images) Blurred() Images {
	reach := 3 * blurSigma
	weights := make([]float64, 2*reach+1)
	for i := range weights {
		weights[i] = math.Exp(-float64((i-reach)*(i-reach)) / (2 * blurSigma * blurSigma))
	}
	// along convolves every line of length values that are stride apart.
	along := func(values []float64, length, stride int, starts func(yield func(int) bool)) {
		line := make([]float64, length)
		for start := range starts {
			for i := range line {
				sum, total := 0.0, 0.0
				for j := max(0, i-reach); j <= min(length-1, i+reach); j++ {
					w := weights[j-i+reach]
					sum, total = sum+w*values[start+j*stride], total+w
				}
				line[i] = sum / total
			}
			for i, v := range line {
				values[start+i*stride] = v
			}
		}
	}
	out := im
	out.Pixels = make([]uint8, len(im.Pixels))
	image := make([]float64, im.Size())
	row := im.Width * im.Channels
	for from := 0; from < len(im.Pixels); from += len(image) {
		for i := range image {
			image[i] = float64(im.Pixels[from+i])
		}
		along(image, im.Height, row, func(yield func(int) bool) {
			for i := range row {
				if !yield(i) {
					return
				}
			}
		})
		along(image, im.Width, im.Channels, func(yield func(int) bool) {
			for i := range im.Height * im.Channels {
				if !yield(i/im.Channels*row + i%im.Channels) {
					return
				}
			}
		})
		for i, v := range image {
			out.Pixels[from+i] = uint8(math.Round(v))
		}
	}
	return out
}

// PatchShuffled returns the images with their patches of 8×8 pixels in a random order, drawn for every image. If 8 does
// not divide the height or the width, the remaining rows or columns stay in their place.
func (im Images) PatchShuffled(seed uint64) Images {
	out := im
	out.Pixels = append([]uint8(nil), im.Pixels...)
	random := rand.New(rand.NewPCG(seed, 0))
	columns, length := im.Width/patchSide, patchSide*im.Channels
	patches := im.Height / patchSide * columns
	for from := 0; from < len(im.Pixels); from += im.Size() {
		// start returns the place where line y of a patch begins.
		start := func(patch, y int) int {
			return from + ((patch/columns*patchSide+y)*im.Width+patch%columns*patchSide)*im.Channels
		}
		for to, patch := range random.Perm(patches) {
			for y := range patchSide {
				copy(out.Pixels[start(to, y):][:length], im.Pixels[start(patch, y):][:length])
			}
		}
	}
	return out
}
