package vision

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/unhinged-lab/lab/unhinged/backends"
)

// devices share a batch. Each device has all variables and an equal part of the images, and XLA divides the step among
// them (gomlx's AutoSharding). The result is that of one device up to rounding, because all sums over the batch,
// including those of batch normalisation, are over all devices. (PyTorch's data parallelism uses by default the
// statistics of each device's own part.)
type devices struct {
	rows *distributed.ShardingSpec // for a tensor whose first axis is the batch
	all  *distributed.ShardingSpec // for a tensor that every device has completely
}

// firstDevices returns the first n devices of the backend.
func firstDevices(backend compute.Backend, n int) (devices, error) {
	if have := backend.NumDevices(); n < 1 || n > have {
		return devices{}, fmt.Errorf("%d devices; backend %s has %d", n, backends.Name(backend), have)
	}
	mesh, err := distributed.NewDeviceMesh([]int{n}, []string{"batch"})
	if err != nil {
		return devices{}, err
	}
	rows, err := distributed.BuildSpec(mesh).S("batch").Done()
	return devices{rows, distributed.NewReplicatedShardingSpec(mesh)}, err
}

// share makes exec run on the devices. It has this number of inputs, which split has divided. Every device gets all
// outputs.
func (d devices) share(exec *model.Exec, inputs int) {
	rows := make([]*distributed.ShardingSpec, inputs)
	for i := range rows {
		rows[i] = d.rows
	}
	exec.AutoSharding(d.rows.Mesh).WithInputShardingSpecs(rows...).WithOutputShardingSpecs(d.all)
}

// shareDevices makes all of a run's programs run on its devices.
func (r *run) shareDevices(backend compute.Backend) (err error) {
	if r.Devices == 1 {
		return nil
	}
	if part := r.Batch / r.MicroBatches; part%max(1, r.Devices) != 0 {
		return fmt.Errorf("%d images at a time on %d devices; each must have as many as the others", part, r.Devices)
	}
	if r.devices, err = firstDevices(backend, r.Devices); err != nil {
		return err
	}
	r.devices.share(r.accumulate, 2)
	r.devices.share(r.descend, 2)
	r.devices.share(r.evaluation, 1)
	return nil
}

// call runs one of a run's programs on its devices. The first outputs are those of the first device. The other devices
// have the same.
func (r *run) call(exec *model.Exec, inputs ...*tensors.Tensor) ([]*tensors.Tensor, error) {
	args := make([]any, len(inputs))
	for i, x := range inputs {
		args[i] = x
		if r.Devices > 1 {
			parts, err := r.devices.split(x)
			if err != nil {
				return nil, err
			}
			args[i] = parts
		}
	}
	return exec.Call(args...)
}

// split divides the rows of x among the devices. The number of rows must be a multiple of the number of devices.
func (d devices) split(x *tensors.Tensor) (*dtensor.Tensor, error) {
	return dtensor.ShardTensor(d.rows, x)
}
