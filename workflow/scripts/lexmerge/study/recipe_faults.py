"""Checks of recipes. MergeKit has none of them: it ignores misspelt keys and accepts impossible values."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

from lexmerge.common.errors import nearest
from lexmerge.merges.della import della_faults
from lexmerge.merges.idle_weights import idle_dimensions, idle_weights
from lexmerge.merges.methods import methods
from lexmerge.merges.recipes import NOT_MODELS, models_of, placeholders
from lexmerge.merges.settings import conditions, settings, stretched, unreached
from lexmerge.study.template_faults import template_fault
from lexmerge.study.violations import place_of, shown

CHAT_TEMPLATES = ["alpaca", "chatml", "exaone", "llama3", "mistral"]  # that come with MergeKit
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
# Smallest and largest sensible values; a parameter that is not listed may be any number.
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
DIVIDED_OUT = (
    " unless it is 0: with one model besides the base, MergeKit divides by it; set `normalize: false` or use "
    "`lambda` if the strength matters"
)
UNBOUNDED = {"nearswap": ["t"]}  # a distance in this method, not a fraction


def placeholder_faults(merge: dict[str, Any], place: str) -> Iterator[str]:
    """Find placeholders without a value, values without a placeholder, and placeholders with two values.

    Args:
        merge: The merge's definition in the config.
        place: Its config key, for the messages.

    Yields:
        A sentence for each fault.
    """
    used = list(placeholders(merge["recipe"]))
    given = {"values": merge.get("values", {}), "grid": merge.get("grid", {})}
    given["search.parameters"] = merge.get("search", {}).get("parameters", {})
    everywhere = [name for names in given.values() for name in names]
    for name in dict.fromkeys(used):
        if name not in everywhere:
            hint = nearest(name, everywhere)
            where = "`values`, `grid` or `search`"
            yield f"{place}.recipe: no value for {{{name}}}; set it in {where}: {hint}"
    for key, names in given.items():
        for name in names:
            if name not in used:
                yield f"{place}.{key}.{name}: the recipe has no {{{name}}}; {nearest(name, used)}"
    for (key, names), (other, others) in itertools.combinations(given.items(), 2):
        for name in names:
            if name in others:
                yield f"{place}.{other}.{name}: it is also in `{key}`; remove one of them"


def recipe_faults(recipe: dict[str, Any], place: str) -> Iterator[str]:
    """Check a recipe.

    Args:
        recipe: A recipe with a known `merge_method`; anything else in it may be wrong.
        place: Its place in the config, for the messages.

    Yields:
        A line for each fault.
    """
    found = list(_structure_faults(recipe, place))
    yield from found or _setting_faults(recipe, place)


def _setting_faults(recipe: dict[str, Any], place: str) -> Iterator[str]:
    """Find values of a recipe of sound structure that MergeKit would leave out or stop at."""
    for setting in settings(recipe):
        for fault in (*unreached(setting), *stretched(setting)):
            yield f"{place}.{fault}"
    for fault in della_faults(recipe):
        yield f"{place}.{fault}"


def _structure_faults(recipe: dict[str, Any], place: str) -> Iterator[str]:
    """Check the keys, models, layers and values of a recipe."""
    method, base = methods()[recipe["merge_method"]], recipe.get("base_model")
    yield from _unknown_keys(recipe, "recipe", place)
    yield from _dtype_faults(recipe, place)
    yield from _tokenizer_faults(recipe, place)
    yield from _template_faults(recipe, place)
    yield from _parameter_faults(recipe.get("parameters"), method, recipe["merge_method"], place)
    if method["base"] == "required" and not isinstance(base, str):
        yield f"{place}.base_model: missing; {recipe['merge_method']} needs a base model"
    sources = models_of([recipe.get(key) for key in ("models", "slices", "modules")])
    if method["base"] == "ignored" and base and sources and base not in sources:
        yield (
            f"{place}.base_model: {base!r} is not one of the merged models, and MergeKit would merge it in "
            f"as one more; {recipe['merge_method']} needs no base model: drop it, or name one of the models"
        )
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


def recipe_notes(recipe: dict[str, Any], place: str) -> Iterator[str]:
    """Yield a line for each setting of a sound recipe with no effect, or rarely the intended one."""
    method, base = methods()[recipe["merge_method"]], recipe.get("base_model")
    of_others = [name for name, p in method["parameters"].items() if p["scope"] == "non_base"]
    for where, entry in _entries(recipe, place):
        idle = [name for name in entry.get("parameters") or {} if name in of_others]
        if entry.get("model") == base and idle and method["base"] == "required":
            yield f"{where}: {', '.join(idle)} of the base model have no effect, only those of the others"
    if idle := [where for where, _ in idle_weights(recipe)]:
        more = f" (and {len(idle) - 1} more)" if idle[1:] else ""
        yield f"{place}.{idle[0]}{more}: the weight has no effect{DIVIDED_OUT}"
    if recipe.get("dtype") == "float16" and "dare" in recipe["merge_method"]:
        yield f"{place}.dtype: DARE in float16 can overflow; `dtype: float32` with `out_dtype` is safe"


def search_notes(merge: dict[str, Any], place: str) -> Iterator[str]:
    """Yield a line for each dimension of a search that has no effect on the merge.

    Args:
        merge: A merge as in the config, with a sound recipe.
        place: Its place in the config, for the messages.
    """
    dimensions = merge.get("search", {}).get("parameters", {})
    for name in idle_dimensions(merge["recipe"]) if dimensions else []:
        if name in dimensions:
            yield (
                f"{place}.search.parameters.{name}: the search spends its budget on a dimension without an "
                f"effect: {{{name}}} is a weight that has none{DIVIDED_OUT}"
            )


def _entries(node: object, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each mapping in a recipe that names a model, with its place."""
    if isinstance(node, dict):
        if "model" in node:
            yield place, node
        for key, value in node.items():
            yield from _entries(value, f"{place}.{key}")
    elif isinstance(node, list):
        for number, item in enumerate(node):
            yield from _entries(item, f"{place}[{number}]")


