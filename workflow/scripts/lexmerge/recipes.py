"""Recipes: MergeKit YAML in which models go by the study's names."""

from collections.abc import Callable, Iterator

NAMES = ("model", "base_model")


def models_of(recipe: object) -> list[str]:
    """The models that a recipe names, each once, in order of appearance."""
    return list(dict.fromkeys(_names(recipe)))


def with_paths(recipe: object, path_of: Callable[[str], str]) -> object:
    """The recipe with every model's name replaced by its path."""
    if isinstance(recipe, dict):
        return {
            key: path_of(value) if key in NAMES and isinstance(value, str) else with_paths(value, path_of)
            for key, value in recipe.items()
        }
    if isinstance(recipe, list):
        return [with_paths(item, path_of) for item in recipe]
    return recipe


def _names(recipe: object) -> Iterator[str]:
    if isinstance(recipe, dict):
        for key, value in recipe.items():
            if key in NAMES and isinstance(value, str):
                yield value
            else:
                yield from _names(value)
    elif isinstance(recipe, list):
        for item in recipe:
            yield from _names(item)
