"""Exact linear transport in rational numbers, by enumeration of every basis: n, m <= 3 (4 in the partial form)."""

import functools
import itertools
from fractions import Fraction


@functools.cache
def spanning_trees(n, m):
    """Every spanning tree of the complete bipartite graph, as a tuple of arcs (i, j)."""
    arcs, trees = list(itertools.product(range(n), range(m))), []
    for chosen in itertools.combinations(arcs, n + m - 1):
        parent = list(range(n + m))

        def root(v, parent=parent):
            while parent[v] != v:
                v = parent[v]
            return v

        for i, j in chosen:
            one, other = root(i), root(n + j)
            if one == other:
                break
            parent[one] = other
        else:
            trees.append(_leaves_first(chosen, n, m))
    return trees


def _leaves_first(chosen, n, m):
    """The arcs in an order in which each has an end that no later arc touches: (i, j, that end is the row)."""
    left, order = set(chosen), []
    while left:
        degree = {}
        for i, j in left:
            degree[i] = degree.get(i, 0) + 1
            degree[n + j] = degree.get(n + j, 0) + 1
        i, j = next(arc for arc in sorted(left) if degree[arc[0]] == 1 or degree[n + arc[1]] == 1)
        order.append((i, j, degree[i] == 1))
        left.remove((i, j))
    return tuple(order)


def flows(tree, a, b):
    """The flow of a basis, None where an arc would run backwards."""
    a, b, found = list(a), list(b), []
    for i, j, row_is_leaf in tree:
        flow = a[i] if row_is_leaf else b[j]
        if flow < 0:
            return None
        a[i] -= flow
        b[j] -= flow
        found.append((i, j, flow))
    return found


def optimum(C, a, b):
    """min <C, P> over the couplings of a and b as a Fraction; None where the forbidden arcs (C = inf) leave none.

    C, a, b: floats or Fractions; b is scaled to the sum of a in rational arithmetic, which the package promises to mean.
    """
    a, b = [Fraction(x) for x in a], [Fraction(x) for x in b]
    ratio = Fraction(sum(a), 1) / sum(b)
    b = [x * ratio for x in b]
    n, m, best = len(a), len(b), None
    costs = [[None if x == float("inf") else Fraction(x) for x in row] for row in C]
    for tree in spanning_trees(n, m):
        found = flows(tree, a, b)
        if found is None or any(flow and costs[i][j] is None for i, j, flow in found):
            continue
        cost = sum((flow * costs[i][j] for i, j, flow in found if flow), Fraction(0))
        best = cost if best is None or cost < best else best
    return best


def optimum_partial(C, a, b, mass):
    """min <C, P> over P1 <= a, P^T 1 <= b, sum P = mass: a dummy row and column take what stays (n, m <= 2)."""
    a, b, mass = [Fraction(x) for x in a], [Fraction(x) for x in b], Fraction(mass)
    least = min(sum(a), sum(b))
    if abs(mass - least) <= 4 * Fraction(2) ** -53 * least:  # means the smaller total exactly
        mass = least
    wide = [[*row, 0.0] for row in C] + [[0.0] * len(b) + [float("inf")]]
    return optimum(wide, [*a, sum(b) - mass], [*b, sum(a) - mass])
