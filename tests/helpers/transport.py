"""Optimal transport in exact rational numbers, for problems that are small enough to enumerate."""

import itertools
from fractions import Fraction

import numpy as np


def spanning_trees(n, m):
    """All spanning trees of the complete bipartite graph, each a tuple of (row, column)."""
    arcs = list(itertools.product(range(n), range(m)))
    for tree in itertools.combinations(arcs, n + m - 1):
        above = list(range(n + m))

        def find(x, above=above):
            while above[x] != x:
                x = above[x]
            return x

        for i, j in tree:
            x, y = find(i), find(n + j)
            if x == y:
                break
            above[x] = y
        else:
            yield tree


def flows(tree, a, b):
    """The flow of each arc of a tree, by taking leaves off."""
    left = {("r", i): a[i] for i in range(len(a))} | {("c", j): b[j] for j in range(len(b))}
    arcs, flow = set(tree), {}
    while arcs:
        for i, j in sorted(arcs):
            r, c = ("r", i), ("c", j)
            degree = [sum(("r", x[0]) == r for x in arcs), sum(("c", x[1]) == c for x in arcs)]
            if 1 in degree:
                leaf, other = (r, c) if degree[0] == 1 else (c, r)
                flow[i, j] = left[leaf]
                left[other] -= left[leaf]
                left[leaf] = Fraction(0)
                arcs.remove((i, j))
                break
    return flow


def optimum(C, a, b):
    """The optimal cost of (C, a, b sum(a)/sum(b)) as a Fraction, None where there is no plan. Vertex enumeration."""
    C = np.asarray(C, dtype=float)
    a, b = [Fraction(float(x)) for x in a], [Fraction(float(x)) for x in b]
    share = sum(a) / sum(b)
    b = [x * share for x in b]
    best = None
    for tree in spanning_trees(*C.shape):
        flow = flows(tree, a, b)
        if min(flow.values()) < 0 or any(x > 0 and C[arc] == np.inf for arc, x in flow.items()):
            continue
        cost = sum((x * Fraction(float(C[arc])) for arc, x in flow.items() if x > 0), Fraction(0))
        best = cost if best is None else min(best, cost)
    return best
