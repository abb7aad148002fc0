package tiles

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/unhinged-lab/lab/ntk"
)

// Identity returns the identity of a kernel ([Kernel.Identity]) of the network between the examples x1 and x2, or of x1
// with itself if x2 is nil. It has the network and the [Sum] of the examples. Everything else that the kernel depends
// on must be added to it, such as the parameters of a network of finite width.
func Identity(network ntk.Network, x1, x2 *tensors.Tensor) map[string]string {
	identity := map[string]string{"network": network.String(), "inputs": Sum(x1)}
	if x2 != nil {
		identity["inputs2"] = Sum(x2)
	}
	return identity
}

// Sum returns the SHA-256, in hexadecimal, of the shape and the numbers of a tensor of float32 or float64.
func Sum(x *tensors.Tensor) string {
	dims := x.Shape().Dimensions
	if x.DType() == dtypes.Float64 {
		return sumOfValues[float64](dims, x)
	}
	return sumOfValues[float32](dims, x)
}

func sumOfValues[T float32 | float64](dims []int, x *tensors.Tensor) string {
	hash := sha256.New()
	fmt.Fprint(hash, dims)
	addValues[T](hash, x)
	return hex.EncodeToString(hash.Sum(nil))
}

// SumOf is [Sum] of the tensor with these dimensions whose ranges x makes.
func SumOf[T float32 | float64](x func(r Range) *tensors.Tensor, dims ...int) string {
	hash := sha256.New()
	fmt.Fprint(hash, dims)
	const part = 1024
	for from := 0; from < dims[0]; from += part {
		values := x(Range{from, min(from+part, dims[0])})
		addValues[T](hash, values)
		values.MustFinalizeAll()
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// addValues adds the bytes of a tensor's numbers.
func addValues[T float32 | float64](hash hash.Hash, x *tensors.Tensor) {
	tensors.MustConstFlatData(x, func(values []T) {
		var bytes []byte
		for part := range slices.Chunk(values, 4096) {
			bytes, _ = binary.Append(bytes[:0], binary.LittleEndian, part) // values of fixed size give no error
			hash.Write(bytes)
		}
	})
}
