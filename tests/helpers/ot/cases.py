"""Problems by name, each drawn from a generator: what tests take cross-products over, and what attacks a certificate."""

import numpy as np

INF = np.inf


def _weights(rng, n):
    return rng.dirichlet(np.full(n, 2.0))


def _distances(x, y, power):
    return (np.abs(x[:, None] - y[None]) ** power).sum(-1)


def assignment(rng, n=24, m=24):
    """Independent uniform costs, uniform weights."""
    return rng.random((n, m)), np.full(n, 1 / n), np.full(m, 1 / m)


def _image(power):
    def make(rng, n=25, m=25):
        side = round(n**0.5)
        grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2)
        C = _distances(grid.astype(float), grid.astype(float), power)
        a, b = (rng.random(side * side) ** 3 + 0.01 for _ in range(2))
        return C / C.max(), a / a.sum(), b / b.sum()

    return make


def _cloud(d):
    def make(rng, n=24, m=24):
        x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d)) * 0.7 + 1
        C = _distances(x, y, 2)
        return C / C.max(), _weights(rng, n), _weights(rng, m)

    return make


def wide(rng, n=10, m=40):
    """Fewer rows than columns."""
    return _cloud(2)(rng, n, m)


def tall(rng, n=40, m=10):
    """Fewer columns than rows."""
    return _cloud(2)(rng, n, m)


def heavy_tails(rng, n=24, m=24):
    """Costs and weights over several orders of magnitude."""
    C = np.abs(rng.standard_cauchy((n, m)))
    a, b = 10.0 ** rng.uniform(-6, 0, n), 10.0 ** rng.uniform(-6, 0, m)
    return C / C.max(), a / a.sum(), b / b.sum()


def zero_weights(rng, n=24, m=24):
    """A third of the weights are 0."""
    C, a, b = _cloud(2)(rng, n, m)
    a[rng.permutation(n)[: n // 3]] = 0
    b[rng.permutation(m)[: m // 3]] = 0
    return C, a / a.sum(), b / b.sum()


def integer_ties(rng, n=24, m=24):
    """Costs 0, 1, 2, 3 and equal weights: optimal plans of the linear program are many."""
    return rng.integers(0, 4, (n, m)) / 3.0, np.full(n, 1 / n), np.full(m, 1 / m)


def forbidden(rng, n=24, m=24):
    """Half of the arcs forbidden, a diagonal left that carries a coupling."""
    C = rng.random((n, m))
    C[rng.random((n, m)) < 0.5] = INF
    index = np.arange(max(n, m))
    C[index % n, index % m] = 0.5
    flow = rng.random(max(n, m)) + 0.1
    a, b = np.bincount(index % n, flow), np.bincount(index % m, flow)
    return C, a / a.sum(), b / b.sum()


CASES = {
    "assignment": assignment,
    "image_l2": _image(2),
    "image_l1": _image(1),
    "cloud_1d": _cloud(1),
    "cloud_2d": _cloud(2),
    "cloud_5d": _cloud(5),
    "wide": wide,
    "tall": tall,
    "heavy_tails": heavy_tails,
    "zero_weights": zero_weights,
    "integer_ties": integer_ties,
    "forbidden": forbidden,
}
"""name -> function(rng, n, m) -> (C, a, b); max C = 1, sum a = sum b = 1 up to rounding."""
