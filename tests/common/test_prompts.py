"""Limits of chat templates, which are programs that come with a model."""

import threading
import time

import pytest
from lexmerge.common import prompts
from lexmerge.common.errors import StudyError
from lexmerge.common.prompts import chat_ids, check_template
from lexmerge.models.generation import end_tokens
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

TURNS = "{% for m in messages %}<{{ m['content'] }}>{% endfor %}"
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
LONG = "{% for a in range(10000) %}{{ 'x' * 10000 }}{% endfor %}"
ITSELF = "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}"


@pytest.fixture
def tokenizer():
    """Makes a tokenizer with a chat template."""

    def make(template: str | None) -> PreTrainedTokenizerFast:
        words = Tokenizer(models.WordLevel({"w0": 0}, unk_token="w0"))
        made = PreTrainedTokenizerFast(tokenizer_object=words, name_or_path="results/mine/models/expert")
        made.chat_template = template
        return made

    return make


def ends(made: PreTrainedTokenizerFast, folder) -> list[int]:
    (folder / "generation_config.json").write_text('{"eos_token_id": 0}')
    return end_tokens(str(folder), made)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (ENDLESS, "takes more than 0.2 s for one conversation and may never end. Correct it"),
        (LONG, "adds 99,999,99. characters to one conversation; at most 1,000,000 are allowed"),
        (LONG.replace("10000", "1001"), "adds 1,00[12],... characters to one conversation"),
        (ITSELF, r"cannot be used \(RecursionError\)"),
    ],
    ids=["endless", "long", "longer", "itself"],
)
def test_a_template_without_end_or_bound_is_an_error_that_names_the_model(
    tokenizer, tmp_path, monkeypatch, template, said
):
    monkeypatch.setattr(prompts, "SECONDS", 20 if "adds" in said else 0.2)
    made, began = tokenizer(template), time.monotonic()
    uses = (lambda: chat_ids(made, "text"), lambda: check_template(made), lambda: ends(made, tmp_path))
    for use in uses:
        with pytest.raises(
            StudyError, match=rf"^results/mine/models/expert: the model's chat template {said}"
        ):
            use()
    assert time.monotonic() - began < 30


def test_a_long_text_is_no_fault_of_the_template(tokenizer):
    chat_ids(tokenizer(TURNS), "x" * 2_000_000)
    check_template(tokenizer(TURNS))
    check_template(tokenizer(None))


def test_a_template_is_rendered_outside_of_the_main_thread_too(tokenizer):
    found, made = [], tokenizer(TURNS)
    worker = threading.Thread(target=lambda: found.append(chat_ids(made, "w0")))
    worker.start()
    worker.join()
    assert found == [chat_ids(made, "w0")]


def test_the_limit_of_time_ends_with_the_template(tokenizer, monkeypatch):
    monkeypatch.setattr(prompts, "SECONDS", 0.2)
    check_template(tokenizer(TURNS))
    with pytest.raises(StudyError):
        check_template(tokenizer(ENDLESS))
    time.sleep(0.5)  # an alarm that is still set would end the test run
