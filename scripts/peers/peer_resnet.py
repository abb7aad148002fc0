"""Times PyTorch's and JAX's step of training a ResNet-18 for images of 32×32, one case a process for the peak memory.

    pip install torch==2.15.0 jax==0.10.2
    for peer in torch torch-compile jax; do for batch in 64 128; do
        python scripts/peers/peer_resnet.py $peer 64 $batch; done; done      # width 64

Beside it: go test ./unhinged/vision -run - -bench ResNet18.
The step is the benchmark's: cross-entropy, float32 (a further argument bfloat16 is autocast's in PyTorch and of the convolutions
in JAX; cuda takes PyTorch's first GPU), SGD with momentum 0.9 and weight decay 5e-4. Compilation is not counted; the best and the mean of at least five steps
and five seconds.
"""

import os
import resource
import sys
import time

peer, width, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
half, device = "bfloat16" in sys.argv[4:], "cuda" if "cuda" in sys.argv[4:] else "cpu"
rate, momentum, decay = 0.01, 0.9, 5e-4
stages = [(width << s, 2 if s > 0 and b == 0 else 1) for s in range(4) for b in range(2)]  # channels and stride of the blocks

os.environ["JAX_PLATFORMS"] = "cpu"
import numpy as np

random = np.random.default_rng(1)
images = random.standard_normal((batch, 32, 32, 3)).astype(np.float32)
labels = random.integers(0, 10, batch)


def torch_step(compiled):
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self, inputs, channels, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
            self.norm1 = nn.BatchNorm2d(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(channels)
            self.shortcut = nn.Sequential()
            if stride > 1 or inputs != channels:
                self.shortcut = nn.Sequential(nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

        def forward(self, x):
            y = F.relu(self.norm1(self.conv1(x)))
            return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))

    inputs = [width] + [channels for channels, _ in stages]
    model = nn.Sequential(
        nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        *(Block(n, channels, stride) for n, (channels, stride) in zip(inputs, stages)),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, 10),
    ).to(device, memory_format=torch.channels_last)
    x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last).to(device)
    y = torch.from_numpy(labels).to(device)
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum, weight_decay=decay)
    run = torch.compile(model) if compiled else model

    def step():
        optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=half):
            loss = F.cross_entropy(run(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, torch.__version__


def jax_step():
    import jax
    from jax import lax
    from jax import numpy as jnp

    convolution_type = jnp.bfloat16 if half else jnp.float32

    def conv(kernel, x, stride):
        pad = [(kernel.shape[0] // 2,) * 2] * 2
        y = lax.conv_general_dilated(x.astype(convolution_type), kernel.astype(convolution_type), (stride, stride), pad,
                                     dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return y.astype(jnp.float32)

    def norm(p, x):  # the running averages are left out: they cost nothing beside the rest
        mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        return (x - mean) * (p["scale"] * lax.rsqrt(var + 1e-5)) + p["shift"]

    def layer(size, inputs, channels):
        kernel = random.standard_normal((size, size, inputs, channels)) * np.sqrt(2 / (size * size * channels))
        return {"kernel": jnp.asarray(kernel, jnp.float32), "scale": jnp.ones(channels), "shift": jnp.zeros(channels)}

    def apply(p, x, stride=1):
        return norm(p, conv(p["kernel"], x, stride))

    params, inputs = {"stem": layer(3, 3, width), "blocks": [], "linear": jnp.zeros((8 * width, 10))}, width
    for channels, stride in stages:
        block = {"conv1": layer(3, inputs, channels), "conv2": layer(3, channels, channels)}
        if stride > 1 or inputs != channels:
            block["shortcut"] = layer(1, inputs, channels)
        params["blocks"].append(block)
        inputs = channels

    def loss(params, x, y):
        x = jax.nn.relu(apply(params["stem"], x))
        for p, (_, stride) in zip(params["blocks"], stages):
            z = apply(p["conv2"], jax.nn.relu(apply(p["conv1"], x, stride)))
            x = jax.nn.relu(z + (apply(p["shortcut"], x, stride) if "shortcut" in p else x))
        logits = x.mean((1, 2)) @ params["linear"]
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean()

    @jax.jit
    def descend(params, velocity, x, y):
        value, gradient = jax.value_and_grad(loss)(params, x, y)
        velocity = jax.tree.map(lambda v, g, p: momentum * v + g + decay * p, velocity, gradient, params)
        return jax.tree.map(lambda p, v: p - rate * v, params, velocity), velocity, value

    state = [params, jax.tree.map(jnp.zeros_like, params)]
    x, y = jnp.asarray(images), jnp.asarray(labels)

    def step():
        state[0], state[1], value = descend(*state, x, y)
        return float(value)

    return step, jax.__version__


step, version = jax_step() if peer == "jax" else torch_step(peer == "torch-compile")
begun = time.perf_counter()
step()
first, seconds = time.perf_counter() - begun, []
while len(seconds) < 5 or sum(seconds) < 5:
    start = time.perf_counter()
    step()
    seconds.append(time.perf_counter() - start)
print(f"{peer} {version} width {width} batch {batch}{' bfloat16' if half else ''}{' cuda' if device == 'cuda' else ''}: {batch / min(seconds):.0f} images/s at best, "
      f"{batch * len(seconds) / sum(seconds):.0f} on average; first step {first:.1f} s, "
      f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MiB", flush=True)
