"""Measures how time and memory grow with the number of images: Theorem 8 by the stream, and neural-tangents' kernel regression.

    pip install neural-tangents==0.6.5 jax==0.4.23 jaxlib==0.4.23 'numpy<2' 'scipy<1.13'      # into a Python of its own
    python scripts/peers/growth.py UNHINGED PEER_PYTHON OUT.json

UNHINGED is the built command, which needs CIFAR-10, and PEER_PYTHON the Python with neural-tangents. Each size is a process of its
own for the peak memory, one after the other: this command, then the peer. The network has three dense ReLU layers of infinite
width. n images are trained on and n/5 are for the test. The peer computes its kernels in float32, on images of random numbers of
the same size, and solves for the squared error at t = ∞, which takes one Cholesky decomposition. OUT.json is a figure with two curves.
"""

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time

NETWORK = "flatten dense:512 relu dense:512 relu dense:512 relu dense:10"
OURS, PEER = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000), (1_000, 2_000, 5_000, 10_000)


def ours(command, n):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run([command, "kernel", "train", "--data", "cifar-10", "--examples", str(n), "--examples2", str(n // 5),
                        "--network", NETWORK, "--gamma", "0.1111111111111111", "--times", "10", "--json", file.name],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        run = json.load(open(file.name))
    return sum(run["seconds"].values()), run["peak_bytes"] / 2**20, run["provenance"]["commit"]


def peer(n):
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=true intra_op_parallelism_threads=2"
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import neural_tangents as nt
    import numpy as np
    import scipy.linalg
    from neural_tangents import stax

    layer = lambda: (stax.Dense(512), stax.Relu())
    _, _, kernel = stax.serial(*layer(), *layer(), *layer(), stax.Dense(10))
    kernel = nt.batch(jax.jit(kernel, static_argnames="get"), batch_size=500, store_on_device=False)
    random = np.random.default_rng(1)
    x, unseen = (random.standard_normal((count, 3072), dtype=np.float32) for count in (n, n // 5))
    y = np.eye(10, dtype=np.float32)[np.arange(n) % 10]
    jax.block_until_ready(kernel(x[:500], x[:500], "ntk"))  # compilation is not counted
    start = time.perf_counter()
    train = np.array(kernel(x, x, "ntk"))
    test = np.array(kernel(unseen, x, "ntk"))
    train[np.diag_indices(n)] *= 1 + 1e-4
    test @ scipy.linalg.solve(train, y, assume_a="pos", overwrite_a=True, check_finite=False)
    seconds = time.perf_counter() - start
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--peer":
        return peer(int(sys.argv[2]))
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    command, python, out = sys.argv[1:]
    begun = time.time()
    rows = {"Theorem 8, streamed": [], "neural-tangents, kernel regression": []}
    for n in OURS:
        seconds, memory, commit = ours(command, n)
        rows["Theorem 8, streamed"].append((n, seconds, memory))
        print(f"{n}: here {seconds:.1f} s, {memory:.0f} MiB", flush=True)
        if n in PEER:
            answer = subprocess.run([python, __file__, "--peer", str(n)], check=True, capture_output=True, text=True).stdout
            seconds, memory = json.loads(answer.splitlines()[-1])
            rows["neural-tangents, kernel regression"].append((n, seconds, memory))
            print(f"{n}: neural-tangents {seconds:.1f} s, {memory:.0f} MiB", flush=True)
    axis = {"x": "log10_images", "xlabel": "log₁₀ training images", "log": True}
    figure = {
        "id": "growth", "title": "Infinite width: time and memory by the number of images",
        "provenance": {"command": "python scripts/peers/growth.py UNHINGED PEER_PYTHON results/networks/growth.json",
                       "commit": commit, "backend": f"xla:cpu, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
                       "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun)), "duration_seconds": time.time() - begun},
        "panels": [{"title": "Time", "y": "seconds", "ylabel": "Seconds", **axis},
                   {"title": "Peak resident memory", "y": "mebibytes", "ylabel": "MiB", **axis}],
        "curves": [{"name": name, "series": dict(zip(("images", "seconds", "mebibytes", "log10_images"), map(list, zip(*((*row, math.log10(row[0])) for row in found)))))}
                   for name, found in rows.items()],
    }
    with open(out, "w") as file:
        json.dump(figure, file, indent=2)
        file.write("\n")


if __name__ == "__main__":
    main()
