"""Settings of a recipe's parameters: their places, their layers, and the value that MergeKit takes.

A setting is a number or truth value, a gradient (a list of them, spread over the layers of each slice), or a
list of conditions with `filter` and `value`. MergeKit takes the first condition whose filter is a part of the
tensor's name, in the same letters; `*` and no filter match every tensor.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lexmerge.common.plurals import counted


@dataclass(frozen=True)
class Span:
    """Layers of models that are merged with each other.

    Attributes:
        ranges: The first layer and the end by the model's name; None for all layers of all models.
        offset: The index that the first layer has in the merge.
        first: True if the tensors before the layers, such as the embeddings, come from here.
        last: True if the tensors after the layers, such as the head, come from here.
    """

    ranges: dict[str, tuple[int, int]] | None = None
    offset: int = 0
    first: bool = True
    last: bool = True

    @property
    def layers(self) -> int | None:
        """The number of layers; None if it is that of the models."""
        return None if self.ranges is None else max((e - s for s, e in self.ranges.values()), default=0)


@dataclass(frozen=True)
class Setting:
    """The value of one parameter at one place of a recipe.

    Attributes:
        place: The place in the recipe, such as `models[1].parameters.weight`.
        key: The parameter's name.
        value: The value as YAML loads it.
        model: The model that it is for; None if it is for all.
        spans: The layers that it is for.
    """

    place: str
    key: str
    value: Any
    model: str | None
    spans: tuple[Span, ...]


def parts(recipe: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a recipe with models or slices, or each of its modules, with the start of its places."""
    modules = recipe.get("modules")
    if not modules:
        yield "", recipe
    for name, module in (modules or {}).items():
        yield f"modules.{name}.", module


def spans(part: dict[str, Any]) -> list[Span]:
    """The layers of each slice of a recipe or module; a single span of all layers if it has no slices."""
    slices = part.get("slices")
    if not slices:
        return [Span()]
    found: list[Span] = []
    offset = 0
    for number, piece in enumerate(slices):
        ranges = {source["model"]: tuple(source["layer_range"]) for source in piece["sources"]}
        found.append(Span(ranges, offset, number == 0, number == len(slices) - 1))
        offset += found[-1].layers or 0
    return found


def settings(recipe: dict[str, Any]) -> Iterator[Setting]:
    """Yield each parameter that a recipe sets.

    Args:
        recipe: A recipe without placeholders, whose structure is sound.

    Yields:
        The settings of models, slices and modules, then those of the whole recipe.
    """
    everywhere: list[Span] = []
    for start, part in parts(recipe):
        own = spans(part)
        everywhere += own
        for number, entry in enumerate(part.get("models") or []):
            yield from _set_in(entry, f"{start}models[{number}].", entry["model"], own)
        for number, piece in enumerate(part.get("slices") or []):
            for index, source in enumerate(piece["sources"]):
                where = f"{start}slices[{number}].sources[{index}]."
                yield from _set_in(source, where, source["model"], [own[number]])
            yield from _set_in(piece, f"{start}slices[{number}].", None, [own[number]])
        if part is not recipe:
            yield from _set_in(part, start, None, own)
    yield from _set_in(recipe, "", None, everywhere)


def _set_in(node: dict[str, Any], start: str, model: str | None, where: list[Span]) -> Iterator[Setting]:
    """The settings under `parameters` of a node."""
    for key, value in (node.get("parameters") or {}).items():
        yield Setting(f"{start}parameters.{key}", key, value, model, tuple(where))


def conditions(value: Any) -> list[dict[str, Any]]:
    """The conditions of a setting; empty if it is a value for all tensors."""
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return value
    return []


def matches_all(condition: dict[str, Any]) -> bool:
    """True if a condition holds for every tensor."""
    return condition.get("filter") in (None, "*", "")


def takes(condition: dict[str, Any], tensor: str) -> bool:
    """True if MergeKit takes a tensor for one that the condition is for."""
    return matches_all(condition) or condition["filter"] in tensor


def gradients(value: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield the gradients of a setting with their places in it: an empty one, or `[1].value`."""
    listed = conditions(value)
    if isinstance(value, list) and not listed:
        yield "", value
    for number, condition in enumerate(listed):
        if isinstance(condition.get("value"), list):
            yield f"[{number}].value" if isinstance(value, list) else ".value", condition["value"]


def value_at(value: Any, tensor: str, t: float) -> Any:
    """Compute the value that MergeKit takes for a tensor, as its `evaluate_setting` does for numbers.

    Args:
        value: The setting, of numbers or truth values.
        tensor: The tensor's name.
        t: How far its layer is between the first (0) and the last (1) of the slice.

    Returns:
        The value; None if no filter matches.
    """
    if listed := conditions(value):
        chosen = next((condition for condition in listed if takes(condition, tensor)), None)
        return None if chosen is None else value_at(chosen["value"], tensor, t)
    if not isinstance(value, list):
        return value if isinstance(value, bool) else float(value)
    if any(isinstance(item, bool) for item in value):
        return value[int(t * (len(value) - 1))]
    numbers = [float(item) for item in value]
    scaled = t * (len(numbers) - 1)
    low = int(scaled)
    high, rest = min(len(numbers) - 1, low + 1), scaled - low
    return (1 - rest) * numbers[low] + rest * numbers[high]


def unreached(setting: Setting) -> Iterator[str]:
    """Find conditions that MergeKit never comes to, since one before them takes their tensors.

    Yields:
        A line for each, with its place in the recipe.
    """
    listed = conditions(setting.value)
    for number, condition in enumerate(listed):
        where, name = f"{setting.place}[{number}]", condition.get("filter")
        for earlier, other in enumerate(listed[:number]):
            what = "this value without a filter" if matches_all(condition) else f"the filter {name!r}"
            if matches_all(other):
                yield (
                    f"{where}: {what} is never reached, since [{earlier}] takes every tensor; "
                    "MergeKit takes the first that matches, so put it before that one, or drop it"
                )
                break
            if not matches_all(condition) and other["filter"] in condition["filter"]:
                yield (
                    f"{where}: {what} is never reached, since [{earlier}] takes every tensor "
                    f"with {other['filter']!r}; MergeKit takes the first that matches, so put it before"
                )
                break


def stretched(setting: Setting, layers: int | None = None) -> Iterator[str]:
    """Find gradients with more values than there are layers, of which MergeKit would drop some.

    Args:
        setting: A setting.
        layers: The number of layers of the models, if it is known.

    Yields:
        A line for each, with its place in the recipe.
    """
    for place, values in gradients(setting.value):
        counts = [layers if span.layers is None else span.layers for span in setting.spans]
        least = min((count for count in counts if count), default=None)
        if least is not None and len(values) > least:
            yield (
                f"{setting.place}{place}: a gradient of {counted(len(values), 'value')} is spread over "
                f"{counted(least, 'layer')}, so that MergeKit drops some of them; give {least} or fewer"
            )
