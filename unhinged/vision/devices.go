package vision

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"
	"github.com/gomlx/gomlx/ml/model"
)

// devices share a batch: each has all variables and an equal part of the images, and XLA partitions the step among them
// (gomlx's AutoSharding). It is the step of one device, up to rounding: sums over the batch go over all devices, those of batch
// normalisation too. (PyTorch's data parallelism has statistics of each device's own part unless told otherwise.)
type devices struct {
	rows *distributed.ShardingSpec // of a tensor whose first axis is the batch
	all  *distributed.ShardingSpec // of one that every device has whole
}

// firstDevices are the backend's first n.
func firstDevices(backend compute.Backend, n int) (devices, error) {
	if have := int(backend.NumDevices()); n < 1 || n > have {
		return devices{}, fmt.Errorf("%d devices; backend %q has %d", n, backend.Name(), have)
	}
	mesh, err := distributed.NewDeviceMesh([]int{n}, []string{"batch"})
	if err != nil {
		return devices{}, err
	}
	rows, err := distributed.BuildSpec(mesh).S("batch").Done()
	return devices{rows, distributed.NewReplicatedShardingSpec(mesh)}, err
}

// share makes exec run on the devices. Its inputs, of this number, are what split returns; every device has all its outputs.
func (d devices) share(exec *model.Exec, inputs int) {
	rows := make([]*distributed.ShardingSpec, inputs)
	for i := range rows {
		rows[i] = d.rows
	}
	exec.AutoSharding(d.rows.Mesh).WithInputShardingSpecs(rows...).WithOutputShardingSpecs(d.all)
}

// split deals out the rows of x, whose number the devices must divide.
func (d devices) split(x *tensors.Tensor) (*dtensor.Tensor, error) {
	return dtensor.ShardTensor(d.rows, x)
}