def _inputs(
    node: dict[str, Any],
    method: dict[str, Any],
    name: str,
    base: str | None,
    outer: list[dict[str, Any] | None],
    place: str,
) -> Iterator[str]:
    """Check the models or slices of a recipe or of one of its modules."""
    models, slices = node.get("models"), node.get("slices")
    for key, value in (("models", models), ("slices", slices)):
        if value is not None and not isinstance(value, list):
            yield f"{place}.{key}: not a list"
    if isinstance(models, list):
        added = [base] if base and method["base"] != "ignored" else []
        yield from _group(models, "model", method, name, base, outer, f"{place}.models", added)
    lengths: dict[int, int] = {}
    for number, part in enumerate(slices if isinstance(slices, list) else []):
        where = f"{place}.slices[{number}]"
        yield from _unknown_keys(part, "slice", where)
        if not isinstance(part, dict):
            continue
        if not isinstance(part.get("sources"), list):
            yield f"{where}.sources: missing; give the list of layers that make up this slice"
            continue
        yield from _parameter_faults(part.get("parameters"), method, name, where)
        ours = part.get("base_model", base)
        above = [part.get("parameters"), *outer]
        yield from _group(part["sources"], "source", method, name, ours, above, f"{where}.sources", [])
        faults = [
            fault
            for index, source in enumerate(part["sources"])
            for fault in _layer_faults(source, f"{where}.sources[{index}]")
        ]
        yield from faults
        if not faults:
            yield from _length_faults([source["layer_range"] for source in part["sources"]], where)
            lengths[number] = sum(end - start for start, end in (s["layer_range"] for s in part["sources"]))
    yield from _empty_faults(lengths, len(slices) if isinstance(slices, list) else 0, place)


def _length_faults(ranges: list[list[int]], place: str) -> Iterator[str]:
    """Find sources of a slice that have different numbers of layers."""
    if len(sizes := list(dict.fromkeys(end - start for start, end in ranges))) > 1:
        counts = " and ".join(map(str, sizes))
        yield f"{place}: its sources have {counts} layers; MergeKit needs the same number of each"


def _empty_faults(lengths: dict[int, int], slices: int, place: str) -> Iterator[str]:
    """Find slices without layers that give nothing to the merge, not even embeddings or a head."""
    if slices and len(lengths) == slices and not any(lengths.values()):
        yield f"{place}.slices: a merge without any layers; give one of them a longer layer_range"
        return
    for number, length in lengths.items():
        if not length and 0 < number < slices - 1:
            yield (
                f"{place}.slices[{number}]: it has no layers, and only the first slice gives the embeddings "
                "and the last the head, so that it has no effect; drop it"
            )


