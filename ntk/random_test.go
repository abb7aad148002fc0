package ntk

import (
	"math/rand/v2"
	"slices"
)

// drawing draws networks of all kinds of layers, for inputs that are vectors [features] or images [height, width,
// channels].
type drawing struct {
	random *rand.Rand
	width  int  // width of dense layers and convolutions
	finite bool // includes layers that have no kernel of infinite width
}

func (d drawing) of(layers ...Layer) Layer { return layers[d.random.IntN(len(layers))] }

func (d drawing) nonlinearity() Layer {
	return d.of(ReLU, ReLU, Abs, Erf, GELU, Sin, LeakyReLU(0.2), ABReLU(-0.5, 1.5))
}

func (d drawing) std() (w, b float64) {
	return 0.7 + d.random.Float64(), float64(d.random.IntN(2)) * d.random.Float64()
}

func (d drawing) dense(width int) Layer { return Dense(width).Std(d.std()) }

// same returns a convolution or a dense layer that does not change the dimensions.
func (d drawing) same(dims []int) Layer {
	if len(dims) == 1 {
		return d.dense(dims[0])
	}
	return Conv(dims[2], 1+d.random.IntN(3)).Same().Std(d.std())
}

// network draws a network whose outputs are vectors.
func (d drawing) network(input []int) Network {
	var layers []Layer
	dims := slices.Clone(input)
	for range 2 + d.random.IntN(5) {
		layers = append(layers, d.layer(&dims))
	}
	if len(dims) == 3 {
		if d.random.IntN(3) == 0 {
			layers = append(layers, GlobalAveragePool)
		} else {
			layers = append(layers, Flatten)
		}
	}
	if !d.finite || d.random.IntN(4) > 0 {
		layers = append(layers, d.dense(3))
	}
	return Serial(layers...)
}

// layer draws one layer for inputs of the given dimensions, and changes the dimensions to those of its outputs.
func (d drawing) layer(dims *[]int) Layer {
	image := len(*dims) == 3
	for {
		switch d.random.IntN(9) {
		case 0, 1, 2:
			return d.nonlinearity()
		case 3:
			return d.residual(*dims)
		case 4:
			if image {
				pooled := d.pool(dims)
				if pooled == nil {
					continue
				}
				return pooled
			}
		case 5:
			if d.finite {
				return BatchNorm
			}
			return Identity
		default:
			if !image {
				*dims = []int{d.width}
				return d.dense(d.width)
			}
			conv := Conv(d.width, 1+d.random.IntN(3)).Stride(1 + d.random.IntN(2)).Std(d.std())
			if d.random.IntN(2) == 0 || (*dims)[0] < 3 || (*dims)[1] < 3 {
				conv = conv.Same()
			}
			h, _, _ := conv.filter.apply((*dims)[0])
			w, _, _ := conv.filter.apply((*dims)[1])
			*dims = []int{h, w, d.width}
			return conv
		}
	}
}

// pool draws a layer that makes images smaller, or returns nil if they are too small.
func (d drawing) pool(dims *[]int) Layer {
	h, w, channels := (*dims)[0], (*dims)[1], (*dims)[2]
	switch d.random.IntN(5) {
	case 0:
		*dims = []int{channels}
		return GlobalAveragePool
	case 1:
		*dims = []int{h * w * channels}
		return Flatten
	}
	if min(h, w) < 2 {
		return nil
	}
	*dims = []int{h / 2, w / 2, channels}
	if d.finite && d.random.IntN(2) == 0 {
		return MaxPool(2)
	}
	return AveragePool(2)
}

// residual draws two or three branches that do not change the dimensions.
func (d drawing) residual(dims []int) Layer {
	var branches []Layer
	for range 2 + d.random.IntN(2) {
		switch d.random.IntN(5) {
		case 0:
			branches = append(branches, Identity)
		case 1:
			branches = append(branches, d.nonlinearity())
		case 2:
			branches = append(branches, Serial(d.nonlinearity(), d.same(dims)))
		case 3:
			branches = append(branches, Serial(d.same(dims), d.nonlinearity(), d.same(dims)))
		default:
			branches = append(branches, d.same(dims))
		}
	}
	return Residual(branches...)
}
