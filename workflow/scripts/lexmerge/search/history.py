"""What a search has found, by its histories."""

from collections.abc import Callable
from pathlib import Path


def best(history: list[dict]) -> dict | None:
    """The first evaluation with the highest fitness; of several objectives, with the highest sum of them."""
    scored = [row for row in history if row["status"] == "ok"]
    return max(scored, key=lambda row: sum(row["fitness"]), default=None)


def winning_seed(histories: dict[int, list[dict]]) -> int:
    """The seed with the best evaluation of all; the first of equals."""
    return max(histories, key=lambda seed: sum(best(histories[seed])["fitness"]))


def by_seed(files: list[str], read: Callable[[str], list[dict]]) -> dict[int, list[dict]]:
    """The histories `<seed>.<worker>.jsonl` of the first workers, by seed."""
    named = [(Path(file).name.split("."), file) for file in files]
    return {int(seed): read(file) for (seed, worker, _), file in named if worker == "0"}


def front(fitness: list[tuple[float, ...] | None]) -> list[int]:
    """The candidates that no other is better than in one objective and as good as in the others."""
    known = {number: value for number, value in enumerate(fitness) if value is not None}

    def beaten(number: int, value: tuple[float, ...]) -> bool:
        return any(
            all(a >= b for a, b in zip(other, value, strict=True)) and (other != value or rival < number)
            for rival, other in known.items()
            if rival != number
        )

    return [number for number, value in known.items() if not beaten(number, value)]
