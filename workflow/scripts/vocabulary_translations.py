"""Translate the terms: `term, translation, source, status, reason, alternatives`, every term of the study.

A term whose translation was refused, or did not pass the checks, has none: its row says why.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator

import pandas as pd
import regex
from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_tsv, write_tsv
from lexmerge.common.journal import Journal, key_of
from lexmerge.common.languages import has_script, name, scripts
from lexmerge.common.prompts import fill, read_prompt
from lexmerge.run.job import job
from lexmerge.services import costs
from lexmerge.services.asking import Limits, ask_all
from lexmerge.services.openai_chat import Chat
from pydantic import BaseModel, ConfigDict, ValidationError

LONGEST = 60  # characters of a translation; what is longer is a sentence, or a definition
SENTENCE = regex.compile(r"\p{Sentence_Terminal}$|[\p{Cc}\p{Zl}\p{Zp}]")  # its end, or more than one line
BRACKETS = regex.compile(r"[\p{Ps}\p{Pe}]")


class Answer(BaseModel):
    """What a model is asked to answer with, and nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True)
    translation: str
    alternatives: list[str]


# Written out, since it is a part of every request: a docstring or a release of pydantic must not change it.
FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "translation",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "translation": {"type": "string"},
                "alternatives": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["translation", "alternatives"],
            "additionalProperties": False,
        },
    },
}


def row(
    term: str, translation: str, source: str, status: str, reason: str = "", alternatives: str = ""
) -> dict:
    return {
        "term": term,
        "translation": translation,
        "source": source,
        "status": status,
        "reason": reason,
        "alternatives": alternatives,
    }


def from_table(table: pd.DataFrame, path: str) -> dict[str, str]:
    """Translations by case-folded term, from the columns `term` and `translation`."""
    known: dict[str, str] = {}
    for term, translation in zip(table.term.map(_key), table.translation.map(str.strip), strict=True):
        if translation and known.setdefault(term, translation) != translation:
            raise StudyError(f"{path}: {term!r} has two translations, {known[term]!r} and {translation!r}")
    return known


def translate_from_table(terms: list[str], known: dict[str, str], path: str, languages: dict) -> list[dict]:
    """Every term looked up; a table is believed, and what is odd in it is flagged."""
    missing = [term for term in terms if _key(term) not in known]
    if missing:
        raise StudyError(
            f"{path}: no translation of {len(missing)} of {len(terms)} terms, such as "
            f"{', '.join(missing[:5])}; add them to the table"
        )
    rows = []
    for term in terms:
        translation = known[_key(term)]
        doubts = [reason for _, reason in faults(term, translation, languages)]
        odd = "; ".join(doubts or remarks(term, translation))
        rows.append(row(term, translation, path, "odd" if odd else "ok", odd))
    return rows


def untranslated(terms: list[str]) -> list[dict]:
    """Every term stands for itself, and says so: for a look at the machinery, not for a result."""
    return [row(term, term, "untranslated", "ok") for term in terms]


def faults(term: str, translation: str, languages: dict) -> Iterator[tuple[str, str]]:
    """What speaks against a translation, as (status, reason); the first is the gravest."""
    source, target = languages["source"], languages["target"]
    if not translation.strip():
        yield "empty", "nothing was given"
    elif not has_script(translation, target):
        yield "wrong_script", f"{translation!r} has no letter of the script of {name(target)}"
    elif translation.casefold() == term.casefold() and not set(scripts(source)) & set(scripts(target)):
        yield "untranslated", f"{translation!r} is the term itself"
    if len(translation) > LONGEST or SENTENCE.search(translation):
        yield "sentence", f"{translation!r} is a sentence and no term"


def remarks(term: str, translation: str) -> Iterator[str]:
    """What a person should look at; the translation is used all the same."""
    if translation.casefold() == term.casefold():
        yield "the same as the term"
    if BRACKETS.search(translation):
        yield "has brackets"


def request_for(term: dict, prompt: str, languages: dict, settings: dict) -> dict:
    """The body of one request."""
    asked = fill(
        prompt,
        term["term"],
        semantic_tag=term["semantic_tag"] or "not stated",
        source_language=name(languages["source"]),
        target_language=name(languages["target"]),
    )
    message = {"role": "user", "content": asked}
    return {
        "model": settings["model"],
        "messages": [message],
        "response_format": FORMAT,
        **settings["parameters"],
    }


