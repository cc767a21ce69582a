"""What a study's language models cost: estimated before anything is sent, and counted afterwards."""

import math

import regex
from genai_prices import Usage, calc_price

from lexmerge.common.errors import StudyError
from lexmerge.common.prompts import read_prompt
from lexmerge.services.providers import KEYS, OPENAI

WIDE = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]")
TERM, ANSWER, TRANSLATED = 12, 150, 40  # tokens of a term, of a judge's answer, of a translator's
BATCH = 0.5  # of the price: what both providers take for a batch
COLUMNS = ["what", "model", "calls", "input_tokens", "output_tokens", "usd"]


def calls_of_controls(study: dict, terms: int) -> int:
    """How often a judge is asked for its controls, in a study of so many terms: see `controls.py`."""
    controls = study["judging"]["controls"]
    return min(controls["terms"], terms) * (3 + controls["repeats"])


def tokens(text: str) -> int:
    """About how many tokens a text takes: a fourth of its letters, or all where each is a word's part."""
    wide = len(WIDE.findall(text))
    return math.ceil(wide + (len(text) - wide) / 4)


def usd_per_million(settings: dict) -> tuple[float, float] | None:
    """Of a million tokens, in and out; None if nobody knows it. A server that wants no key costs nothing."""
    if settings.get("price"):
        price = settings["price"]["input"], settings["price"]["output"]
    elif settings["provider"] == "openai" and settings["base_url"] != OPENAI:
        if settings.get("key_variable"):
            return None
        price = 0.0, 0.0
    else:
        provider = "google" if settings["provider"] == "gemini" else "openai"
        try:
            million = Usage(input_tokens=10**6, output_tokens=10**6)
            found = calc_price(million, settings["model"], provider_id=provider)
        except LookupError:
            return None
        price = float(found.input_price), float(found.output_price)
    share = BATCH if settings.get("mode") == "batch" else 1
    return price[0] * share, price[1] * share


def cost(settings: dict, input_tokens: int, output_tokens: int) -> float | None:
    """In dollars."""
    price = usd_per_million(settings)
    return None if price is None else (input_tokens * price[0] + output_tokens * price[1]) / 1e6


def estimate(study: dict, terms: int) -> list[dict]:
    """A row for the translations and for each judge of a study with so many terms; only what asks a model.

    Definitions are taken to be as long as they may be; the answers of judges that think cost more than this.
    """
    rows = []
    translations, longest = study["translations"], study["definitions"]["max_new_tokens"]
    if translations["provider"] == "openai":
        asked = tokens(read_prompt(translations["prompt"])) + 2 * TERM
        rows.append(_row("translations", translations, terms, asked, TRANSLATED))
    tested = len(study["study"]["models"]) + len(study["study"]["merges"])
    asked_in = 2 if study["definitions"]["both_languages"] else 1
    for name, judge in study["judges"].items():
        if judge["provider"] not in KEYS:
            continue
        calls = terms * tested * asked_in + calls_of_controls(study, terms)
        texts = 1 if judge["blind"] else 2
        asked = tokens(read_prompt(judge["prompt"])) + 2 * TERM + texts * longest
        rows.append(_row(f"judge {name}", judge, calls, asked, ANSWER))
    return rows


def _row(what: str, settings: dict, calls: int, asked: int, answered: int) -> dict:
    usd = cost(settings, calls * asked, calls * answered)
    return {
        "what": what,
        "model": settings["model"],
        "calls": calls,
        "input_tokens": calls * asked,
        "output_tokens": calls * answered,
        "usd": None if usd is None else round(usd, 2),
    }


def stop_if_too_dear(study: dict, terms: int) -> None:
    """A StudyError if the whole study may cost more than its `max_cost`: nothing has been sent then."""
    most, rows = study["judging"].get("max_cost"), estimate(study, terms)
    if most is None:
        return
    if unknown := [row["what"] for row in rows if row["usd"] is None]:
        raise StudyError(f"no price is known of {', '.join(unknown)}: give it as `price`, or drop max_cost")
    total = sum(row["usd"] for row in rows)
    if total > most:
        parts = ", ".join(f"{row['what']} {row['usd']:.2f}" for row in rows)
        raise StudyError(
            f"this study may cost {total:.2f} dollars ({parts}), and judging.max_cost is {most:.2f}: nothing "
            "was asked; raise it, or select less"
        )
