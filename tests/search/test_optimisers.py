"""The optimisers: what they find, and that a seed and the answers alone decide what they ask."""

import math

import numpy as np
import pytest
from lexmerge.search.budget import population_of
from lexmerge.search.history import front
from lexmerge.search.optimisers import CmaEs, Nsga2


def sphere(point: np.ndarray) -> float:
    return -float(((point - 0.3) ** 2).sum())


def asked(
    optimiser: object, generations: int, fitness=lambda p: (sphere(p),), disturb: int = 0
) -> np.ndarray:
    found = []
    for generation in range(generations):
        points = optimiser.ask()
        found += points
        np.random.seed(disturb + generation)  # as the harness does in between
        optimiser.tell([fitness(point) for point in points])
    return np.array(found)


@pytest.mark.parametrize("size", [1, 2, 12])
def test_cma_es_finds_the_top_of_a_hill(size):
    points = asked(CmaEs(np.full(size, 0.8), 1 / 6, population_of(size), seed=1), 60)
    assert max(map(sphere, points)) > -1e-2
    assert ((points >= 0) & (points <= 1)).all()


@pytest.mark.parametrize("kind", ["cma", "nsga2"])
def test_what_is_asked_depends_on_the_seed_and_the_answers_alone(kind):
    def make(seed: int) -> object:
        start = np.full(3, 0.5)
        return CmaEs(start, 0.2, 6, seed) if kind == "cma" else Nsga2(3, 2, 6, seed)

    fitness = (lambda p: (sphere(p),)) if kind == "cma" else (lambda p: (sphere(p), p[0]))
    once = asked(make(0), 5, fitness)
    assert (once == asked(make(0), 5, fitness, disturb=99)).all()
    assert not (once == asked(make(1), 5, fitness)).all()


def test_cma_es_looks_at_the_order_of_the_fitness_only():
    one = asked(CmaEs(np.full(3, 0.5), 0.2, 6, 0), 6)
    other = asked(CmaEs(np.full(3, 0.5), 0.2, 6, 0), 6, lambda p: (math.exp(50 * sphere(p)),))
    assert (one == other).all()


def test_failed_candidates_are_left_behind():
    """Half of the space fails; the best that is left is found."""
    points = asked(CmaEs(np.full(2, 0.4), 0.2, 8, 0), 40, lambda p: None if p[0] > 0.45 else (float(p[0]),))
    assert 0.4 < max(p[0] for p in points[-8:]) <= 0.5


def test_nsga_2_finds_the_trade_between_two_hills():
    """Schaffer's problem: f1 = x², f2 = (x - 2)², with the front from x = 0 to 2; here x is -2 to 4."""

    def schaffer(point: np.ndarray) -> tuple[float, float]:
        x = -2 + 6 * float(point[0])
        return -(x**2), -((x - 2) ** 2)

    points = asked(Nsga2(1, 2, 16, 0), 20, schaffer)
    ahead = [-2 + 6 * points[k][0] for k in front([schaffer(p) for p in points])]
    assert min(ahead) > -0.05
    assert max(ahead) < 2.05
    assert max(ahead) - min(ahead) > 1.8