def outcome(term: str, answer: dict, languages: dict) -> dict:
    """A row from a model's answer: a translation that passed the checks, or the reason why there is none."""
    source = answer["model"]
    if answer.get("refusal"):
        return row(term, "", source, "refused", _line(answer["refusal"]))
    if answer["finish_reason"] == "content_filter":
        return row(term, "", source, "blocked", "the provider's content filter")
    if answer["finish_reason"] == "length":
        return row(term, "", source, "truncated", "the answer was cut at the limit of tokens")
    try:
        said = Answer.model_validate_json(answer["text"])
    except ValidationError:
        return row(term, "", source, "unparsable", _line(answer["text"]))
    translation = said.translation.strip()
    alternatives = " | ".join(_line(a) for a in said.alternatives)
    for status, reason in faults(term, translation, languages):
        return row(term, "", source, status, _line(reason), alternatives)
    odd = "; ".join(remarks(term, translation))
    return row(term, translation, source, "odd" if odd else "ok", odd, alternatives)


def flag_shared(rows: list[dict]) -> list[dict]:
    """Terms that have one translation between them say so: in the target language they are one term."""
    sharing = defaultdict(list)
    for found in rows:
        if found["translation"]:
            sharing[found["translation"]].append(found["term"])
    flagged = []
    for found in rows:
        others = [term for term in sharing.get(found["translation"], []) if term != found["term"]]
        if others:
            reason = f"the same translation as {', '.join(others)}"
            reason = f"{found['reason']}; {reason}" if found["reason"] else reason
            found = found | {"status": "odd", "reason": reason}
        flagged.append(found)
    return flagged


def ask_model(
    terms: list[dict], prompt: str, languages: dict, settings: dict, journal: str, limits: Limits
) -> list[dict]:
    """A model's translation of every term (rows of `terms.tsv`); each is paid for once."""
    bodies = [request_for(term, prompt, languages, settings) for term in terms]
    requests = [{"server": settings["base_url"], "body": body} for body in bodies]
    kept = Journal(journal)
    if any(key_of(request) not in kept for request in requests):
        chat = Chat(settings["base_url"], settings.get("key_variable"))
        ask_all(requests, lambda request: chat.send(request["body"]), kept, limits, what="term")
    answers = [kept.get(key_of(request)) for request in requests]
    return [outcome(term["term"], answer, languages) for term, answer in zip(terms, answers, strict=True)]


def translate(terms: list[dict], settings: dict, languages: dict, journal: str, limits: Limits) -> list[dict]:
    """A row a term, in the order of the terms (rows of `terms.tsv`); what a person overrides is not asked."""
    overrides = settings.get("overrides")
    ours = from_table(read_tsv(overrides, ["term", "translation"]), overrides) if overrides else {}
    rest = [term for term in terms if _key(term["term"]) not in ours]
    words = [term["term"] for term in rest]
    if settings["provider"] == "table":
        path = settings["path"]
        known = from_table(read_tsv(path, ["term", "translation"]), path)
        made = translate_from_table(words, known, path, languages)
    elif settings["provider"] == "openai":
        made = ask_model(rest, read_prompt(settings["prompt"]), languages, settings, journal, limits)
    else:
        made = untranslated(words)
    theirs = {found["term"]: found for found in made}
    return flag_shared(
        [
            theirs.get(term) or row(term, ours[_key(term)], overrides, "ok")
            for term in (term["term"] for term in terms)
        ]
    )


def _key(term: str) -> str:
    """A term as it is looked up, however it was typed."""
    return unicodedata.normalize("NFC", term).strip().lower()


def _line(text: str) -> str:
    """A text that fits into a cell of a table."""
    return " ".join(text.split())[:200]


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params, speed = snakemake.input, snakemake.params, snakemake.resources
        terms = read_tsv(given.terms).to_dict("records")
        if params.settings["provider"] == "openai":
            costs.stop_if_too_dear(snakemake.config["resolved"], len(terms))
        limits = Limits(speed.connections, speed.requests_per_minute)
        rows = translate(terms, params.settings, params.languages, params.journal, limits)
        write_tsv(snakemake.output[0], pd.DataFrame(rows))
