"""Faults of recipes. MergeKit reports none of them: it ignores misspelt keys and takes impossible values."""

import math
from collections.abc import Iterator

from lexmerge.common.errors import nearest
from lexmerge.merges.methods import methods

DTYPES = ["bfloat16", "float16", "float32", "float64"]
KEYS = {
    "recipe": [
        *("merge_method", "base_model", "models", "slices", "modules", "parameters", "dtype", "out_dtype"),
        *("tokenizer", "tokenizer_source", "chat_template"),
    ],
    "model": ["model", "parameters"],
    "slice": ["sources", "base_model", "residual_weight", "parameters"],
    "source": ["model", "layer_range", "parameters"],
    "module": ["models", "slices", "parameters"],
    "tokenizer": ["source", "tokens", "pad_to_multiple_of"],
    "token": ["source", "force"],
    "condition": ["filter", "value"],
}
# What values make sense; a parameter that is not here may be any number. MergeKit checks none of them.
RANGES = {
    "alpha": (0, math.inf),
    "density": (0, 1),
    "eps": (0, 1),
    "epsilon": (0, 1),
    "gamma": (0, 1),
    "max_iter": (1, math.inf),
    "r": (0, math.inf),
    "select_topk": (0, 1),
    "t": (0, 1),
    "tol": (0, math.inf),
}
UNBOUNDED = {"nearswap": ["t"]}  # a distance there, and no fraction


def recipe_faults(recipe: dict, place: str) -> Iterator[str]:
    """Everything that is wrong with a recipe of which only the method's name is known to be right."""
    method, base = methods()[recipe["merge_method"]], recipe.get("base_model")
    yield from _unknown_keys(recipe, "recipe", place)
    yield from _dtype_faults(recipe, place)
    yield from _tokenizer_faults(recipe, place)
    yield from _parameter_faults(recipe.get("parameters"), method, recipe["merge_method"], place)
    if method["base"] == "required" and not isinstance(base, str):
        yield f"{place}.base_model: missing; {recipe['merge_method']} compares the others with it"
        return
    given = [key for key in ("models", "slices", "modules") if recipe.get(key)]
    if len(given) != 1:
        what = " and ".join(given) or "none of them"
        yield f"{place}: a recipe has either models, slices or modules; this one has {what}"
    yield from _inputs(recipe, method, recipe["merge_method"], base, [recipe.get("parameters")], place)
    modules = recipe.get("modules") or {}
    for name, module in modules.items() if isinstance(modules, dict) else []:
        where = f"{place}.modules.{name}"
        yield from _unknown_keys(module, "module", where)
        if isinstance(module, dict):
            yield from _parameter_faults(module.get("parameters"), method, recipe["merge_method"], where)
            outer = [module.get("parameters"), recipe.get("parameters")]
            yield from _inputs(module, method, recipe["merge_method"], base, outer, where)


def recipe_notes(recipe: dict, place: str) -> Iterator[str]:
    """What is allowed and has no effect, or seldom the effect that was meant."""
    method, base = methods()[recipe["merge_method"]], recipe.get("base_model")
    of_others = [name for name, p in method["parameters"].items() if p["scope"] == "non_base"]
    for where, entry in _entries(recipe, place):
        idle = [name for name in entry.get("parameters") or {} if name in of_others]
        if entry.get("model") == base and idle and method["base"] == "required":
            yield f"{where}: {', '.join(idle)} of the base model have no effect; only the others' have"
    if recipe.get("dtype") == "float16" and "dare" in recipe["merge_method"]:
        yield f"{place}.dtype: DARE in float16 can overflow; `dtype: float32` with `out_dtype` is safe"


def _entries(node: object, place: str) -> Iterator[tuple[str, dict]]:
    """Every mapping in a recipe that names a model, with its place."""
    if isinstance(node, dict):
        if "model" in node:
            yield place, node
        for key, value in node.items():
            yield from _entries(value, f"{place}.{key}")
    elif isinstance(node, list):
        for number, item in enumerate(node):
            yield from _entries(item, f"{place}[{number}]")


