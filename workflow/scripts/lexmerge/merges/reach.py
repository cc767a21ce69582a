"""Which tensors and layers a recipe's settings reach, from the names in the headers of its models."""

from collections.abc import Iterable, Iterator
from typing import Any

from lexmerge.common.errors import nearest
from lexmerge.merges.della import della_faults
from lexmerge.merges.methods import methods
from lexmerge.merges.settings import (
    Setting,
    Span,
    conditions,
    matches_all,
    settings,
    stretched,
    takes,
    unreached,
)
from lexmerge.models.checkpoints import LAYER, Headers, group_of


def setting_faults(recipe: dict[str, Any], parents: list[Headers]) -> Iterator[str]:
    """Find filters without a tensor, gradients longer than the layers, and what DELLA cannot draw.

    Args:
        recipe: A recipe without placeholders, whose structure is sound.
        parents: The headers of all models that it names.

    Yields:
        A line for each fault, with its place in the recipe.
    """
    known = methods().get(recipe.get("merge_method", ""), {}).get("parameters", {})
    for setting in settings(recipe):
        of_output = known.get(setting.key, {}).get("scope") == "shared"
        yield from unreached(setting)
        yield from stretched(setting, _layers(parents))
        names = {
            name
            for span in setting.spans
            for model in _models(span, setting.model)
            for name, _ in tensors_of(span, parents, None if of_output else model)
        }
        yield from unmatched(setting, names)
    yield from della_faults(recipe, lambda span, model: tensors_of(span, parents, model))


def tensors_of(span: Span, parents: list[Headers], model: str | None) -> Iterator[tuple[str, float]]:
    """Yield the names by which MergeKit looks up the settings of a model, or those of the whole merge.

    Args:
        span: The layers.
        parents: The headers of the recipe's models.
        model: The model; None for the settings of the whole merge, whose layers are counted anew.

    Yields:
        Each name, and how far its layer is between the first (0) and the last (1) of the slice.
    """
    templates, loose = _names(parents)
    for name in loose:  # MergeKit may take the head for a tensor before the layers
        if span.first or (span.last and group_of(name) != "embeddings"):
            yield name, 0
    if span.ranges is None:
        start, end = 0, _layers(parents)
    elif model is None:
        start, end = span.offset, span.offset + (span.layers or 0)
    else:
        start, end = span.ranges.get(model, (0, 0))
    for index in range(end - start):
        for before, after in templates:
            yield f"{before}{start + index}{after}", index / (end - start - 1) if end - start > 1 else 1


def unmatched(setting: Setting, names: Iterable[str]) -> Iterator[str]:
    """Find filters that no tensor's name has, or whose tensors are all taken by filters before them.

    Args:
        setting: A setting.
        names: The names that MergeKit compares with its filters.

    Yields:
        A line for each, with its place in the recipe and the nearest part of a name.
    """
    left = sorted(names)
    for number, condition in enumerate(conditions(setting.value)):
        taken = [name for name in left if takes(condition, name)]
        where = f"{setting.place}[{number}]" if isinstance(setting.value, list) else setting.place
        if not taken and not matches_all(condition) and names:
            what = condition["filter"]
            if any(what in name for name in names):
                yield (
                    f"{where}.filter: all tensors with {what!r} are taken by the filters before it; put it "
                    "before them, or drop it"
                )
            else:
                yield (
                    f"{where}.filter: no tensor that this is for has {what!r} in its name; "
                    f"{nearest_part(what, names)}"
                )
        left = [name for name in left if name not in set(taken)]


def nearest_part(filter_: str, names: Iterable[str]) -> str:
    """Suggest a part of a tensor's name in place of a filter, as the end of a message."""
    listed = [[part for part in name.split(".") if not part.isdigit()] for name in names]
    single = {part for name in listed for part in name}
    longer = {".".join(name[k : k + 2]) for name in listed for k in range(len(name) - 1)}
    known = sorted(single | longer) if "." in filter_ else sorted(single)
    same = [part for part in known if part.lower() == filter_.lower()]
    return nearest(same[0] if same else filter_, known)


def _names(parents: list[Headers]) -> tuple[list[tuple[str, str]], list[str]]:
    """The names of the tensors of all parents: what is before and after the layer's number, and the rest."""
    templates: dict[tuple[str, str], None] = {}
    loose: dict[str, None] = {}
    for name in (name for parent in parents for name in parent.tensors):
        if found := LAYER.search(name):
            start, end = found.span(1) if found[1] else found.span(2)
            templates[name[:start], name[end:]] = None
        else:
            loose[name] = None
    return list(templates), list(loose)


def _layers(parents: list[Headers]) -> int:
    """The number of layers of the deepest parent."""
    return max((parent.layers for parent in parents), default=0)


def _models(span: Span, model: str | None) -> list[str | None]:
    """The models whose tensors a setting is for; None stands for all of them."""
    if model is not None:
        return [model]
    return [None] if span.ranges is None else list(span.ranges)
