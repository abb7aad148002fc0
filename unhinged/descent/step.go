package descent

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// stepsAtOnce is the largest number of steps of gradient descent in one execution.
const stepsAtOnce = 256

// descender returns the stepper of gradient descent: a loop on the device over the steps up to the next record.
func (f BruteForce) descender(x *onDevice) (stepper, func(), error) {
	exec, err := NewExec(f.Backend, func(inputs []*Node) []*Node {
		return loop(inputs, func(in []*Node) []*Node {
			step, rates, onehot, x, velocity := in[0], in[2], in[3], point(in[4:7]), point(in[7:10])
			gradient := f.gradient(x, onehot)
			if f.Momentum != 0 {
				velocity = velocity.each(func(i int, v *Node) *Node {
					return Add(MulScalar(v, f.Momentum),
						gradient[i])
				})
			} else {
				velocity = gradient
			}
			etas := Squeeze(Gather(rates, Reshape(step, 1, 1)), 0) // (η1, η2)
			x = x.each(func(i int, xi *Node) *Node {
				eta := Squeeze(Slice(etas, AxisElem(min(i, 1))), 0)
				return Sub(xi, Mul(velocity[i], eta))
			})
			if f.Momentum == 0 {
				velocity = point(in[7:10])
			}
			return append([]*Node{AddScalar(step, 1), in[1], rates, onehot}, append(x[:], velocity[:]...)...)
		})[4:]
	})
	if err != nil {
		return nil, nil, err
	}
	velocity := [3]*tensors.Tensor{}
	for i, t := range x.point {
		velocity[i] = tensors.FromShape(t.Shape())
	}
	step := func(from, to float64, x *onDevice) (float64, error) {
		count := min(int(to-from), stepsAtOnce)
		rates := make([]float64, 2*stepsAtOnce)
		for i := range count {
			t := from + float64(i)
			eta1, eta2 := f.Rates.Features(t), f.Rates.W.At(t)
			if math.IsNaN(eta1+eta2) || math.IsInf(eta1+eta2, 0) {
				return 0, fmt.Errorf("descent: learning rates %g, %g at step %g: must be finite", eta1, eta2,
					from+float64(i))
			}
			rates[2*i], rates[2*i+1] = eta1, eta2
		}
		out, err := exec.Call(int32(0), int32(count), hostTensor(rates, f.DType, stepsAtOnce, 2), x.onehot,
			x.point[0], x.point[1], x.point[2], velocity[0], velocity[1], velocity[2])
		if err != nil {
			return 0, err
		}
		x.replace(out[:3])
		for i, v := range out[3:] {
			velocity[i].FinalizeAll()
			velocity[i] = v
		}
		return from + float64(count), nil
	}
	return step, exec.Finalize, nil
}

// loop runs body on the state while state[0] < state[1]. The condition must not create constants: gomlx v0.28.0 caches
// scalars for each graph and not for each function, and would use those of the condition in the body.
func loop(state []*Node, body func(state []*Node) []*Node) []*Node {
	g := state[0].Graph()
	closure := func(f func(state []*Node) []*Node) *Function {
		return NewClosure(g, func(g *Graph) []*Node {
			parameters := make([]*Node, len(state))
			for i, s := range state {
				parameters[i] = Parameter(g, "", s.Shape())
			}
			return f(parameters)
		})
	}
	condition := closure(func(state []*Node) []*Node { return []*Node{LessThan(state[0], state[1])} })
	return While(condition, closure(body), state...)
}

// epsilon is the spacing of numbers at 1.
func epsilon(dtype dtypes.DType) float64 {
	if dtype == dtypes.Float32 {
		return math.Ldexp(1, -23)
	}
	return math.Ldexp(1, -52)
}
