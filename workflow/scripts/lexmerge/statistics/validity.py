"""Checks for differences between models other than knowledge: prompt, language, truncation, ...

A check has a value for each (measure, model): a share of the answers, or the name of a setting. A model is
affected when its value differs from that of the models it is compared with; a share must differ by more than
the tolerance.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from lexmerge.benchmarks.results import column, is_limited, metrics, size, tasks_of
from lexmerge.benchmarks.rows import Results, Sample
from lexmerge.common.files import read_tsv
from lexmerge.common.languages import says_something
from lexmerge.definitions.flags import FLAGS
from lexmerge.definitions.rows import NOT_ASKED, Definition
from lexmerge.judgements.outcome import Judgement

Checks = dict[str, Any]  # {check: value}: a share from 0 to 1, or the name of a setting
Facts = dict[tuple[str, str, str], Checks]  # by (kind, measure, model)

COLUMNS = ["kind", "measure", "model", "check", "value", "affected", "why"]
SHARES = {
    "truncated": "truncated answers",
    "empty": "empty answers",
    "echo": "answers that only repeat the question",
    "wrong_language": "answers in another language's script",
    "repetition": "repetitive answers",
    "unscored": "answers without a score",
    "not_a_number": "log-likelihoods that are not numbers",
}
SETTINGS = {
    "language": "language mismatch",
    "prompt": "different prompt",
    "input": "same prompt, different tokens (another tokenizer or chat template)",
    "decoding": "different decoding",
    "engine": "different engine",
    "judge_model": "different version of the judge",
    "tokenizer": "different tokenizer",
    "substitute": "substitute judge",
    "documents": "different documents",
    "sampled": "different subset of the documents",
    "harness": "different harness settings",
}
# The files of a checkpoint with its tokenizer, and those with its chat template.
TOKENS = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt")
CHAT = ("chat_template.jinja", "tokenizer_config.json")
AGREE = "the same computation"
# Checks that affect a cell by themselves, without a comparison: the values that do, and the reason.
SPOILT = {
    "controls": (("failed", "untested"), "the judge has not passed its controls"),
    "references": (("the same texts",), "the definitions of {model} are the judge's references"),
    "number": (("none",), "no score for {model}"),
}


def of_definitions(definitions: list[Definition]) -> Checks:
    """Check a model's definitions; this needs no judge.

    Args:
        definitions: The rows of its definitions.

    Returns:
        The value of each check; empty when every term was skipped.
    """
    asked = [row for row in definitions if row["finish_reason"] != NOT_ASKED]
    if not asked:
        return {}
    shares = {flag: share(flag in row["flags"] for row in asked) for flag in FLAGS}
    return shares | {
        "language": ", ".join(dict.fromkeys(row["prompt_language"] for row in asked)),
        "prompt": short({row["prompt_sha256"] for row in asked}),
        "input": short({row["term"]: row["input_sha256"] for row in asked}),
        "decoding": ", ".join(dict.fromkeys(row["decoding"] for row in asked)),
        "engine": ", ".join(dict.fromkeys(row["engine"] for row in asked)),
    }


def of_judgements(judgements: list[Judgement], controls: str, substitute_for: str = "") -> Checks:
    """Check a judge's judgements of one model.

    Args:
        judgements: The rows of the judgements.
        controls: The judge's result in its controls: `passed`, `failed` or `untested`.
        substitute_for: The model that the judge is a substitute for; empty if it is none.

    Returns:
        The value of each check.
    """
    asked = [row for row in judgements if row["status"] != "no_translation"]
    answered = sorted({row["judge_model"] for row in asked if row["judge_model"]})
    unscored = share(row["score"] is None for row in asked)
    version = {"judge_model": ", ".join(answered)} if answered else {}
    stands = f"for {substitute_for}" if substitute_for else "no"
    return {"unscored": unscored, "controls": controls, "substitute": stands} | version


def of_results(results: Results, samples: list[Sample]) -> dict[str, Checks]:
    """Check one model's results of a suite.

    Args:
        results: The results.
        samples: The samples, one row each.

    Returns:
        The value of each check, by column.
    """
    checks: dict[str, Checks] = {}
    for name, metric, value in metrics(results):
        tasks = tasks_of(results, name)
        rows = [row for row in samples if row["task"] in tasks]
        texts = [text for row in rows for text in row["responses"] if isinstance(text, str)]
        files = TOKENS + (CHAT if results["config"].get("chat_template") else ())
        checks[column(name, metric)] = {
            "number": "none" if value is None else "a number",
            "not_a_number": share(None in _flat(row["responses"]) for row in rows),
            "documents": f"{size(results, name)} ({short([row['doc_hash'] for row in rows])})",
            "sampled": f"first {results['config']['limit']}" if is_limited(results, name) else "all",
            "prompt": short([row["prompt_hash"] for row in rows]),
            "tokenizer": short({file: results["model_files"].get(file) for file in files}),
            "harness": short([results["config"], results["lm_eval_version"]]),
        } | ({"empty": share(not says_something(text) for text in texts)} if texts else {})
    return checks


def of_parents(differences: list[str] | None) -> Checks:
    """Check whether a merge's parents compute in the same way, by `parents_differ` of its provenance.

    Without that record there is no such check.
    """
    return {} if differences is None else {"parents": "; ".join(differences) or AGREE}


def share(held: Iterable[bool]) -> float:
    """The share of true values; 0 for no values."""
    held = list(held)
    return sum(held) / len(held) if held else 0.0


def _flat(values: list[Any]) -> list[Any]:
    """Flatten one level of nested lists."""
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def table(facts: Facts, baseline: str, tolerance: float) -> pd.DataFrame:
    """The table of all checks, tables/validity.tsv.

    Shares are compared with the smallest share among the models asked in the same language, settings with
    those of the baseline.

    Args:
        facts: The values of all checks.
        baseline: The name of the model that settings are compared with.
        tolerance: Shares that differ by no more than this count as equal, from 0 to 1.

    Returns:
        A row for each check, with the columns `COLUMNS`.
    """
    by_measure: dict[tuple[str, str], dict[str, Checks]] = {}
    for (kind, measure, model), checks in facts.items():
        by_measure.setdefault((kind, measure), {})[model] = checks
    least = {key: _least(models) for key, models in by_measure.items()}
    rows = []
    for (kind, measure, model), checks in facts.items():
        models = by_measure[kind, measure]
        for check, value in checks.items():
            other = least[kind, measure][checks.get("language"), check] if check in SHARES else baseline
            why = reason(check, (model, checks), (other, models.get(other, checks)), tolerance)
            rows.append((kind, measure, model, check, shown(value), bool(why), why))
    return pd.DataFrame(rows, columns=COLUMNS)


def _least(models: dict[str, Checks]) -> dict[tuple[str | None, str], str]:
    """The model with the smallest share, by (language that the models were asked in, check)."""
    least: dict[tuple[str | None, str], str] = {}
    for model, checks in models.items():
        for check in checks.keys() & SHARES.keys():
            key = checks.get("language"), check
            if key not in least or checks[check] < models[least[key]][check]:
                least[key] = model
    return least


def read_facts(path: str) -> Facts:
    """Read the values of all checks back from tables/validity.tsv."""
    facts: Facts = {}
    for row in read_tsv(path, COLUMNS).to_dict("records"):
        value = float(row["value"]) if row["check"] in SHARES else row["value"]
        facts.setdefault((row["kind"], row["measure"], row["model"]), {})[row["check"]] = value
    return facts


def reason(check: str, one: tuple[str, Checks], other: tuple[str, Checks], tolerance: float) -> str:
    """The reason why a check makes a model incomparable with another.

    Args:
        check: The name of the check.
        one: The name of the model, and the values of its checks.
        other: The name of the other model, and the values of its checks.
        tolerance: Shares that differ by no more than this count as equal, from 0 to 1.

    Returns:
        A phrase for the tables; empty if the check does not speak against comparing the two.
    """
    (model, ours), (their_model, theirs) = one, other
    if check == "parents":
        return "" if ours[check] == AGREE else f"the parents of {model} compute differently: {ours[check]}"
    if check == "ends":  # for the record: answers that do not end show as truncated
        return ""
    if check in SPOILT:
        spoilt, why = SPOILT[check]
        return why.format(model=model) if ours[check] in spoilt else ""
    if check not in theirs or ours[check] == theirs[check]:
        return ""
    if check in SHARES:
        if round(abs(ours[check] - theirs[check]) - tolerance, 9) <= 0:
            return ""
        return f"{SHARES[check]}: {model} {ours[check]:.1%}, {their_model} {theirs[check]:.1%}"
    follows = ours.get("language") != theirs.get("language") and check in ("prompt", "input")
    if follows or (check == "input" and ours["prompt"] != theirs["prompt"]):
        return ""  # the check `language` or `prompt` reports it
    if check in ("language", "decoding"):
        return f"{SETTINGS[check]} ({ours[check]}, {their_model} {theirs[check]})"
    return SETTINGS[check]


def caveats(facts: Facts, measure: tuple[str, str], model: str, baseline: str, tolerance: float) -> list[str]:
    """The reasons against comparing two models by a measure.

    Args:
        facts: The values of all checks.
        measure: The kind and the name of the measure.
        model: The name of the first model.
        baseline: The name of the second model.
        tolerance: Shares that differ by no more than this count as equal, from 0 to 1.

    Returns:
        The reasons, as phrases, without duplicates.
    """
    ours, theirs = facts.get((*measure, model), {}), facts.get((*measure, baseline), {})
    reasons = [reason(check, (model, ours), (baseline, theirs), tolerance) for check in ours]
    reasons += [
        reason(check, (baseline, theirs), (model, ours), tolerance) for check in theirs if check in SPOILT
    ]
    return list(dict.fromkeys(why for why in reasons if why))


def shown(value: float | str) -> str:
    """Format a check's value for the table: shares with four decimals."""
    return f"{value:.4f}" if isinstance(value, float | int) else value


def short(value: object) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of a JSON-like value; sets are sorted first."""
    plain = sorted(value) if isinstance(value, set) else value
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
