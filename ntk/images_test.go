package ntk

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/unhinged-lab/lab/internal/backendtest"
)

// randomImages returns n images. The first two are equal, the third differs from them by one in one byte, and the next
// two are black but for one pixel, and white.
func randomImages(random *rand.Rand, n int, dims ...int) *Images {
	size := 1
	for _, d := range dims {
		size *= d
	}
	bytes, x := make([]uint8, n*size), &Images{}
	for i := range bytes {
		bytes[i] = uint8(random.IntN(256))
	}
	for i := range n {
		image := bytes[i*size : (i+1)*size]
		x.Scale = append(x.Scale, (0.5+random.Float64())/255)
		switch i {
		case 1, 2:
			copy(image, bytes[:size])
			x.Scale[i] = x.Scale[0]
			if i == 2 {
				image[random.IntN(size)] ^= 1
			}
		case 3:
			clear(image)
			image[random.IntN(size)] = 1
		case 4:
			for j := range image {
				image[j] = 255
			}
		}
	}
	x.Bytes = tensors.FromFlatDataAndDimensions(bytes, append([]int{n}, dims...)...)
	return x
}

// floats returns the images' inputs as float64.
func (x *Images) floats() *tensors.Tensor {
	bytes := flat[uint8](x.Bytes)
	values := make([]float64, len(bytes))
	for i, v := range bytes {
		values[i] = float64(v) * x.Scale[i*len(x.Scale)/len(bytes)]
	}
	return tensors.FromFlatDataAndDimensions(values, x.Bytes.Shape().Dimensions...)
}

// The products of bytes are exact, for any bytes.
func TestWholeProducts(t *testing.T) {
	random := rand.New(rand.NewPCG(41, 1))
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		inf := Serial(Dense(1)).Infinite(backend)
		for _, d := range []int{1, 700, 1024, 1025, 3072} {
			x1, x2 := randomImages(random, 7, d), randomImages(random, 6, d)
			for i := range x1.Scale {
				x1.Scale[i] = 1
			}
			for i := range x2.Scale {
				x2.Scale[i] = 1
			}
			for name, other := range map[string]*Images{"themselves": x1, "others": x2} {
				kernels, err := inf.KernelsOfImages(x1, other)
				if err != nil {
					t.Fatal(err)
				}
				a, b := flat[uint8](x1.Bytes), flat[uint8](other.Bytes)
				for e, got := range values(kernels.NNGP) {
					i, j, want := e/len(other.Scale), e%len(other.Scale), 0
					for k := range d {
						want += int(a[i*d+k]) * int(b[j*d+k])
					}
					if want := float64(float32(float64(want) / float64(d))); got != want {
						t.Errorf("%d bytes, %s: entry %d is %g, and should be %g", d, name, e, got, want)
					}
				}
			}
		}
	})
}

// The kernels of images are those of their inputs in float64, also of images that are equal or almost equal.
func TestKernelsOfImages(t *testing.T) {
	random := rand.New(rand.NewPCG(42, 1))
	networks := map[string]Network{
		"vectors":     Serial(Dense(9).Std(1.3, 0.2), ReLU, Dense(7), Erf, Dense(3)),
		"flattened":   Serial(Flatten, Dense(9), ReLU, Dense(7), ReLU, Dense(3)),
		"convolution": Serial(Conv(4, 3), ReLU, Flatten, Dense(3)),
	}
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		for name, network := range networks {
			dims := []int{9, 8, 3}
			if name == "vectors" {
				dims = []int{1500}
			}
			inf := network.Infinite(backend)
			x1, x2 := randomImages(random, 9, dims...), randomImages(random, 6, dims...)
			for _, other := range []*Images{x1, nil, x2} {
				got, err := inf.KernelsOfImages(x1, other)
				values := both(t, got, err)
				second := x1.floats()
				if other != nil {
					second = other.floats()
				}
				got, err = inf.Kernels(x1.floats(), second)
				for k, want := range both(t, got, err) {
					for e, v := range want {
						near(t, fmt.Sprintf("%s: kernel %d, entry %d", name, k, e), values[k][e], v, 3e-7)
					}
				}
			}
		}
		inf := networks["vectors"].Infinite(backend)
		x := randomImages(random, 3, 5)
		for want, bad := range map[string]*Images{
			"no inputs":            nil,
			"no bytes":             {Scale: x.Scale},
			"not (Float64)":        {Bytes: x.floats(), Scale: x.Scale},
			"images with 2 scales": {Bytes: x.Bytes, Scale: x.Scale[:2]},
			"image 1 (from 0) has": {Bytes: x.Bytes, Scale: []float64{1, 0, 1}},
			"image 2 (from 0) has": {Bytes: x.Bytes, Scale: []float64{1, 1, 1e200}},
			"takes vectors":        randomImages(random, 2, 3, 3, 1),
			"not (Uint8)[2, 3, 3]": randomImages(random, 2, 3, 3),
		} {
			if _, err := inf.KernelsOfImages(bad, nil); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the error is %v, and should contain %q", err, want)
			}
		}
		_, err := inf.KernelsOfImages(x, randomImages(random, 2, 6))
		if err == nil || !strings.Contains(err.Error(), "do not match") {
			t.Errorf("images of 5 and of 6 bytes: the error is %v", err)
		}
	})
}
