"""Whether MergeKit would write all tensors of a model, by the names of its tensors and its config.

MergeKit merges the tensors that it has a list of, from a file for each architecture or from the model as
transformers builds it, and leaves out the others without an error. Where transformers names or joins tensors
otherwise than the file does, as it does with the experts of a mixture, it writes the names of transformers,
which other programs do not read.
"""

import json
import re
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lexmerge.common.files import write_json
from lexmerge.models.checkpoints import Headers
from lexmerge.models.files import BUFFERS, INDEX

REMEDY = "take a dense model for text alone of a kind that MergeKit covers, such as a Llama, Qwen or Gemma"
IN_CODE = ("Glm4MoeForCausalLM",)  # MergeKit has a file for it, and adds to that in code


def fault_by_definition(parent: Headers) -> str | None:
    """Find tensors that MergeKit's file for an architecture lacks, without importing MergeKit.

    Args:
        parent: The model's headers.

    Returns:
        The fault with its remedy; None if there is none, MergeKit is not installed, or it has no file for
        this architecture.
    """
    architecture = _architecture(parent.config)
    known = _definitions().get(architecture, [])
    own = [one for one in known if one["model_type"] == parent.config.get("model_type")]
    if not known or architecture in IN_CODE:
        return None
    covered = re.compile("|".join(_patterns((own or known)[0])))
    return _left_out(parent, [name for name in parent.tensors if not covered.fullmatch(name)])


def fault_by_mergekit(parent: Headers) -> str | None:
    """Find tensors that MergeKit would leave out of a merge, or would miss, by asking MergeKit.

    Importing MergeKit takes seconds, and its answer on thousands of experts minutes, so that what its files
    say comes first. No weights are read.

    Args:
        parent: The model's headers.

    Returns:
        The fault with its remedy; None if MergeKit would write all tensors, or the model needs its own code,
        for which `own_code` refuses it.
    """
    if "auto_map" in parent.config:
        return None
    if fault := fault_by_definition(parent):
        return fault
    written, missed, error = _asked(json.dumps(parent.config, sort_keys=True), tuple(parent.tensors))
    if error or missed:
        reason = error or f"MergeKit needs {missed[0]}, which these weights lack ({len(missed)} missing)"
        return f"{parent.name}: {_architecture(parent.config)} cannot be merged, since {reason}; {REMEDY}"
    return _left_out(parent, [name for name in parent.tensors if name not in written])


def _left_out(parent: Headers, names: list[str]) -> str | None:
    """The fault of tensors that a merge would not have."""
    if not names:
        return None
    return (
        f"{parent.name}: MergeKit merges {_architecture(parent.config)} without {len(names)} of its "
        f"{len(parent.tensors)} tensors, or writes them under names that only transformers reads (the first "
        f"is {names[0]}); {REMEDY}, or a copy without these tensors if it works without them"
    )


def _architecture(config: dict[str, Any]) -> str:
    """The architecture in a config."""
    named = config.get("architectures")
    return str(named[0]) if isinstance(named, list) and named else "a model without `architectures`"


@cache
def _definitions() -> dict[str, list[dict[str, Any]]]:
    """The content of MergeKit's files on architectures, by architecture; empty if it is not installed."""
    found: dict[str, list[dict[str, Any]]] = {}
    spec = find_spec("mergekit")
    for place in (spec.submodule_search_locations or []) if spec else []:
        for file in sorted(Path(place, "_data", "architectures").glob("*.json")):
            content = json.loads(file.read_text(encoding="utf-8"))
            for architecture in content["architectures"]:
                found.setdefault(architecture, []).append(content)
    return found


def _patterns(definition: dict[str, Any]) -> Iterator[str]:
    """A regular expression for each name that a tensor of an architecture may have on file."""
    modules = definition.get("modules") or {"default": {"architecture": definition}}
    for module in modules.values():
        parts, prefix = module["architecture"], module.get("weight_prefix") or ""
        listed = [*parts["pre_weights"], *parts["layer_templates"]["weights"], *parts["post_weights"]]
        for weight in listed:
            for name in [weight["name"], *(weight.get("aliases") or [])]:
                yield r"\d+".join(re.escape(piece) for piece in re.split(r"\$\{[^}]*\}", prefix + name))


@cache
def _asked(config: str, names: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...], str]:
    """The names on file that MergeKit would write, those that it would miss, or why it cannot begin."""
    from mergekit.architecture import get_architecture_info
    from mergekit.architecture.conversion import can_convert_checkpoint_keys
    from mergekit.common import ModelReference
    from mergekit.config import MergeConfiguration
    from mergekit.options import MergeOptions
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    present = set(names)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(config, encoding="utf-8")
        write_json(Path(folder, INDEX), {"weight_map": dict.fromkeys(names, "none.safetensors")})
        recipe = {"merge_method": "linear", "models": [{"model": folder, "parameters": {"weight": 1}}]}
        try:
            asked = MergeConfiguration.model_validate(recipe)
            full = ModelReference.model_validate(folder).config(trust_remote_code=False)
            options = MergeOptions(trust_remote_code=False)
            weights = get_architecture_info(asked, options).all_weights(full)
        except Exception as error:  # the libraries raise errors of many kinds
            lines = str(error).splitlines() or [type(error).__name__]
            return frozenset(), (), f"MergeKit fails ({' ... '.join(dict.fromkeys([lines[0], lines[-1]]))})"
    if type(full) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        return frozenset(), (), f"transformers has no model for text alone of the kind {full.model_type}"
    known = {weight: {weight.name, *(weight.aliases or ())} for weight in weights}
    missed = [
        weight.name
        for weight, its_names in known.items()
        if not weight.optional
        and not present & {*its_names, *(weight.tied_names or ())}
        and not weight.name.endswith(BUFFERS)
        and not can_convert_checkpoint_keys(full.model_type, present, weight.name)
    ]
    return frozenset[str]().union(*known.values()), tuple(missed), ""
