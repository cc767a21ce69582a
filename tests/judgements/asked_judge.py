"""A judge that asks a stand-in server, as quickly as that answers, and references to judge against."""

import json

from helpers import PROJECT
from lexmerge.common.prompts import load_prompt
from lexmerge.judgements.model_judges import Judge
from lexmerge.services.limits import Limits

PROMPT = load_prompt(PROJECT / "resources/prompts/judgement.txt")
LANGUAGES = {"source": "en", "target": "ja"}
KEY = "sk-judge-456"
QUICK = Limits(connections=16, requests_per_minute=600_000, attempts=4, first_wait=0.01, failures=50)


def said(score, reasoning="because") -> str:
    return json.dumps({"reasoning": reasoning, "score": score}, ensure_ascii=False)


def settings(url: str, **others) -> dict:
    made = {
        "provider": "openai",
        "model": "judge-1",
        "base_url": url,
        "key_variable": "SOME_KEY",
        "blind": False,
        "parameters": {"temperature": 0, "max_completion_tokens": 100},
        "mode": "now",
    }
    return made | others


def judge(url: str, journal, limits=QUICK, **others) -> Judge:
    return Judge(settings(url, **others), PROMPT, LANGUAGES, str(journal), limits)


REFERENCES = [
    {"term": f"t{i}", "translation": f"語{i}", "definition": f"reference {i}", "finish_reason": "stop",
     "prompt_language": "en"}
    for i in range(30)
]  # fmt: skip
