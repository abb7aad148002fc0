package datasets

import "math"

// Normalisation converts pixels to network inputs: (v/255 − Mean)/Std, channel by channel.
//
// The Std that Images.Normalisation computes is that of all pixels of a channel, in all images together: 0.2470,
// 0.2435, 0.2616 for CIFAR-10, with which inputs have variance 1. Much published code has 0.2023, 0.1994, 0.2010
// instead (after github.com/kuangliu/pytorch-cifar), which is the mean over the images of each image's own standard
// deviation (dividing by n − 1); to compare with such code, set it here. The paper does not say which it used.
type Normalisation struct {
	Mean, Std []float64 // [channels], of pixels from 0 to 1
}

// Normalisation computes mean and standard deviation of every channel over all images. A channel whose pixels are all
// equal gets the standard deviation 1, and is only centred.
func (im Images) Normalisation() Normalisation {
	counts := make([][256]int, im.Channels)
	for i := 0; i < len(im.Pixels); i += im.Channels {
		for c, v := range im.Pixels[i : i+im.Channels] {
			counts[c][v]++
		}
	}
	norm := Normalisation{Mean: make([]float64, im.Channels), Std: make([]float64, im.Channels)}
	total := float64(im.Len() * im.Height * im.Width)
	for c := range counts {
		for v, n := range counts[c] {
			norm.Mean[c] += float64(n) * float64(v) / 255 / total
		}
		for v, n := range counts[c] {
			norm.Std[c] += float64(n) * math.Pow(float64(v)/255-norm.Mean[c], 2) / total
		}
		if norm.Std[c] = math.Sqrt(norm.Std[c]); norm.Std[c] == 0 {
			norm.Std[c] = 1
		}
	}
	return norm
}

// Apply returns the images of these indices as network inputs, [len(indices)·Height·Width·Channels], channels last.
func (n Normalisation) Apply(im Images, indices []int) []float32 {
	size, table := im.Size(), n.table()
	out := make([]float32, len(indices)*size)
	for k, i := range indices {
		table.write(out[k*size:(k+1)*size], im.Pixels[i*size:(i+1)*size])
	}
	return out
}

// lookup has the normalised value of every pixel value, by channel.
type lookup [][256]float32

func (n Normalisation) table() lookup {
	t := make(lookup, len(n.Mean))
	for c := range t {
		for v := range t[c] {
			t[c][v] = float32((float64(v)/255 - n.Mean[c]) / n.Std[c])
		}
	}
	return t
}

// write normalises pixels, channels last.
func (t lookup) write(to []float32, pixels []uint8) {
	if len(t) != 3 {
		for i, v := range pixels {
			to[i] = t[i%len(t)][v]
		}
		return
	}
	red, green, blue := &t[0], &t[1], &t[2]
	for to = to[:len(pixels)]; len(pixels) >= 3; to, pixels = to[3:], pixels[3:] {
		to[0], to[1], to[2] = red[pixels[0]], green[pixels[1]], blue[pixels[2]]
	}
}
