"""Greedy answers: the same alone and in a batch, in the order asked, with a true reason for their end."""

from pathlib import Path

import pytest
import torch
from lexmerge.files import read_jsonl, read_tsv
from lexmerge.generation import answer, load
from lexmerge.prompts import chat_ids, fill, read_prompt
from toy_models import BATCH, encode, new_model, train, train_tokenizer

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def expert(toy):
    return load(str(toy / "models/expert"), "float32", "cpu")


@pytest.fixture(scope="module")
def prompts():
    rows = read_tsv(PROJECT / "resources/toy/glossary.tsv").head(12).to_dict("records")
    prompt = read_prompt(PROJECT / "resources/prompts/definition.en.txt")
    return [fill(prompt, row["term"] * (1 + i % 3)) for i, row in enumerate(rows)]


def test_an_answer_does_not_depend_on_its_batch(expert, prompts):
    alone = answer(*expert, prompts, 32, 1)
    assert answer(*expert, prompts, 32, 5) == alone
    assert answer(*expert, prompts[::-1], 32, 12)[::-1] == alone


def test_it_is_what_transformers_generates_for_the_prompt_alone(expert, prompts):
    tokenizer, model = expert
    ids = torch.tensor([chat_ids(tokenizer, prompts[0])])
    output = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=32, do_sample=False
    )
    text = tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)
    assert answer(*expert, prompts[:1], 32, 1)[0].text == text.strip()


def test_the_reason_of_the_end_and_the_tokens_are_true(expert, prompts):
    whole, cut = answer(*expert, prompts[:1], 64, 1)[0], answer(*expert, prompts[:1], 3, 1)[0]
    assert whole.finish_reason == "stop"
    assert (cut.finish_reason, cut.tokens) == ("length", 3)
    assert whole.text.startswith(cut.text)
    tokenizer = expert[0]
    assert whole.tokens == len(tokenizer(whole.text, add_special_tokens=False)["input_ids"]) + 1


def test_a_chat_template_does_not_double_the_first_token(expert):
    tokenizer = expert[0]
    ids = chat_ids(tokenizer, "text")
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.bos_token_id not in ids[1:]
    assert tokenizer("text")["input_ids"][0] == tokenizer.bos_token_id, "the tokenizer adds one of its own"


def test_a_term_is_a_value_and_never_a_template():
    assert fill("Define {term}.", "{term} {0} %s") == "Define {term} {0} %s."


def test_the_definitions_on_disk_are_those_of_the_model(expert, toy):
    rows = read_jsonl(toy / "definitions/expert.jsonl")[:5]
    prompt = read_prompt(PROJECT / "resources/prompts/definition.en.txt")
    said = answer(*expert, [fill(prompt, row["term"]) for row in rows], 256, 64)
    assert [(s.text, s.finish_reason, s.tokens) for s in said] == [
        (row["definition"], row["finish_reason"], row["tokens"]) for row in rows
    ]


def test_training_is_deterministic():
    """The toy models' own code, twice from one seed, over a few steps: the same bits."""

    def trained() -> dict[str, torch.Tensor]:
        torch.set_num_threads(2)
        torch.use_deterministic_algorithms(True)
        torch.manual_seed(0)
        tokenizer = train_tokenizer(["inflammation of the kidneys", "腎臓に起こる炎症"] * 3)
        model = new_model(tokenizer)
        lessons = [("chat", "Define it", "inflammation"), ("text", "定義", "炎症")] * BATCH
        train(model, [encode(tokenizer, lesson) for lesson in lessons], 3, 1e-3, "test")
        return model.state_dict()

    one, other = trained(), trained()
    assert all(torch.equal(one[name], other[name]) for name in one)
