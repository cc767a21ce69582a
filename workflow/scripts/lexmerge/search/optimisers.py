"""Optimisers over the unit cube with an ask-and-tell interface.

Their points depend only on the seed and the reported fitness values. A search that was killed therefore
starts again from the beginning and reads its earlier evaluations from the journal.
"""

import math

import cma
import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem

FAILED = -1e9  # the fitness of a failed candidate
Fitness = tuple[float, ...]  # a value for each objective


class CmaEs:
    """CMA-ES (Hansen 2016), maximising one fitness; only the order of its values matters."""

    def __init__(self, start: np.ndarray, sigma: float, population: int, seed: int) -> None:
        """Start the optimiser.

        Args:
            start: The initial mean, a point in the unit cube.
            sigma: The initial standard deviation.
            population: The number of points in a generation.
            seed: The random seed.
        """
        self._size, self._seed, self._generation = len(start), seed, 0
        padded = np.concatenate([start, [0.5]]) if self._size == 1 else start  # pycma needs two dimensions
        self._es = cma.CMAEvolutionStrategy(
            padded,
            sigma,
            {
                "bounds": [0, 1],
                "popsize": population,
                "seed": math.nan,  # `ask` seeds each generation, since lm-eval resets the seed in between
                "verbose": -9,
                # Equal values are common when tasks have few documents, and no reason to stop.
                **{"tolfun": 0, "tolfunhist": 0, "tolfunrel": 0, "tolstagnation": math.inf},
                **{"tolflatfitness": math.inf, "tolx": 1e-4},
            },
        )

    def ask(self) -> list[np.ndarray]:
        """Return the points of the next generation."""
        np.random.seed((self._seed * 1_000_003 + self._generation) % 2**32)
        self._generation += 1
        self._asked = self._es.ask()
        return [point[: self._size] for point in self._asked]

    def tell(self, fitness: list[Fitness | None]) -> None:
        """Report the fitness of the points of the last `ask`, in their order; None for failed ones."""
        self._es.tell(self._asked, [-FAILED if value is None else -value[0] for value in fitness])

    def finished(self) -> str | None:
        """Return the stopping criteria that are met, comma-separated; None if there are none."""
        return ", ".join(self._es.stop()) or None


class Nsga2:
    """NSGA-II (Deb et al. 2002), maximising several objectives; it has no stopping criterion."""

    def __init__(self, size: int, objectives: int, population: int, seed: int) -> None:
        """Start the optimiser with a random population.

        Args:
            size: The number of dimensions.
            objectives: The number of objectives.
            population: The number of points in a generation.
            seed: The random seed.
        """
        first = np.random.default_rng(seed).random((population, size))
        self._algorithm = NSGA2(pop_size=population, sampling=first)
        problem = Problem(n_var=size, n_obj=objectives, xl=0.0, xu=1.0)
        self._algorithm.setup(problem, termination=("n_gen", 10**9), seed=seed)

    def ask(self) -> list[np.ndarray]:
        """Return the points of the next generation."""
        self._asked = self._algorithm.ask()
        return list(self._asked.get("X"))

    def tell(self, fitness: list[Fitness | None]) -> None:
        """Report the fitness of the points of the last `ask`, in their order; None for failed ones."""
        objectives = self._algorithm.problem.n_obj
        told = [[-FAILED] * objectives if value is None else [-v for v in value] for value in fitness]
        self._asked.set("F", np.array(told))
        self._algorithm.tell(infills=self._asked)

    def finished(self) -> str | None:
        """Return None, since there is no stopping criterion."""
        return None
