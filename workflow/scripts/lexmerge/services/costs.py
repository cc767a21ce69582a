"""Costs of a study's language models: estimates before the first request, and prices of used tokens."""

import math
from typing import Any

from lexmerge.common.errors import StudyError
from lexmerge.common.prompts import read_prompt
from lexmerge.services.provider import PROVIDERS, is_own_server

WIDE = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]"
TERM, ANSWER, TRANSLATED = 12, 150, 40  # assumed tokens of a term, a judge's answer, a translation
BATCH = 0.5  # share of the price that OpenAI and Google charge for requests in a batch
COLUMNS = ["what", "model", "calls", "input_tokens", "output_tokens", "usd"]


def calls_of_controls(study: dict[str, Any], terms: int) -> int:
    """Number of requests for the control questions of one judge.

    Args:
        study: The resolved study.
        terms: Number of terms of the study.
    """
    controls = study["judging"]["controls"]
    return int(min(controls["terms"], terms) * (3 + controls["repeats"]))


def tokens(text: str) -> int:
    """Estimate the number of tokens of a text: 1 for a CJK character, 1 for 4 other characters."""
    import regex  # Snakemake reads this module at every start

    wide = len(regex.findall(WIDE, text))
    return math.ceil(wide + (len(text) - wide) / 4)


def usd_per_million(settings: dict[str, Any]) -> tuple[float, float] | None:
    """Look up the price of a judge's or translator's model.

    Args:
        settings: The judge's or translator's settings in the resolved study.

    Returns:
        US dollars per million input and output tokens, from the settings or from genai-prices; None if the
        price is unknown. The user's own servers without a key cost nothing.
    """
    name = settings["provider"]
    if settings.get("price"):
        price = settings["price"]["input"], settings["price"]["output"]
    elif is_own_server(name, settings["base_url"]):
        if settings.get("key_variable"):
            return None
        price = 0.0, 0.0
    elif PROVIDERS[name].prices is None:
        return None
    else:
        from genai_prices import Usage, calc_price

        try:
            million = Usage(input_tokens=10**6, output_tokens=10**6)
            found = calc_price(million, settings["model"], provider_id=PROVIDERS[name].prices)
        except LookupError:
            return None
        price = float(found.input_price), float(found.output_price)
    share = BATCH if settings.get("mode") == "batch" else 1
    return price[0] * share, price[1] * share


def cost(settings: dict[str, Any], input_tokens: int, output_tokens: int) -> float | None:
    """Cost of the tokens in US dollars; None if the price is unknown. See `usd_per_million`."""
    price = usd_per_million(settings)
    return None if price is None else (input_tokens * price[0] + output_tokens * price[1]) / 1e6


def estimate(study: dict[str, Any], terms: int) -> list[dict[str, Any]]:
    """Estimate the requests, tokens and costs of a whole study.

    Definitions are assumed to have their maximum length. The estimate leaves out the reasoning tokens of
    judges that think before they answer.

    Args:
        study: The resolved study.
        terms: Number of terms of the study.

    Returns:
        A row with `COLUMNS` for the translations and for each judge, if a language model makes them. `usd`
        is in US dollars, or None if the price is unknown.
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
    """A row of the estimate; `asked` and `answered` are tokens of one request."""
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
    """Stop a job before its first request if the whole study may cost more than `judging.max_cost`.

    Args:
        study: The resolved study.
        provider: The job's provider; nothing is checked unless it is in `PROVIDERS`.
        terms: Number of terms of the study.

    Raises:
        StudyError: If the estimate is above the limit, or one of the prices is unknown.
    """
    most = study["judging"].get("max_cost")
    if most is None or provider not in PROVIDERS:
        return
    rows = estimate(study, terms)
    if unknown := [row["what"] for row in rows if row["usd"] is None]:
        raise StudyError(
            f"no price is known for {', '.join(unknown)}: set its `price`, or remove judging.max_cost"
        )
    total = sum(row["usd"] for row in rows)
    if total > most:
        parts = ", ".join(f"{row['what']} {row['usd']:.2f}" for row in rows)
        raise StudyError(
            f"this study may cost {total:.2f} dollars ({parts}), more than judging.max_cost ({most:.2f}); no "
            "request was sent. Raise judging.max_cost, or use fewer terms, models or judges"
        )
