"""Costs of a study's language models: estimated before anything is sent, and counted afterwards."""

import math
from typing import Any

import regex
from genai_prices import Usage, calc_price

from lexmerge.common.errors import StudyError
from lexmerge.common.prompts import read_prompt
from lexmerge.services.provider import PROVIDERS, is_own_server

WIDE = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]")
TERM, ANSWER, TRANSLATED = 12, 150, 40  # tokens of a term, of a judge's answer, of a translation
BATCH = 0.5  # of the price: what OpenAI and Google take for requests in a batch
COLUMNS = ["what", "model", "calls", "input_tokens", "output_tokens", "usd"]


def calls_of_controls(study: dict[str, Any], terms: int) -> int:
    """How many requests the control questions of one judge take.

    Args:
        study: The resolved study.
        terms: How many terms it has.
    """
    controls = study["judging"]["controls"]
    return int(min(controls["terms"], terms) * (3 + controls["repeats"]))


def tokens(text: str) -> int:
    """Estimate the tokens of a text: four letters each, but one for a kana, hangul or Chinese character."""
    wide = len(WIDE.findall(text))
    return math.ceil(wide + (len(text) - wide) / 4)


def usd_per_million(settings: dict[str, Any]) -> tuple[float, float] | None:
    """The price of a judge's or translator's model.

    Args:
        settings: Its settings in the resolved study.

    Returns:
        US dollars for a million tokens sent, and answered; None if the price is not known. A server of the
        user's own that wants no key costs nothing.
    """
    name = settings["provider"]
    if settings.get("price"):
        price = settings["price"]["input"], settings["price"]["output"]
    elif is_own_server(name, settings["base_url"]):
        if settings.get("key_variable"):
            return None
        price = 0.0, 0.0
    else:
        try:
            million = Usage(input_tokens=10**6, output_tokens=10**6)
            found = calc_price(million, settings["model"], provider_id=PROVIDERS[name].prices)
        except LookupError:
            return None
        price = float(found.input_price), float(found.output_price)
    share = BATCH if settings.get("mode") == "batch" else 1
    return price[0] * share, price[1] * share


def cost(settings: dict[str, Any], input_tokens: int, output_tokens: int) -> float | None:
    """The cost of so many tokens in US dollars; None if the price is not known. See `usd_per_million`."""
    price = usd_per_million(settings)
    return None if price is None else (input_tokens * price[0] + output_tokens * price[1]) / 1e6


def estimate(study: dict[str, Any], terms: int) -> list[dict[str, Any]]:
    """Estimate the requests of a whole study.

    Definitions are taken to be as long as they may be. Judges that think before they answer cost more.

    Args:
        study: The resolved study.
        terms: How many terms it has.

    Returns:
        A row with `COLUMNS` for the translations and for each judge that asks a language model. `usd` is in
        dollars, or None if the price is not known.
    """
    rows = []
    translations, longest = study["translations"], study["definitions"]["max_new_tokens"]
    if translations["provider"] in PROVIDERS:
        asked = tokens(read_prompt(translations["prompt"])) + 2 * TERM
        rows.append(_row("translations", translations, terms, asked, TRANSLATED))
    tested = len(study["study"]["models"]) + len(study["study"]["merges"])
    languages = 2 if study["definitions"]["both_languages"] else 1
    for name, judge in study["judges"].items():
        if judge["provider"] not in PROVIDERS:
            continue
        calls = terms * tested * languages + calls_of_controls(study, terms)
        texts = 1 if judge["blind"] else 2
        asked = tokens(read_prompt(judge["prompt"])) + 2 * TERM + texts * longest
        rows.append(_row(f"judge {name}", judge, calls, asked, ANSWER))
    return rows


def _row(what: str, settings: dict[str, Any], calls: int, asked: int, answered: int) -> dict[str, Any]:
    usd = cost(settings, calls * asked, calls * answered)
    return {
        "what": what,
        "model": settings["model"],
        "calls": calls,
        "input_tokens": calls * asked,
        "output_tokens": calls * answered,
        "usd": None if usd is None else round(usd, 2),
    }


def stop_if_too_expensive(study: dict[str, Any], provider: str, terms: int) -> None:
    """Stop a job before it sends anything if the whole study may cost more than `judging.max_cost`.

    Args:
        study: The resolved study.
        provider: What the job asks; nothing is checked for one that is no language model.
        terms: How many terms the study has.

    Raises:
        StudyError: If the estimate is above the limit, or a price that it needs is not known.
    """
    most = study["judging"].get("max_cost")
    if most is None or provider not in PROVIDERS:
        return
    rows = estimate(study, terms)
    if unknown := [row["what"] for row in rows if row["usd"] is None]:
        raise StudyError(f"no price is known of {', '.join(unknown)}: give it as `price`, or drop max_cost")
    total = sum(row["usd"] for row in rows)
    if total > most:
        parts = ", ".join(f"{row['what']} {row['usd']:.2f}" for row in rows)
        raise StudyError(
            f"this study may cost {total:.2f} dollars ({parts}), and judging.max_cost is {most:.2f}: nothing "
            "was asked; raise it, or select less"
        )
