"""Optimisers that ask for points in the unit cube and are told how good they are.

What they ask for depends on their seed and on what they were told, and on nothing else: a search that was
killed is run again from its beginning, and its evaluations answer from their journal.
"""

import math

import cma
import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem

FAILED = -1e9  # what a candidate without a fitness counts as
Fitness = tuple[float, ...]


class CmaEs:
    """CMA-ES (Hansen 2016) with one fitness, which is maximised: only the order of its values counts."""

    def __init__(self, start: np.ndarray, sigma: float, population: int, seed: int):
        self._size, self._seed, self._generation = len(start), seed, 0
        padded = np.concatenate([start, [0.5]]) if self._size == 1 else start  # it knows no single dimension
        self._es = cma.CMAEvolutionStrategy(
            padded,
            sigma,
            {
                "bounds": [0, 1],
                "popsize": population,
                "seed": math.nan,  # it would set it once, and the harness sets its own in between
                "verbose": -9,
                # Equal values are usual where a task has few documents, and no reason to stop.
                **{"tolfun": 0, "tolfunhist": 0, "tolfunrel": 0, "tolstagnation": math.inf},
                **{"tolflatfitness": math.inf, "tolx": 1e-4},
            },
        )

    def ask(self) -> list[np.ndarray]:
        np.random.seed((self._seed * 1_000_003 + self._generation) % 2**32)
        self._generation += 1
        self._asked = self._es.ask()
        return [point[: self._size] for point in self._asked]

    def tell(self, fitness: list[Fitness | None]) -> None:
        """How good the points of the last `ask` are, in their order; None for one that failed."""
        self._es.tell(self._asked, [-FAILED if value is None else -value[0] for value in fitness])

    def finished(self) -> str | None:
        """Why nothing is to be gained by going on; None if something is."""
        return ", ".join(self._es.stop()) or None


class Nsga2:
    """NSGA-II (Deb et al. 2002) with several fitnesses, each maximised; it never finishes by itself."""

    def __init__(self, size: int, objectives: int, population: int, seed: int):
        first = np.random.default_rng(seed).random((population, size))
        self._algorithm = NSGA2(pop_size=population, sampling=first)
        problem = Problem(n_var=size, n_obj=objectives, xl=0.0, xu=1.0)
        self._algorithm.setup(problem, termination=("n_gen", 10**9), seed=seed)

    def ask(self) -> list[np.ndarray]:
        self._asked = self._algorithm.ask()
        return list(self._asked.get("X"))

    def tell(self, fitness: list[Fitness | None]) -> None:
        objectives = self._algorithm.problem.n_obj
        told = [[-FAILED] * objectives if value is None else [-v for v in value] for value in fitness]
        self._asked.set("F", np.array(told))
        self._algorithm.tell(infills=self._asked)

    def finished(self) -> str | None:
        return None
