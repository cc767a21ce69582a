"""Judges: titles, input files, settings, and resources for their requests."""

from lexmerge.judgements.lexical_judge import LEXICAL_JUDGES
from lexmerge.services import costs

JUDGING = STUDY["judging"]


def judge_title(judge):
    """Title of a judge in tables and figures, which marks lexical, substitute and blind judges."""
    settings = STUDY["judges"][judge]
    said = ["lexical"] if settings["provider"] in LEXICAL_JUDGES else []
    said += [f"substitute for {settings['substitute_for']}"] if "substitute_for" in settings else []
    said += ["blind"] if settings.get("blind") else []
    return f"{judge} ({', '.join(said)})" if said else judge


def files_of_judge(judge):
    """Files that a judge reads in addition to the definitions; None for absent ones."""
    return [STUDY["judges"][judge].get(key) for key in ("gold", "prompt")]


def sees_references(judge):
    """True if a judge compares with the expert's references."""
    settings = STUDY["judges"][judge]
    return settings["against"] == "references" if "against" in settings else not settings.get("blind")


def settings_of_judge(judge):
    """Settings that a judge's scores depend on: all but its speed, price and `substitute_for`."""
    apart = ("connections", "requests_per_minute", "price", "substitute_for")
    return canonical({k: v for k, v in STUDY["judges"][judge].items() if k not in apart})


def judge_code(judge):
    """Fingerprint of a judge's code: the lexical measure or the provider of its language model."""
    name = STUDY["judges"][judge]["provider"]
    return code_of(LEXICAL_JUDGES if name in LEXICAL_JUDGES else PROVIDERS, name)


def quotas():
    """Resources of judging jobs: 1 unit of the judge's provider, and its speed.

    The units limit concurrent jobs for one provider account. Batch and lexical judges take none.
    """

    def asks(provider):
        def units(wildcards):
            settings = STUDY["judges"][wildcards.judge]
            return int(settings["provider"] == provider and settings["mode"] == "now")

        return units

    def setting(key):
        return lambda wildcards: STUDY["judges"][wildcards.judge].get(key, 0)

    speed = {key: setting(key) for key in ("connections", "requests_per_minute")}
    return {provider: asks(provider) for provider in PROVIDERS} | speed


def judging(judge, calls):
    """Estimated resources of a judge's job with this number of calls."""
    return estimates.requests(paid(judge, calls), STUDY["judges"][judge])


def controlling(judge):
    """Estimated resources of a judge's control questions."""
    return judging(judge, costs.calls_of_controls(STUDY, terms()))


def paid(judge, calls):
    """Number of calls to a language model; 0 for a lexical judge."""
    return calls if STUDY["judges"][judge]["provider"] in PROVIDERS else 0
