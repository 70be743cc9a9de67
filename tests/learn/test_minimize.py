"""L-BFGS against minima that are known."""

from __future__ import annotations

import numpy as np

from edgecls.learn.minimize import minimize


def test_a_narrow_valley():
    """A quadratic whose curvatures differ by 10,000 to 1."""
    curvature = np.logspace(0, 4, 20)
    minimum = np.arange(20.0)
    found = minimize(
        lambda x: (0.5 * float(curvature @ (x - minimum) ** 2), curvature * (x - minimum)),
        np.zeros(20),
        tolerance=1e-6,
        most_steps=1000,
    )
    np.testing.assert_allclose(found, minimum, atol=1e-5)


def test_it_stops_where_it_is_right():
    """At a minimum one evaluation is enough."""
    calls = []

    def cost(x):
        calls.append(x)
        return 0.0, np.zeros_like(x)

    assert minimize(cost, np.ones(3), tolerance=1e-6).tolist() == [1, 1, 1]
    assert len(calls) == 1


def test_steps_are_limited():
    """A cost without a minimum ends."""
    found = minimize(lambda x: (float(np.exp(-x).sum()), -np.exp(-x)), np.zeros(1), tolerance=0.0, most_steps=5)
    assert found[0] > 0