def _group(
    entries: list[Any],
    kind: str,
    method: dict[str, Any],
    name: str,
    base: str | None,
    outer: list[dict[str, Any] | None],
    place: str,
    added: list[str],
) -> Iterator[str]:
    """Check models that are merged with each other; MergeKit itself adds those in `added`."""
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
        yield f"{place}: a model is listed more than once"
    inputs = list(dict.fromkeys([*named, *added]))
    if method["base"] == "required" and base not in inputs:
        yield f"{place}: {name} needs the base model {base!r} among them; add it"
    yield from _counted(
        len(inputs), method["inputs"], f"{place}: {name} merges", "models including the base model"
    )
    others = len(inputs) - (base in inputs)
    yield from _counted(
        others, method["non_base"], f"{place}: {name} merges", "models besides the base model"
    )


def _counted(found: int, bounds: list[int | None], start: str, what: str) -> Iterator[str]:
    """A fault if a number of models is outside its bounds, each of which may be None."""
    least, most = bounds
    if (least is not None and found < least) or (most is not None and found > most):
        allowed = (
            f"exactly {least}"
            if least == most
            else f"at least {least}"
            if most is None
            else f"{least} to {most}"
        )
        yield f"{start} {allowed} {what}; here {'is' if found == 1 else 'are'} {found}"


def _missing(
    method: dict[str, Any],
    name: str,
    own: dict[str, Any] | None,
    outer: list[dict[str, Any] | None],
    is_base: bool,
    place: str,
) -> Iterator[str]:
    """Find parameters of one model that the method requires and that neither it nor an outer scope gives."""
    for key, spec in method["parameters"].items():
        if not spec["required"] or spec["scope"] == "shared" or (is_base and spec["scope"] == "non_base"):
            continue
        if not any(key in scope for scope in [own, *outer] if isinstance(scope, dict)):
            yield f"{place}.parameters.{key}: missing; {name} needs it for every model"


def _parameter_faults(
    parameters: object, method: dict[str, Any], name: str, place: str, of_one_model: bool = False
) -> Iterator[str]:
    """Check the names and values of parameters, of one model or of a whole merge."""
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
            yield f"{where}: it has no effect for a single model; put it under the merge's `parameters`"
        else:
            yield from _value_faults(value, key, known[key], name, where)


def _value_faults(value: object, key: str, spec: dict[str, Any], name: str, place: str) -> Iterator[str]:
    """Check a value: a scalar, a gradient over the layers, or a list of values by filter."""
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
            elif isinstance(item["value"], dict) or conditions(item["value"]):
                yield f"{where}.value: a condition inside of another; list them one after the other"
            else:
                yield from _value_faults(item["value"], key, spec, name, f"{where}.value")
            if not isinstance(item.get("filter", ""), str | None):
                yield f"{where}.filter: {item['filter']!r} is not text; a part of a tensor's name"
        if spec["required"] and all(item.get("filter") not in (None, "*") for item in value):
            yield f"{place}: tensors that match no filter have no value; let the last entry have no filter"
    elif not value or any(isinstance(item, dict | list) for item in value):
        yield f"{place}: a list must hold numbers (a gradient) or mappings with `value` and `filter`"
    else:
        for number, item in enumerate(value):
            yield from _scalar_faults(item, key, spec, name, f"{place}[{number}]")


def _scalar_faults(value: object, key: str, spec: dict[str, Any], name: str, place: str) -> Iterator[str]:
    """Check the type and range of a number or truth value."""
    if spec["type"] == "bool":
        if not isinstance(value, bool):
            yield f"{place}: {value!r} is not true or false"
        return
    if isinstance(value, str):  # YAML 1.1 reads 1e-5 as text, which MergeKit converts
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
    """Check the range of layers of a slice's source."""
    layers: Any = source.get("layer_range") if isinstance(source, dict) else None
    right = isinstance(layers, list) and len(layers) == 2 and all(type(n) is int for n in layers)
    if not right or not 0 <= layers[0] <= layers[1]:
        yield f"{place}.layer_range: {layers!r} is not [first, end], counted from 0, with the end excluded"


def _dtype_faults(recipe: dict[str, Any], place: str) -> Iterator[str]:
    """Find unknown number types."""
    for key in ("dtype", "out_dtype"):
        if key in recipe and recipe[key] not in DTYPES:
            yield f"{place}.{key}: {recipe[key]!r} is not one of the choices; {nearest(recipe[key], DTYPES)}"


