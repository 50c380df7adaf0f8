"""How far two right answers may lie apart: the tolerances of the tests, derived and not guessed."""

import sys

EPS = sys.float_info.epsilon


def slope_and_error(f, x):
    """f'(x) by central differences, and how far off that can be.

    The error of truncation falls with h**2: it is a third of the change from 2h to h. That of
    rounding is the last few bits of f, divided by h; h is where the two are about equal.
    """
    h = EPS ** (1 / 3) * max(1.0, abs(x))
    slope, wider = ((f(x + d) - f(x - d)) / (2 * d) for d in (h, 2 * h))
    rounding = 16 * EPS * max(abs(f(x + h)), abs(f(x - h)), 1.0) / h
    return slope, abs(wider - slope) + rounding


def path_bound(result):
    """For each node of a naive graph, the sum over all paths to it of the product of |slopes|.

    Two ways to add up the same gradient, each rounding at most once for each of the N nodes,
    differ by no more than 2 * N * EPS of that. Returns the bounds, and that factor.
    """
    nodes = result.graph()
    bound = dict.fromkeys(nodes, 0.0)
    bound[result] = 1.0
    for node in reversed(nodes):
        for child, slope in zip(node.children, node.slopes):
            bound[child] += abs(slope) * bound[node]
    return bound, 2 * len(nodes) * EPS
