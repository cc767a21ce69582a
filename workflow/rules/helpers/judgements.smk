"""The judges: what each reads and is shown as, and what its requests take."""

from lexmerge.judgements.lexical_judge import LEXICAL_JUDGES
from lexmerge.services import costs

JUDGING = STUDY["judging"]


def judge_title(judge):
    """How a judge is named where it is shown: a lexical one, or a substitute, never without saying so."""
    settings = STUDY["judges"][judge]
    said = ["lexical"] if settings["provider"] in LEXICAL_JUDGES else []
    said += [f"substitute for {settings['substitute_for']}"] if "substitute_for" in settings else []
    said += ["blind"] if settings.get("blind") else []
    return f"{judge} ({', '.join(said)})" if said else judge


def files_of_judge(judge):
    """What a judge reads beside the definitions."""
    return [STUDY["judges"][judge].get(key) for key in ("gold", "prompt")]


def sees_references(judge):
    """Does a judge compare with the expert's references?"""
    settings = STUDY["judges"][judge]
    return settings["against"] == "references" if "against" in settings else not settings.get("blind")


def settings_of_judge(judge):
    """What a judge's scores depend on: not its speed, its price and what it stands for."""
    apart = ("connections", "requests_per_minute", "price", "substitute_for")
    return canonical({k: v for k, v in STUDY["judges"][judge].items() if k not in apart})


def judge_code(judge):
    """The fingerprint of what scores for a judge: a lexical measure, or the provider of a language model."""
    name = STUDY["judges"][judge]["provider"]
    return code_of(LEXICAL_JUDGES if name in LEXICAL_JUDGES else PROVIDERS, name)


def quotas():
    """Resources of jobs that ask a judge: 1 of its provider, which is limited as an account is, and its speed.

    Judges that are asked in batches do not count, nor do lexical ones.
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
    """What a judge's job takes for so many calls."""
    return estimates.requests(paid(judge, calls), STUDY["judges"][judge])


def controlling(judge):
    return judging(judge, costs.calls_of_controls(STUDY, terms()))


def paid(judge, calls):
    """The calls that a judge's job pays for; a lexical one asks nobody."""
    return calls if STUDY["judges"][judge]["provider"] in PROVIDERS else 0
