"""LoRA adapters in PEFT's format: whether an adapter fits a model, and what it changes in which tensor.

The formulas are those of PEFT's forward pass. With a scale s of alpha / r (rsLoRA: alpha / sqrt(r)), a layer
with the weight W and the factors A and B computes with W + s B A; DoRA then gives each row a learned length.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lexmerge.common.errors import StudyError
from lexmerge.common.plurals import counted
from lexmerge.models.checkpoints import Headers, quantised_weights
from lexmerge.models.files import (
    ADAPTER,
    ADAPTER_WEIGHTS,
    HEADS,
    VOCABULARY,
    Tensors,
    header,
    read_object,
)
from lexmerge.models.tokens import TOKENIZER, above, tokens_of

PREFIX = "base_model.model."  # of all names in an adapter
LEARNED = re.compile(
    r"(?P<module>.+)\.(?P<part>lora_A\.weight|lora_B\.weight|lora_B\.bias|lora_embedding_A|lora_embedding_B"
    r"|lora_magnitude_vector(?:\.weight)?|token_adapter\.trainable_tokens_delta)"
)
NEW = re.compile(
    r"(?P<module>.+?)(?P<wrapped>(?:\.token_adapter)?\.base_layer|\.modules_to_save)?\.(?P<part>weight|bias)"
)
CONV1D = ("gpt2", "imagegpt", "decision_transformer", "openai-gpt")  # kinds with transposed weights
# Ways to start training that leave the model's own weights as they are; others, such as PiSSA, change them.
HARMLESS_STARTS = (True, False, None, "gaussian", "orthogonal", "eva")
# Keys of adapter_config.json that are read here, or that only matter while the adapter is trained.
READ = {
    *("peft_type", "r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora", "lora_bias"),
    *(
        "bias",
        "modules_to_save",
        "target_modules",
        "exclude_modules",
        "layers_to_transform",
        "layers_pattern",
    ),
    *("fan_in_fan_out", "init_lora_weights", "trainable_token_indices", "ensure_weight_tying"),
    *("base_model_name_or_path", "revision"),
}
TRAINING = {
    *("task_type", "auto_mapping", "peft_version", "inference_mode", "lora_dropout", "megatron_config"),
    *("megatron_core", "eva_config", "corda_config", "lora_ga_config", "loftq_config", "qalora_group_size"),
    *("runtime_config", "velora_config", "merge_weights"),
}


@dataclass(frozen=True)
class Adapter:
    """An adapter without the values of its weights.

    Attributes:
        place: Its folder or hub id, for messages.
        config: The content of adapter_config.json.
        tensors: The shape and dtype of each tensor by its name in the file.
        tokens: The ids by token of a tokenizer that comes with the adapter; None without one.
    """

    place: str
    config: dict[str, Any]
    tensors: Tensors
    tokens: dict[str, int | str] | None = None


@dataclass
class Change:
    """What an adapter does to one module of a model.

    Attributes:
        peft: The module's name in PEFT, which the patterns of an adapter's config are for.
        learned: The names in the adapter's file by part, such as `lora_A.weight`.
        new: The names in the adapter's file of the `weight` and `bias` that replace the model's.
    """

    peft: str = ""
    learned: dict[str, str] = field(default_factory=dict)
    new: dict[str, str] = field(default_factory=dict)


def read_adapter(folder: str | Path, place: str | None = None) -> Adapter:
    """Read an adapter's config and the header of its weights.

    Args:
        folder: The adapter's folder.
        place: What messages call it; by default the absolute path of the folder.

    Raises:
        StudyError: A file is missing or damaged.
    """
    folder = Path(folder).absolute()
    place = place or str(folder)
    if not (folder / ADAPTER).is_file():
        raise StudyError(f"{place} has no {ADAPTER}, so it is not an adapter in PEFT's format")
    if not (folder / ADAPTER_WEIGHTS).is_file():
        pickled = " and pickled weights are not read" if (folder / "adapter_model.bin").is_file() else ""
        raise StudyError(
            f"{place} has no {ADAPTER_WEIGHTS}{pickled}; save the adapter as safetensors with PEFT"
        )
    return adapter_from_files(folder, place, header(folder / ADAPTER_WEIGHTS))


def adapter_from_files(folder: Path, place: str, tensors: Tensors) -> Adapter:
    """Combine the known header of an adapter's weights with the small files in a folder."""
    tokens = tokens_of(str(folder)) if has_tokenizer(folder) else None
    return Adapter(place, read_object(folder / ADAPTER), tensors, tokens)