def _inputs(node: dict, method: dict, name: str, base: str | None, outer: list, place: str) -> Iterator[str]:
    """Faults of the models or slices of a recipe or of one of its modules."""
    models, slices = node.get("models"), node.get("slices")
    for key, value in (("models", models), ("slices", slices)):
        if value is not None and not isinstance(value, list):
            yield f"{place}.{key}: not a list"
    if isinstance(models, list):
        added = [base] if base and method["base"] != "ignored" else []
        yield from _group(models, "model", method, name, base, outer, f"{place}.models", added)
    for number, part in enumerate(slices if isinstance(slices, list) else []):
        where = f"{place}.slices[{number}]"
        yield from _unknown_keys(part, "slice", where)
        if not isinstance(part, dict):
            continue
        if not isinstance(part.get("sources"), list):
            yield f"{where}.sources: missing; the list of layers that this slice is made of"
            continue
        yield from _parameter_faults(part.get("parameters"), method, name, where)
        ours = part.get("base_model", base)
        above = [part.get("parameters"), *outer]
        yield from _group(part["sources"], "source", method, name, ours, above, f"{where}.sources", [])
        for index, source in enumerate(part["sources"]):
            yield from _layer_faults(source, f"{where}.sources[{index}]")


def _group(
    entries: list, kind: str, method: dict, name: str, base: str | None, outer: list, place: str, added: list
) -> Iterator[str]:
    """Faults of models that are merged with each other; `added` are those that MergeKit adds by itself."""
    named = []
    for number, entry in enumerate(entries):
        where = f"{place}[{number}]"
        yield from _unknown_keys(entry, kind, where)
        if not isinstance(entry, dict):
            continue
        if not isinstance(entry.get("model"), str):
            yield f"{where}.model: missing; the name of a model"
            continue
        named.append(entry["model"])
        yield from _parameter_faults(entry.get("parameters"), method, name, where, of_one_model=True)
        is_base = entry["model"] == base and method["base"] != "ignored"
        yield from _missing(method, name, entry.get("parameters"), outer, is_base, where)
    for shared in (p for p, spec in method["parameters"].items() if spec["scope"] == "shared"):
        if method["parameters"][shared]["required"] and not any(shared in (o or {}) for o in outer):
            yield f"{place.rpartition('.')[0]}.parameters.{shared}: missing; {name} needs it"
    if len(set(named)) < len(named):
        yield f"{place}: the same model more than once"
    inputs = list(dict.fromkeys([*named, *added]))
    if method["base"] == "required" and base not in inputs:
        yield f"{place}: {name} compares with the base model, and {base!r} is not among them; add it"
    yield from _counted(
        len(inputs), method["inputs"], f"{place}: {name} merges", "models with the base model"
    )
    others = len(inputs) - (base in inputs)
    yield from _counted(others, method["non_base"], f"{place}: {name} merges", "models beside the base model")


def _counted(found: int, bounds: list, said: str, what: str) -> Iterator[str]:
    least, most = bounds
    if (least is not None and found < least) or (most is not None and found > most):
        allowed = (
            f"exactly {least}"
            if least == most
            else f"at least {least}"
            if most is None
            else f"{least} to {most}"
        )
        yield f"{said} {allowed} {what}; here {'is' if found == 1 else 'are'} {found}"


def _missing(
    method: dict, name: str, own: dict | None, outer: list, is_base: bool, place: str
) -> Iterator[str]:
    """Parameters of one model that the method needs and that stand nowhere."""
    for key, spec in method["parameters"].items():
        if not spec["required"] or spec["scope"] == "shared" or (is_base and spec["scope"] == "non_base"):
            continue
        if not any(key in scope for scope in [own, *outer] if isinstance(scope, dict)):
            yield f"{place}.parameters.{key}: missing; {name} needs it of every model"


