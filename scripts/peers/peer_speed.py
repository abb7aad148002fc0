"""Trains the speed network of configs/fast/cifar-10 with PyTorch: the same layers, schedule, augmentation and cross-entropy.

    pip install torch==2.15.0
    python scripts/peers/peer_speed.py 32-128-128 8 cifar-10-batches-bin     # widths, epochs, folder of CIFAR-10's binary version

Beside it: unhinged train --config fast/cifar-10 --method ce --seed 1 [--model speed-32-128-128] [--epochs 8].
It prints each epoch's accuracy on the test images, without the mirror image, and the seconds since the first step. Loading is
not counted, nor are the evaluations.
"""

import pathlib
import resource
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

widths, epochs, folder = [int(w) for w in sys.argv[1].split("-")], int(sys.argv[2]), pathlib.Path(sys.argv[3])
BATCH, RATE, MOMENTUM, DECAY, SHIFT_RATE, LOGITS = 250, 0.3662, 0.85, 0.00133, 64, 1 / 9
torch.manual_seed(1)


def read(*names):
    rows = np.concatenate([np.fromfile(folder / name, np.uint8).reshape(-1, 3073) for name in names])
    return torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32).copy()).float() / 255, torch.from_numpy(rows[:, 0].astype(np.int64))


train, labels = read(*(f"data_batch_{i}.bin" for i in range(1, 6)))
test, test_labels = read("test_batch.bin")
mean, deviation = train.mean((0, 2, 3), keepdim=True), train.transpose(0, 1).flatten(1).std(1).view(1, 3, 1, 1)
train, test = ((x - mean) / deviation for x in (train, test))


class Norm(nn.BatchNorm2d):
    def __init__(self, channels):
        super().__init__(channels, momentum=0.4)
        self.weight.requires_grad = False


def conv(inputs, outputs):
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight[:inputs].data)
    return layer


def whitening():
    patches = train[:5000].unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = (vectors / torch.sqrt(values + 5e-4)).T.reshape(12, 3, 2, 2)
    layer = nn.Conv2d(3, 24, 2, bias=False)
    layer.weight.data = torch.cat([filters, -filters])
    layer.weight.requires_grad = False
    return layer


layers, inputs = [whitening(), nn.GELU()], 24
for width in widths:
    layers += [conv(inputs, width), nn.MaxPool2d(2), Norm(width), nn.GELU(), conv(width, width), Norm(width), nn.GELU()]
    inputs = width
model = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(inputs, 10)).to(memory_format=torch.channels_last)
shifts = [m.bias for m in model if isinstance(m, Norm)]
others = [p for p in model.parameters() if p.requires_grad and all(p is not s for s in shifts)]
optimizer = torch.optim.SGD([{"params": others, "weight_decay": DECAY, "factor": 1},
                             {"params": shifts, "weight_decay": DECAY / SHIFT_RATE, "factor": SHIFT_RATE}],
                            lr=RATE, momentum=MOMENTUM, nesterov=True)
steps, step, spent = epochs * (len(train) // BATCH), 0, 0.0
peak = int(0.23 * steps)
flips = torch.rand(len(train)) < 0.5


def rate(t):
    return 0.2 + 0.8 * t / peak if t < peak else 1 - 0.93 * (t - peak) / (steps - peak)


for epoch in range(epochs):
    model.train()
    start, order = time.perf_counter(), torch.randperm(len(train))
    flips = ~flips
    for i in range(0, len(train) - BATCH + 1, BATCH):
        chosen = order[i:i + BATCH]
        x = F.pad(train[chosen], (2, 2, 2, 2), mode="reflect")
        x = torch.stack([image[:, dy:dy + 32, dx:dx + 32] for image, (dy, dx) in zip(x, torch.randint(0, 5, (len(x), 2)).tolist())])
        x = torch.where(flips[chosen].view(-1, 1, 1, 1), x.flip(3), x).contiguous(memory_format=torch.channels_last)
        for group in optimizer.param_groups:
            group["lr"] = RATE * group["factor"] * rate(step)
        optimizer.zero_grad()
        F.cross_entropy(model(x) * LOGITS, labels[chosen]).backward()
        optimizer.step()
        step += 1
    spent += time.perf_counter() - start
    model.eval()
    with torch.no_grad():
        right = sum((model(test[i:i + 500].contiguous(memory_format=torch.channels_last)).argmax(1) == test_labels[i:i + 500]).sum().item()
                    for i in range(0, len(test), 500))
    print(f"epoch {epoch + 1} of {epochs}: {100 * right / len(test):.2f} %, {spent:.0f} s, {step * BATCH / spent:.0f} images/s, "
          f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MiB", flush=True)