def has_tokenizer(folder: Path) -> bool:
    """True if a folder has a tokenizer that transformers loads by itself."""
    return any((folder / name).is_file() for name in TOKENIZER)


def adapter_faults(adapter: Adapter, base: Headers, source: str) -> Iterator[str]:
    """Find reasons why an adapter cannot be folded into a model exactly as PEFT applies it.

    Args:
        adapter: The adapter.
        base: The headers of the model.
        source: The hub id or folder of the model.

    Yields:
        A sentence for each reason.
    """
    kind_faults = list(_kind_faults(adapter))
    yield from kind_faults or _base_faults(adapter, source)
    if kind_faults:
        return
    if fault := quantised_weights(base):
        yield f"{base.name}: {fault}"
        return
    if bare := [name for name in adapter.tensors if not name.startswith(PREFIX)]:
        yield (
            f"{adapter.place}: {bare[0]} of {ADAPTER_WEIGHTS} does not begin with `{PREFIX}`, as PEFT names "
            "tensors; save the adapter with PEFT"
        )
        return
    modules, unknown = changes(adapter, base)
    if unknown:
        more = f" and {counted(len(unknown) - 1, 'more tensor')}" if unknown[1:] else ""
        yield (
            f"{adapter.place}: {unknown[0]}{more} of {ADAPTER_WEIGHTS} belong to no module of {base.name}; "
            f"name the model that the adapter was trained on ({_trained_on(adapter)})"
        )
        return
    faults = [
        fault for name, change in modules.items() for fault in _change_faults(adapter, base, name, change)
    ]
    if faults:
        more = f" ({counted(len(faults) - 1, 'more fault')} of this kind)" if faults[1:] else ""
        yield f"{adapter.place}: {faults[0]}{more}; the adapter's model is {_trained_on(adapter)}"
        return
    yield from _target_faults(adapter, modules, base)
    yield from _row_faults(adapter, base, modules)


def _trained_on(adapter: Adapter) -> str:
    """The model that an adapter says it was trained on, for messages."""
    return str(adapter.config.get("base_model_name_or_path") or "not named in its config")


def _kind_faults(adapter: Adapter) -> Iterator[str]:
    """Kinds of adapters that are not a change of the weights, or that are not known."""
    place, config = adapter.place, adapter.config
    kind = config.get("peft_type")
    if kind != "LORA":
        yield f"{place}: an adapter of the kind {kind!r}; only LoRA adapters can be folded into a model"
        return
    start = config.get("init_lora_weights", True)
    if start not in HARMLESS_STARTS:
        yield (
            f"{place}: it was trained from `init_lora_weights: {start}`, which also changes the weights of "
            "its model; save it as a plain LoRA (PEFT: `path_initial_model_for_weight_conversion`)"
        )
    for key in sorted(config.keys() - READ - TRAINING):
        if config[key]:
            yield (
                f"{place}: `{key}` of {ADAPTER} is not supported; merge this adapter into its model with "
                "PEFT, and name the folder as a model"
            )
    if config.get("bias", "none") not in ("none", "all", "lora_only"):
        yield f"{place}: `bias: {config['bias']}` of {ADAPTER} is not one of none, all and lora_only"
    if config.get("use_dora") and config.get("lora_bias"):
        yield f"{place}: `use_dora` with `lora_bias`, which PEFT does not support either"
    for key, value in _odd_values(config):
        yield f"{place}: `{key}: {value!r}` of {ADAPTER} cannot be used; correct it in a copy of the adapter"
    if not adapter.tensors:
        yield f"{place}: {ADAPTER_WEIGHTS} holds no tensors"