def _parameter_faults(
    parameters: object, method: dict, name: str, place: str, of_one_model: bool = False
) -> Iterator[str]:
    if parameters is None:
        return
    if not isinstance(parameters, dict):
        yield f"{place}.parameters: not a mapping of parameters to values"
        return
    known = method["parameters"]
    for key, value in parameters.items():
        where = f"{place}.parameters.{key}"
        if key not in known:
            yield f"{where}: {name} has no such parameter; {nearest(key, list(known))}"
        elif of_one_model and known[key]["scope"] == "shared":
            yield f"{where}: it is one for all models and has no effect here; put it under the merge's own"
        else:
            yield from _value_faults(value, key, known[key], name, where)


def _value_faults(value: object, key: str, spec: dict, name: str, place: str) -> Iterator[str]:
    """A value is a scalar, a gradient over the layers, or a list of values by filter."""
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        yield from _scalar_faults(value, key, spec, name, place)
    elif value and all(isinstance(item, dict) for item in value):
        for number, item in enumerate(value):
            where = f"{place}[{number}]"
            yield from _unknown_keys(item, "condition", where)
            if "value" not in item:
                yield f"{where}.value: missing"
            else:
                yield from _value_faults(item["value"], key, spec, name, f"{where}.value")
        if spec["required"] and all(item.get("filter") not in (None, "*") for item in value):
            yield f"{place}: tensors that no filter names have no value; let the last one have no filter"
    elif not value or any(isinstance(item, dict | list) for item in value):
        yield f"{place}: a list is a gradient of numbers, or values with a `filter` each"
    else:
        for number, item in enumerate(value):
            yield from _scalar_faults(item, key, spec, name, f"{place}[{number}]")


def _scalar_faults(value: object, key: str, spec: dict, name: str, place: str) -> Iterator[str]:
    if spec["type"] == "bool":
        if not isinstance(value, bool):
            yield f"{place}: {value!r} is not true or false"
        return
    if isinstance(value, str):  # YAML 1.1 takes 1e-5 for a text, and MergeKit takes the text for a number
        try:
            value = float(value)
        except ValueError:
            yield f"{place}: {value!r} is not a number"
            return
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        yield f"{place}: {value!r} is not a number"
        return
    if spec["type"] == "int" and value != int(value):
        yield f"{place}: {value!r} is not a whole number"
    low, high = RANGES.get(key, (-math.inf, math.inf))
    if not low <= value <= high and key not in UNBOUNDED.get(name, []):
        bound = f"at least {low}" if high == math.inf else f"between {low} and {high}"
        yield f"{place}: {value!r} is not {bound}"


def _layer_faults(source: object, place: str) -> Iterator[str]:
    layers = source.get("layer_range") if isinstance(source, dict) else None
    right = isinstance(layers, list) and len(layers) == 2 and all(type(n) is int for n in layers)
    if not right or not 0 <= layers[0] < layers[1]:
        yield f"{place}.layer_range: {layers!r} is not [first, end], counted from 0 and without the end"


def _dtype_faults(recipe: dict, place: str) -> Iterator[str]:
    for key in ("dtype", "out_dtype"):
        if key in recipe and recipe[key] not in DTYPES:
            yield f"{place}.{key}: {recipe[key]!r} is not one of the choices; {nearest(recipe[key], DTYPES)}"


def _tokenizer_faults(recipe: dict, place: str) -> Iterator[str]:
    if "tokenizer" not in recipe:
        return
    tokenizer = recipe["tokenizer"]
    if "tokenizer_source" in recipe:
        yield f"{place}.tokenizer_source: `tokenizer` is there too; drop one of them"
    yield from _unknown_keys(tokenizer, "tokenizer", f"{place}.tokenizer")
    tokens = tokenizer.get("tokens") if isinstance(tokenizer, dict) else None
    for name, token in (tokens or {}).items():
        yield from _unknown_keys(token, "token", f"{place}.tokenizer.tokens.{name}")


def _unknown_keys(node: object, kind: str, place: str) -> Iterator[str]:
    if not isinstance(node, dict):
        yield f"{place}: not a mapping with {', '.join(KEYS[kind])}"
        return
    for key in node:
        if key not in KEYS[kind]:
            yield f"{place}.{key}: unknown key; {nearest(key, KEYS[kind])}"