def _tokenizer_faults(recipe: dict[str, Any], place: str) -> Iterator[str]:
    """Check the section `tokenizer`."""
    if "tokenizer" not in recipe:
        return
    tokenizer = recipe["tokenizer"]
    if "tokenizer_source" in recipe:
        yield f"{place}.tokenizer_source: `tokenizer` is given too; drop one of them"
    yield from _unknown_keys(tokenizer, "tokenizer", f"{place}.tokenizer")
    tokens = tokenizer.get("tokens") if isinstance(tokenizer, dict) else None
    for name, token in (tokens or {}).items():
        yield from _unknown_keys(token, "token", f"{place}.tokenizer.tokens.{name}")


def _template_faults(recipe: dict[str, Any], place: str) -> Iterator[str]:
    """Check the chat template: `auto`, one of MergeKit's own, or a template in Jinja."""
    if "chat_template" not in recipe:
        return
    template, where = recipe["chat_template"], f"{place}.chat_template"
    own = ["auto", *CHAT_TEMPLATES]
    if not isinstance(template, str):
        yield f"{where}: {shown(template)} is not text; {nearest('', own)}, or a template in Jinja"
    elif template in own:
        return
    elif len(template) < 20 or not ("{{" in template or "{%" in template):  # MergeKit tells by 20, too
        hint = f"{nearest(template, own)}, or the text of a template in Jinja"
        yield f"{where}: {shown(template)} is none of MergeKit's templates; {hint}"
    elif fault := template_fault(template):
        yield f"{where}: {fault}"


def tokenizer_source_faults(recipe: dict[str, Any], place: str, models: dict[str, Any]) -> Iterator[str]:
    """Find sources of the tokenizer that are neither a model nor one of MergeKit's own words.

    Args:
        recipe: The recipe.
        place: Its place in the config, for the messages.
        models: The study's models by name.

    Yields:
        A line for each fault.
    """
    tokenizer = recipe.get("tokenizer")
    given = {
        "tokenizer_source": recipe.get("tokenizer_source"),
        "tokenizer.source": tokenizer.get("source") if isinstance(tokenizer, dict) else None,
    }
    for key, source in given.items():
        if source is not None and (not isinstance(source, str) or source not in (*NOT_MODELS, *models)):
            yield f"{place}.{key}: {shown(source)} is unknown; {nearest(source, [*NOT_MODELS, *models])}"


def without_pasted(config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Take out the merges that are a recipe themselves, as when a model card is pasted in a merge's place.

    Args:
        config: A config laid over the toy study's, which may be wrong.

    Returns:
        The config without these merges, and a line for each of them.
    """
    merges, study = config.get("merges"), config.get("study")
    if not isinstance(merges, dict):
        return config, []
    if isinstance(merges.get("merge_method"), str):
        rest = {key: value for key, value in merges.items() if key not in KEYS["recipe"]}
        fault = "merges: this is a MergeKit recipe; give the merge a name and put it under `recipe:`, as"
        return config | {"merges": rest}, [f"{fault} `merges: {{my_merge: {{recipe: ...}}}}`"]
    pasted = [name for name, merge in merges.items() if _is_recipe(merge)]
    faults = [
        f"{place_of(['merges', name])}: this is a MergeKit recipe; put it under `recipe:`" for name in pasted
    ]
    rest = {name: merge for name, merge in merges.items() if name not in pasted}
    if pasted and isinstance(study, dict) and isinstance(study.get("merges"), list):
        study = study | {"merges": [name for name in study["merges"] if name not in pasted]}
    return config | {"merges": rest} | ({"study": study} if "study" in config else {}), faults


def _is_recipe(merge: object) -> bool:
    """True for a mapping with keys of a recipe in the place of a merge."""
    return isinstance(merge, dict) and "recipe" not in merge and not merge.keys().isdisjoint(KEYS["recipe"])


def _unknown_keys(node: object, kind: str, place: str) -> Iterator[str]:
    """Find keys that MergeKit would ignore, in a part of a recipe named in `KEYS`."""
    if not isinstance(node, dict):
        yield f"{place}: not a mapping with {', '.join(KEYS[kind])}"
        return
    for key in node:
        if key not in KEYS[kind]:
            yield f"{place}.{key}: unknown key; {nearest(key, KEYS[kind])}"