def _odd_values(config: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The keys and values of a config that PEFT could not use either."""

    def rank(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31

    def alpha(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30

    def regex(value: Any) -> bool:
        try:
            return isinstance(value, str) and re.compile(value) is not None
        except re.error:
            return False

    def by_module(value: Any, right: Callable[[Any], bool]) -> bool:
        return isinstance(value, dict) and all(regex(key) and right(item) for key, item in value.items())

    def rows(value: Any) -> bool:
        return isinstance(value, list) and all(isinstance(n, int) and not isinstance(n, bool) for n in value)

    def names(value: Any) -> bool:
        return isinstance(value, list) and all(isinstance(name, str) for name in value)

    def layers(value: Any) -> bool:
        return rows(value) or (isinstance(value, int) and not isinstance(value, bool))

    checks: dict[str, Callable[[Any], bool]] = {
        "r": rank,
        "lora_alpha": alpha,
        "rank_pattern": lambda value: by_module(value, rank),
        "alpha_pattern": lambda value: by_module(value, alpha),
        "target_modules": lambda value: names(value) or regex(value),
        "exclude_modules": lambda value: names(value) or regex(value),
        "modules_to_save": names,
        "layers_to_transform": layers,
        "trainable_token_indices": lambda value: (
            rows(value) or (isinstance(value, dict) and all(rows(item) for item in value.values()))
        ),
    }
    for key, right in checks.items():
        if config.get(key) is not None and not right(config[key]):
            yield key, config[key]


def _base_faults(adapter: Adapter, source: str) -> Iterator[str]:
    """An adapter that names another model of the hub; a path says nothing about which model it was."""
    named = adapter.config.get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        return
    both_of_hub = not Path(source).exists() and not Path(named).exists() and named.count("/") == 1
    if both_of_hub and not named.startswith(("/", ".", "~")) and named.lower() != source.lower():
        yield (
            f"{adapter.place}: the adapter was trained on {named}, not on {source}; name that model, or, if "
            f"both have the same weights, correct `base_model_name_or_path` in a copy of its {ADAPTER}"
        )


def changes(adapter: Adapter, base: Headers) -> tuple[dict[str, Change], list[str]]:
    """Assign the tensors of an adapter to the modules of a model.

    Args:
        adapter: The adapter.
        base: The headers of the model.

    Returns:
        The changes by the module's name in the model's files, and the tensors that belong to no module.
    """
    found: dict[str, Change] = {}
    unknown = []
    for name in adapter.tensors:
        if ".original_module." in name and name.replace(".original_module", "") in adapter.tensors:
            continue  # the weights before the training, which PEFT keeps beside those of `modules_to_save`
        match = LEARNED.fullmatch(name.removeprefix(PREFIX)) or NEW.fullmatch(name.removeprefix(PREFIX))
        module = _module_of(match["module"], base) if match and name.startswith(PREFIX) else None
        if match is None or module is None:
            unknown.append(name)
            continue
        change = found.setdefault(module, Change(match["module"]))
        part = "lora_magnitude_vector" if match["part"].startswith("lora_mag") else match["part"]
        (change.new if match.re is NEW else change.learned)[part] = name
    return found, unknown


def _module_of(name: str, base: Headers) -> str | None:
    """The name of a module in the files of a model, which some models save without their first part."""
    if name == "lm_head" and head_of(base) == "embed_out.weight":
        name = "embed_out"  # so are the files of GPT-NeoX, and transformers has the other name
    for tried in (name, name.partition(".")[2]):
        if tried and (f"{tried}.weight" in base.tensors or (f"{tried}.weight" in HEADS and base.tied)):
            return tried
    return None


def head_of(base: Headers) -> str:
    """The name of the head's tensor on file, or the one that a head would have."""
    other = "embed_out.weight" if base.config.get("model_type") == "gpt_neox" else HEADS[0]
    return next((name for name in HEADS if name in base.tensors), other)


def shape_of(base: Headers, name: str) -> tuple[int, ...]:
    """The shape of a tensor; a tied head has that of the embeddings. Empty if there is no such tensor."""
    if name not in base.tensors and name in HEADS and (embeddings := base.embeddings):
        name = embeddings
    return base.tensors[name][0] if name in base.tensors else ()


def transposed(base: Headers, module: str) -> bool:
    """True if a module's weight is stored as inputs by outputs, as in GPT-2, and not the other way round."""
    return base.config.get("model_type") in CONV1D and f"{module}.weight" not in HEADS


def of_module(pattern: Any, module: str, default: Any) -> Any:
    """The value for a module: of the first pattern that matches the end of its name, or the default."""
    for key, value in pattern.items() if isinstance(pattern, dict) else ():
        if re.match(rf"(.*\.)?({key})$", module):
            return value
    return default


def rank_of(adapter: Adapter, change: Change) -> int:
    """The rank of a module's two matrices."""
    return int(of_module(adapter.config.get("rank_pattern"), change.peft, adapter.config.get("r", 8)))


def scale(adapter: Adapter, change: Change) -> float:
    """The factor before the product of a module's two matrices."""
    config, rank = adapter.config, rank_of(adapter, change)
    alpha = of_module(config.get("alpha_pattern"), change.peft, config.get("lora_alpha", 8))
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _change_faults(adapter: Adapter, base: Headers, module: str, change: Change) -> Iterator[str]:
    """Shapes and parts of the change of one module that do not fit."""
    shapes = {part: adapter.tensors[name][0] for part, name in {**change.learned, **change.new}.items()}
    weight = shapes.get("weight") or shape_of(base, f"{module}.weight")
    vocabulary = f"{module}.weight".endswith(VOCABULARY)
    old = shape_of(base, f"{module}.weight")
    if weight[1:] != old[1:] or (weight[:1] != old[:1] and not vocabulary):
        yield f"the new {module}.weight has the shape {list(weight)}, the model's {list(old)}"
    bias = f"{module}.bias"
    of_head = f"{module}.weight" in HEADS and shapes.get("bias") == weight[:1]
    if "bias" in shapes and not (
        bias in base.tensors and (of_head or base.tensors[bias][0] == shapes["bias"])
    ):
        yield f"the model has no {bias} of the shape {list(shapes['bias'])}, which the adapter replaces"
    if "lora_B.bias" in shapes and (
        bias not in base.tensors or base.tensors[bias][0] != shapes["lora_B.bias"]
    ):
        yield f"`lora_bias` needs {bias} of the shape {list(shapes['lora_B.bias'])}, which the model has not"
    embedding = "lora_embedding_A" in shapes or "lora_embedding_B" in shapes
    first, second = (
        ("lora_embedding_A", "lora_embedding_B") if embedding else ("lora_A.weight", "lora_B.weight")
    )
    if {first, second} & shapes.keys():
        yield from _pair_faults(adapter, base, module, change, (first, second), weight)
    elif "lora_magnitude_vector" in shapes or "lora_B.bias" in shapes:
        yield f"{module} lacks lora_A and lora_B"
    if (delta := shapes.get("token_adapter.trainable_tokens_delta")) is not None:
        wanted = indices(adapter, change)
        if len(weight) != 2 or delta != (len(wanted), *weight[1:]):
            yield f"{module} has new rows of the shape {list(delta)} for {counted(len(wanted), 'token')}"
        elif any(not 0 <= row < weight[0] for row in wanted):
            yield f"`trainable_token_indices` of {module} are not all among its {weight[0]} rows"


def _pair_faults(
    adapter: Adapter,
    base: Headers,
    module: str,
    change: Change,
    names: tuple[str, str],
    weight: tuple[int, ...],
) -> Iterator[str]:
    """Faults of the two matrices of a module, and of its magnitudes."""
    shapes = {part: adapter.tensors[name][0] for part, name in change.learned.items()}
    a, b = (shapes.get(name, ()) for name in names)
    if len(weight) != 2:
        yield f"{module} has a weight of the shape {list(weight)}, which is no matrix"
        return
    flipped = transposed(base, module) or names[0] == "lora_embedding_A"
    inputs, outputs = weight if flipped else weight[::-1]
    rank = rank_of(adapter, change)
    if a != (rank, inputs) or b != (outputs, rank):
        yield (
            f"{module} has the factors {names[0]} {list(a) or 'missing'} and {names[1]} "
            f"{list(b) or 'missing'}, not {[rank, inputs]} and {[outputs, rank]} of the rank {rank}"
        )
    size = shapes.get("lora_magnitude_vector")
    if bool(adapter.config.get("use_dora")) != (size is not None):
        yield f"{module} has {'no' if size is None else 'a'} lora_magnitude_vector, unlike `use_dora` says"
    elif size is not None and math.prod(size) != outputs:
        yield f"{module} has a lora_magnitude_vector of the shape {list(size)} for {outputs} outputs"


def indices(adapter: Adapter, change: Change) -> list[int]:
    """The rows of a module that an adapter trained by `trainable_token_indices`."""
    given, last = adapter.config.get("trainable_token_indices"), change.peft.split(".")[-1]
    if isinstance(given, dict):
        return list(next((rows for key, rows in given.items() if last == key.split(".")[-1]), []))
    return list(given or [])


def _target_faults(adapter: Adapter, modules: dict[str, Change], base: Headers) -> Iterator[str]:
    """Tensors of modules that the config does not name, and modules that it names without tensors."""
    config = adapter.config
    for module, change in modules.items():
        trained = [part for part in change.learned if not part.startswith("token_adapter")]
        if trained and not _targeted(config, change.peft):
            yield _ignored(adapter, change.learned[trained[0]], "`target_modules` and `layers_to_transform`")
        for part, name in change.new.items():
            vocabulary = f"{module}.weight".endswith(VOCABULARY)
            wrapped = ".base_layer." in name or ".modules_to_save." in name
            of_bias = part == "bias" and config.get("bias") in ("all", "lora_only")
            if not (_is_saved(config, change.peft) or vocabulary or (of_bias and (wrapped or not trained))):
                yield _ignored(adapter, name, "`modules_to_save` and `bias`")
    if config.get("layers_to_transform") is not None or config.get("exclude_modules"):
        return
    if config.get("init_lora_weights") == "eva":
        return
    for tensor in (name for name in base.tensors if name.endswith(".weight")):
        module = tensor.removesuffix(".weight")
        change = modules.get(module, Change())
        targets = config.get("target_modules")
        named = isinstance(targets, list) and any(module == n or module.endswith(f".{n}") for n in targets)
        for key, missing in (
            ("target_modules", named and not change.learned),
            ("modules_to_save", _is_saved(config, module) and not change.new),
        ):
            if missing:
                yield (
                    f"{adapter.place}: {ADAPTER_WEIGHTS} has no tensors for {module}, which `{key}` names; "
                    "save the adapter again"
                )
                return


def _ignored(adapter: Adapter, tensor: str, keys: str) -> str:
    """The fault of a tensor that PEFT does not apply."""
    return (
        f"{adapter.place}: {tensor} of {ADAPTER_WEIGHTS} is of a module that {keys} of {ADAPTER} do not "
        "name, so that PEFT ignores it; correct the config in a copy of the adapter, or remove the tensor"
    )


def _targeted(config: dict[str, Any], module: str) -> bool:
    """True if PEFT applies an adapter to a module, by the module's name in PEFT."""

    def named(names: Any) -> bool:
        if isinstance(names, str):
            return names == "all-linear" or re.fullmatch(names, module) is not None
        return any(module == name or module.endswith(f".{name}") for name in names)

    targets, left_out = config.get("target_modules"), config.get("exclude_modules")
    layers, layer = config.get("layers_to_transform"), re.search(r"\.(\d+)\.", module)
    if layers is not None and layer:
        chosen = layers if isinstance(layers, list) else [layers]
        if int(layer[1]) not in chosen:
            return False
    return (targets is None or named(targets)) and not (left_out and named(left_out))


def _is_saved(config: dict[str, Any], module: str) -> bool:
    """True if `modules_to_save` names a module or one around it, by the end of its name as PEFT does."""
    parts = module.split(".")
    around = [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
    return any(outer.endswith(name) for name in config.get("modules_to_save") or [] for outer in around)


def _row_faults(adapter: Adapter, base: Headers, modules: dict[str, Change]) -> Iterator[str]:
    """An extended vocabulary for which the adapter does not bring all rows, or no tokenizer."""
    name = base.embeddings
    if name is None:
        return
    rows, head = folded_rows(adapter, base, modules, name)
    if head is not None and head != rows:
        yield (
            f"{adapter.place}: the folded model would have {rows} embeddings and {head} rows of the head; "
            "the adapter has to bring both (`modules_to_save: [embed_tokens, lm_head]`)"
        )
    elif rows != base.tensors[name][0][0] and adapter.tokens is None:
        yield (
            f"{adapter.place}: the embeddings have {rows} rows for the model's {base.tensors[name][0][0]}, "
            "but no tokenizer came with the adapter; save the tokenizer of the training into its folder"
        )
    elif adapter.tokens and (found := above(adapter.tokens, rows)):
        yield (
            f"{adapter.place}: the token {found[0]!r} of its tokenizer has the id {found[1]}, but the "
            f"embeddings have {rows} rows; save the adapter with its embeddings, or remove its tokenizer"
        )


def folded_rows(
    adapter: Adapter, base: Headers, modules: dict[str, Change], embeddings: str
) -> tuple[int, int | None]:
    """The rows of the embeddings and of the head of a folded model; None for a head that is still tied."""

    def rows(name: str) -> int:
        new = modules.get(name.removesuffix(".weight"), Change()).new.get("weight")
        return adapter.tensors[new][0][0] if new else shape_of(base, name)[0]

    head = head_of(base)
    touched = {embeddings.removesuffix(".weight"), head.removesuffix(".weight")} & modules.keys()
    if base.tied and not touched:
        return rows(embeddings), None
    return rows(embeddings), rows(head)


def folded_headers(base: Headers, adapter: Adapter, name: str) -> Headers:
    """The headers of a model with an adapter folded in.

    Args:
        base: The headers of the model.
        adapter: An adapter without faults for it.
        name: The name of the folded model.
    """
    modules, _ = changes(adapter, base)
    embeddings = base.embeddings
    tensors, config = dict(base.tensors), dict(base.config)
    if base.tied:
        tensors = {name: tensor for name, tensor in tensors.items() if name not in HEADS}
    if embeddings is not None:
        rows, head = folded_rows(adapter, base, modules, embeddings)
        dtype = tensors[embeddings][1]
        new_shape = (rows, *tensors[embeddings][0][1:])
        tensors[embeddings] = (new_shape, dtype)
        if head is not None and not (base.tied and stays_tied(adapter, modules, embeddings)):
            tensors[head_of(base)] = (new_shape, dtype)
            config["tie_word_embeddings"] = False
        if "vocab_size" in config:
            config["vocab_size"] = rows
    return replace(base, name=name, config=config, tensors=tensors, tokens=adapter.tokens or base.tokens)


def stays_tied(adapter: Adapter, modules: dict[str, Change], embeddings: str) -> bool:
    """True if the embeddings and the head of a tied model are equal after the adapter is applied.

    They are if PEFT was told to keep them tied, if only rows of new tokens were trained, or if both were only
    saved, since the vocabulary was extended before the training.
    """
    if adapter.config.get("ensure_weight_tying") or adapter.config.get("trainable_token_indices"):
        return True
    head = modules.get("lm_head", modules.get("embed_out", Change()))
    both = (head, modules.get(embeddings.removesuffix(".weight"), Change()))
    return not adapter.config.get("modules_to_save") and all(c.new and not c.learned for c in both)
