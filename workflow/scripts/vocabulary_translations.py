"""Translate the terms: a table with a row (`translator.Translation`) for each term of the study.

A translation that was refused or did not pass the checks is empty, and its row has the reason.
"""

from typing import Any

import pandas as pd
from lexmerge.common.files import read_tsv, write_tsv
from lexmerge.run.job import job
from lexmerge.services.costs import stop_if_too_expensive
from lexmerge.services.limits import Limits
from lexmerge.vocabulary.translation_checks import flag_shared
from lexmerge.vocabulary.translation_table import lookup_key, read_translations
from lexmerge.vocabulary.translator import TRANSLATORS, Translation, translation


def translate(
    terms: list[dict[str, Any]],
    settings: dict[str, Any],
    languages: dict[str, str],
    journal: str,
    limits: Limits,
) -> list[Translation]:
    """Translate the terms; the translations in the user's table `overrides` take precedence.

    Args:
        terms: Rows of `terms.tsv`.
        settings: `translations` in the config.
        languages: The study's `source` and `target` language codes.
        journal: Path of the journal of a language model's answers.
        limits: Limits of the requests to its service.

    Returns:
        A row for each term, in their order.
    """
    overrides = settings.get("overrides")
    ours = read_translations(overrides) if overrides else {}
    rest = [term for term in terms if lookup_key(term["term"]) not in ours]
    made = TRANSLATORS[settings["provider"]].translate(rest, settings, languages, journal, limits)
    theirs = {row["term"]: row for row in made}
    return flag_shared(
        [
            theirs.get(term) or translation(term, ours[lookup_key(term)], str(overrides), "ok")
            for term in (term["term"] for term in terms)
        ]
    )


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params, speed = snakemake.input, snakemake.params, snakemake.resources
        terms = read_tsv(given.terms).to_dict("records")
        stop_if_too_expensive(snakemake.config["resolved"], params.settings["provider"], len(terms))
        limits = Limits(speed.connections, speed.requests_per_minute)
        rows = translate(terms, params.settings, params.languages, params.journal, limits)
        write_tsv(snakemake.output[0], pd.DataFrame(rows))
