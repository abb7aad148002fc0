#!/usr/bin/env python3
"""golden.py > golden.json: kernels by the textbook formulas in 60-digit arithmetic (mpmath 1.3.0), to 30 digits.

The naive recursion, with all pairs of positions of an image always carried along; nothing in it is shared with package
ntk. Inputs are multiples of powers of two, so that they are the same numbers in float64."""
import json
from mpmath import mp, mpf, sqrt, acos, asin, atan, exp, pi

mp.dps = 60


def abrelu(a, b):
    def act(q1, q2, k):
        rho = max(mpf(-1), min(mpf(1), k / sqrt(q1 * q2)))
        angle = acos(rho)
        kabs = sqrt(q1 * q2) * 2 / pi * (sqrt(1 - rho**2) + (pi / 2 - angle) * rho)
        return ((b - a) / 2) ** 2 * kabs + ((a + b) / 2) ** 2 * k, ((b - a) / 2) ** 2 * (1 - 2 * angle / pi) + ((a + b) / 2) ** 2
    return act


def erf(q1, q2, k):
    d = (1 + 2 * q1) * (1 + 2 * q2)
    return 2 / pi * asin(2 * k / sqrt(d)), 4 / pi / sqrt(d - 4 * k**2)


def sin(q1, q2, k):
    minus, plus = exp(-(q1 + q2 - 2 * k) / 2), exp(-(q1 + q2 + 2 * k) / 2)
    return (minus - plus) / 2, (minus + plus) / 2


def gelu(q1, q2, k):
    s = sqrt((1 + q1) * (1 + q2) - k**2)
    t, n, i = mpf(1) / 4 + atan(k / s) / (2 * pi), 1 / (2 * pi * s), 1 / (1 + q1) + 1 / (1 + q2)
    return k * t + n * (q1 * q2 - k**2 + k**2 * i), t + n * k * (i + 1 / s**2)


ACTS = {"ReLU": abrelu(mpf(0), mpf(1)), "LeakyReLU": abrelu(mpf(0.25), mpf(1)), "Abs": abrelu(mpf(-1), mpf(1)), "Erf": erf, "Sin": sin, "GELU": gelu}


class State:
    """Covariances K[a, b] and T[a, b] of the positions a = (input, h, w) of two inputs 0 and 1."""

    def __init__(self, size, K, T):
        self.size, self.K, self.T = size, K, T


def inputs(x, y):  # x[h][w][c]
    size = len(x)
    at = {(n, h, w): z[h][w] for n, z in enumerate((x, y)) for h in range(size) for w in range(size)}
    K = {(a, b): sum(mpf(u) * mpf(v) for u, v in zip(at[a], at[b])) / len(at[a]) for a in at for b in at}
    return State(size, K, {ab: mpf(0) for ab in K})


def affine(s, wstd, bstd, size=1):
    shift, w, b = size // 2, mpf(wstd) ** 2 / size**2, mpf(bstd) ** 2
    K, T = {}, {}
    for (n, h, v), (m, i, u) in s.K:
        keys = [((n, h + dh, v + dv), (m, i + dh, u + dv)) for dh in range(-shift, shift + 1) for dv in range(-shift, shift + 1)]
        key = ((n, h, v), (m, i, u))
        K[key] = w * sum(s.K.get(k, mpf(0)) for k in keys) + b
        T[key] = w * sum(s.T.get(k, mpf(0)) for k in keys) + K[key]
    return State(s.size, K, T)


def act(s, name):
    K, T = {}, {}
    for a, b in s.K:
        K[a, b], d = ACTS[name](s.K[a, a], s.K[b, b], s.K[a, b])
        T[a, b] = s.T[a, b] * d
    return State(s.size, K, T)


def reduce(s, diagonal):
    def mean(X, n, m):
        v = [X[a, b] for a, b in X if a[0] == n and b[0] == m and (not diagonal or a[1:] == b[1:])]
        return sum(v) / len(v)
    keys = [((n, 0, 0), (m, 0, 0)) for n in (0, 1) for m in (0, 1)]
    return State(1, {(a, b): mean(s.K, a[0], b[0]) for a, b in keys}, {(a, b): mean(s.T, a[0], b[0]) for a, b in keys})


def add(s, r):
    return State(s.size, {k: s.K[k] + r.K[k] for k in s.K}, {k: s.T[k] + r.T[k] for k in s.T})


def dense(s, name, b):
    for _ in range(3):
        s = act(affine(s, 1.5, b), name)
    return affine(s, 1.5, b)


def image(s, name, end):
    s = affine(s, 1.25, 0.125, 3)
    s = add(s, affine(act(s, name), 1.25, 0.125, 3))
    s = act(s, name)
    return affine(reduce(s, end == "flatten"), 1.25, 0.125)


def table(x, y, network):
    s = network(inputs(x, y))
    out = {"x": [c for r in x for p in r for c in p], "y": [c for r in y for p in r for c in p]}
    for field, (n, m) in {"xy": (0, 1), "xx": (0, 0), "yy": (1, 1)}.items():
        key = ((n, 0, 0), (m, 0, 0))
        out[field] = [mp.nstr(s.K[key], 30), mp.nstr(s.T[key], 30)]
    return out


def pairs(size, channels):
    """The same x with inputs at every kind of angle to it."""
    def grid(seed):
        state = seed
        def number():
            nonlocal state
            state = (state * 1103515245 + 12345) % 2**31
            return (state // 2**16 % 512 - 256) / 128
        return [[[number() for _ in range(channels)] for _ in range(size)] for _ in range(size)]

    def mix(x, a, v, b):
        return [[[a * p + b * q for p, q in zip(s, t)] for s, t in zip(f, g)] for f, g in zip(x, v)]
    x, v = grid(1), grid(2)
    yield "other", x, v
    yield "same", x, x
    for k in (6, 7, 10, 20, 30, 40):
        yield f"2^-{k} away", x, mix(x, 1, v, 2.0**-k)
    yield "twice", x, mix(x, 2, v, 0)
    yield "twice, 2^-25 away", x, mix(x, 2, v, 2.0**-25)
    yield "opposite", x, mix(x, -1, v, 0)
    yield "half the opposite, 2^-25 away", x, mix(x, -0.5, v, 2.0**-25)


def main():
    cases = []
    for name in ACTS:
        for b in (0, 0.125):
            for pair, x, y in pairs(1, 5):
                cases.append({"network": "dense", "activation": name, "bias": b, "pair": pair, **table(x, y, lambda s: dense(s, name, b))})
    for end in ("flatten", "pool"):
        for name in ("ReLU", "Erf"):
            for pair, x, y in pairs(3, 2):
                cases.append({"network": end, "activation": name, "bias": 0.125, "pair": pair, **table(x, y, lambda s: image(s, name, end))})
    print("[" + ",\n".join(json.dumps(c) for c in cases) + "]")


main()
