"""Times neural-tangents 0.6.5 (jax 0.4.23) on the work of this package's benchmarks, one case a process for the peak memory.

    pip install neural-tangents==0.6.5 jax==0.4.23 jaxlib==0.4.23 'numpy<2' 'scipy<1.13'
    for c in fc fc64 flatten flatten64 pool dense-trace dense-full conv-trace conv-full train; do
        python scripts/peers/peer_ntk.py $c; done

Beside it: go test -run - -bench 'Infinite|Empirical' ./ntk; go test -run - -bench Kernel ./unhinged/dynamics.
Compilation is not counted; the best and the mean of at least five calls and two seconds.
"""

import os
import resource
import sys
import time

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=true intra_op_parallelism_threads=2"
os.environ["JAX_PLATFORMS"] = "cpu"
case = sys.argv[1]

import jax

if case.endswith("64"):
    jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import neural_tangents as nt
import numpy as np
from neural_tangents import stax

dtype = np.float64 if case.endswith("64") else np.float32
random = np.random.default_rng(1)


def normals(*shape):
    return jnp.asarray(random.standard_normal(shape).astype(dtype))


def timed(run, times=5):
    jax.block_until_ready(run())
    seconds = []
    while len(seconds) < times or sum(seconds) < 2:
        start = time.perf_counter()
        jax.block_until_ready(run())
        seconds.append(time.perf_counter() - start)
    return min(seconds), sum(seconds) / len(seconds)


def infinite(net, x1, x2):
    _, _, kernel = net
    kernel = jax.jit(kernel, static_argnames="get")
    return timed(lambda: kernel(x1, x2, get=("nngp", "ntk")))


def empirical(net, x, trace):
    init, apply, _ = net
    _, params = init(jax.random.PRNGKey(0), x.shape)
    structured = nt.NtkImplementation.STRUCTURED_DERIVATIVES  # the others hold a Jacobian of 7 GiB for the dense network
    kernel = jax.jit(nt.empirical_ntk_fn(apply, trace_axes=(-1,) if trace else (), vmap_axes=0, implementation=structured))
    return timed(lambda: kernel(x, None, params))


def layers(*list):
    return stax.serial(*list)


relu = stax.Relu()
conv64 = lambda: stax.Conv(64, (3, 3), padding="SAME")
conv32 = lambda: stax.Conv(32, (3, 3), padding="SAME")
name = case.removesuffix("64")
if name == "fc":
    net = layers(stax.Dense(512), relu, stax.Dense(512), relu, stax.Dense(512), relu, stax.Dense(10))
    seconds = infinite(net, normals(1000, 3072), normals(1000, 3072))
elif name == "flatten":
    net = layers(conv64(), relu, conv64(), relu, stax.Flatten(), stax.Dense(10))
    seconds = infinite(net, normals(50, 32, 32, 3), normals(50, 32, 32, 3))
elif name == "pool":
    net = layers(conv64(), relu, conv64(), relu, stax.GlobalAvgPool(), stax.Dense(10))
    seconds = infinite(net, normals(4, 32, 32, 3), normals(4, 32, 32, 3))
elif name in ("dense-trace", "dense-full"):
    net = layers(stax.Dense(512), relu, stax.Dense(512), relu, stax.Dense(10))
    seconds = empirical(net, normals(100, 3072), name.endswith("trace"))
elif name in ("conv-trace", "conv-full"):
    net = layers(conv32(), relu, conv32(), relu, conv32(), relu, stax.GlobalAvgPool(), stax.Dense(10))
    seconds = empirical(net, normals(32, 32, 32, 3), name.endswith("trace"))
elif name == "train":
    # Gradient flow of cross-entropy under a constant 5,000-image kernel: the peer has no closed form for a classification loss.
    # Mean squared error, for which it has one, beside it.
    x = normals(5000, 64)
    y = jnp.asarray(np.eye(10, dtype=dtype)[np.arange(5000) % 10])
    net = layers(stax.Dense(512), relu, stax.Dense(10))
    kernel = jax.jit(net[2], static_argnames="get")(x, None, get="ntk")
    start = time.perf_counter()
    predict = nt.predict.gradient_descent_mse(kernel, y)
    jax.block_until_ready(predict(1000.0))
    print(f"train: mean squared error, decomposition and one time point {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    loss = lambda f, y: -jnp.mean(jax.nn.log_softmax(f) * y)
    predict = nt.predict.gradient_descent(loss, kernel, y)
    jax.block_until_ready(predict(1000.0, jnp.zeros_like(y)))
    seconds = [time.perf_counter() - start] * 2
else:
    sys.exit(__doc__)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
best, mean = seconds
print(f"{case}: best {1e3 * best:.1f} ms, mean {1e3 * mean:.1f} ms, peak memory {peak:.0f} MiB")
