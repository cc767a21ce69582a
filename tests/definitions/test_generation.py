"""Greedy answers: the same alone and in a batch, in the order asked, with a true reason for their end."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from helpers import PROJECT, snakemake
from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_jsonl, read_tsv
from lexmerge.common.journal import Journal
from lexmerge.common.prompts import chat_ids, fill, load_prompt, read_prompt
from lexmerge.definitions.answers import answers
from lexmerge.models import transformers_engine
from lexmerge.models.generation import Decoding, Writer, batches, cache_bytes, end_tokens
from lexmerge.models.transformers_engine import TransformersEngine
from toy_models import BATCH, encode, new_model, train, train_tokenizer
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma4TextConfig,
    Lfm2Config,
    Lfm2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

GREEDY = Decoding(32)
ENDS = list(range(1, 12))
SETTINGS = {
    "backend": "transformers",
    "batch_size": 5,
    "device": "cpu",
    "dtype": "float32",
    "max_new_tokens": 32,
}


@pytest.fixture(scope="module")
def expert(toy):
    folder = str(toy / "models/expert")
    return Writer(folder), TransformersEngine(folder, "float32", "cpu")


@pytest.fixture(scope="module")
def prompts():
    rows = read_tsv(PROJECT / "resources/toy/glossary.tsv").head(12).to_dict("records")
    prompt = read_prompt(PROJECT / "resources/prompts/definition.en.txt")
    return [fill(prompt, row["term"] * (1 + i % 3)) for i, row in enumerate(rows)]


def new_tokens(engine, ids, ends, decoding, rows) -> list[list[int]]:
    """The new tokens of every prompt, answered `rows` at a time in the order given."""
    found = {}
    for first in range(0, len(ids), rows):
        batch = ids[first : first + rows]
        found |= {first + i: tokens for i, tokens in engine.generate(batch, ends, decoding)}
    return [found[i] for i in range(len(ids))]


def said(expert, prompts, new, rows):
    writer, engine = expert
    ids = writer.ids(prompts)
    tokens = new_tokens(engine, ids, writer.ends, Decoding(new), rows)
    return [writer.read(i, t, "", 0) for i, t in zip(ids, tokens, strict=True)]


def test_an_answer_does_not_depend_on_its_batch(expert, prompts):
    alone = said(expert, prompts, 32, 1)
    assert len({answer.tokens for answer in alone}) > 3, "they end at different steps, and leave the batch"
    assert said(expert, prompts, 32, 5) == alone
    assert said(expert, prompts[::-1], 32, 12)[::-1] == alone


def test_it_is_what_transformers_generates_for_the_prompt_alone(expert, prompts):
    writer, engine = expert
    ids = torch.tensor([chat_ids(writer.tokenizer, prompts[0])])
    output = engine.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=32, do_sample=False
    )
    text = writer.tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)
    assert said(expert, prompts[:1], 32, 1)[0].text == text.strip()


def test_the_reason_of_the_end_and_the_tokens_are_true(expert, prompts):
    whole, cut = said(expert, prompts[:1], 64, 1)[0], said(expert, prompts[:1], 3, 1)[0]
    assert whole.finish_reason == "stop"
    assert (cut.finish_reason, cut.tokens) == ("length", 3)
    assert whole.text.startswith(cut.text)
    tokenizer = expert[0].tokenizer
    assert whole.tokens == len(tokenizer(whole.text, add_special_tokens=False)["input_ids"]) + 1
    assert whole.prompt_tokens == len(chat_ids(tokenizer, prompts[0]))


def test_a_model_whose_attention_is_capped_answers_as_it_is_defined(tmp_path):
    """The fast kernels leave the cap out, without a word."""
    config = Gemma2Config(
        vocab_size=300,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        attn_logit_softcapping=2.0,
        initializer_range=0.5,
    )
    torch.manual_seed(2)
    Gemma2ForCausalLM(config).save_pretrained(tmp_path)
    engine = TransformersEngine(str(tmp_path), "float32", "cpu")
    assert engine.model.config._attn_implementation == "eager"


def test_a_model_without_a_cache_of_keys_and_values_is_refused(tmp_path):
    MambaForCausalLM(MambaConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1)).save_pretrained(
        tmp_path
    )
    with pytest.raises(StudyError, match="MambaForCausalLM has no key-value cache"):
        TransformersEngine(str(tmp_path), "float32", "cpu")


@pytest.mark.parametrize("kind", ["grouped heads", "sliding window", "states beside attention"])
def test_other_architectures_answer_as_with_transformers_generate(kind, tmp_path, monkeypatch):
    """Prompts are read in groups whose caches are joined; those with windows are left to transformers."""
    monkeypatch.setattr(transformers_engine, "READ_AT_ONCE", 64)
    shape = {
        "vocab_size": 300,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "initializer_range": 0.3,
    }
    torch.manual_seed(1)
    model = {
        "grouped heads": lambda: LlamaForCausalLM(LlamaConfig(**shape)),
        "sliding window": lambda: MistralForCausalLM(MistralConfig(**shape, sliding_window=12)),
        "states beside attention": lambda: Lfm2ForCausalLM(
            Lfm2Config(**shape, layer_types=["conv", "full_attention"])
        ),
    }[kind]()
    model.save_pretrained(tmp_path)
    engine = TransformersEngine(str(tmp_path), "float32", "cpu")
    ids = [[1 + (7 * i + k) % 290 for k in range(5 + 4 * i)] for i in range(9)]
    alone = []
    for row in ids:
        output = engine.model.generate(
            input_ids=torch.tensor([row]),
            max_new_tokens=80,
            do_sample=False,
            eos_token_id=ENDS,
            pad_token_id=0,
        )
        alone.append(output[0, len(row) :].tolist())
    assert len({len(row) for row in alone}) > 2
    assert new_tokens(engine, ids, ENDS, Decoding(80), 9) == alone


def test_what_is_drawn_depends_on_the_seed_and_on_nothing_else(expert, prompts):
    writer, engine = expert
    ids = writer.ids(prompts)
    drawn = new_tokens(engine, ids, writer.ends, Decoding(16, 2.0, 1.0, 1), 12)
    assert new_tokens(engine, ids[::-1], writer.ends, Decoding(16, 2.0, 1.0, 1), 5)[::-1] == drawn
    assert new_tokens(engine, ids, writer.ends, Decoding(16, 2.0, 1.0, 2), 12) != drawn
    greedy = new_tokens(engine, ids, writer.ends, Decoding(16), 12)
    assert greedy != drawn
    assert new_tokens(engine, ids, writer.ends, Decoding(16, 2.0, 1e-6, 1), 12) == greedy


def test_tokens_are_drawn_by_their_probability_among_the_likeliest():
    logits = torch.tensor([0.1, 0.6, 0.3]).log().repeat(1000, 1)
    chance = torch.arange(1000) / 1000

    def shares(top_p):
        drawn = transformers_engine._choose(logits, Decoding(1, 1.0, top_p), chance)
        return (torch.bincount(drawn, minlength=3) / 1000).tolist()

    assert shares(1.0) == pytest.approx([0.1, 0.6, 0.3], abs=0.002)
    assert shares(0.9) == pytest.approx([0, 2 / 3, 1 / 3], abs=0.002)
    assert shares(0.5) == [0, 1, 0]


def test_a_chat_template_does_not_double_the_first_token(expert):
    tokenizer = expert[0].tokenizer
    ids = chat_ids(tokenizer, "text")
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.bos_token_id not in ids[1:]
    assert tokenizer("text")["input_ids"][0] == tokenizer.bos_token_id, "the tokenizer adds one of its own"


def test_the_end_tokens_are_those_of_the_config_and_of_the_chat_template(toy, tmp_path):
    """As with Llama 3, whose config may know only one of its two."""
    tokenizer = Writer(str(toy / "models/expert")).tokenizer
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [7, 8]}')
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|turn|>"]})
    turn = tokenizer.convert_tokens_to_ids("<|turn|>")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}<|turn|>\n{% endfor %}"
    assert end_tokens(str(tmp_path), tokenizer) == [7, 8, turn]
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}\n <|turn|>{% endfor %}"
    assert end_tokens(str(tmp_path), tokenizer) == [7, 8, turn]
    for none in (
        "{% for m in messages %}{{ m['content'] }}\n{% endfor %}",
        "<|turn|>{% for m in messages %}{{ m['content'] | lower }}\n{% endfor %}",
        "{{ raise_exception('users only') }}",
    ):
        tokenizer.chat_template = none
        assert end_tokens(str(tmp_path), tokenizer) == [7, 8], none
    (tmp_path / "generation_config.json").write_text("{}")
    tokenizer.eos_token = None
    with pytest.raises(StudyError, match="names an end token"):
        end_tokens(str(tmp_path), tokenizer)


def test_batches_are_sorted_by_length_and_bounded_by_number_and_memory():
    assert batches([3, 9, 5, 9], 2, 1) == [[1, 3], [2, 0]]
    assert batches([3, 9, 5, 9], 4, 1, 20) == [[1, 3], [2, 0]], (
        "two rows of ten tokens fill a cache of twenty"
    )
    assert batches([3, 9], 4, 1, 5) == [[1], [0]], "what has no room is tried alone"
    llama = LlamaConfig(num_hidden_layers=32, hidden_size=4096, num_attention_heads=32, num_key_value_heads=8)
    assert cache_bytes(llama, "bfloat16") == 128 * 1024
    assert cache_bytes(Gemma4TextConfig(), "bfloat16") > 0, "its layers differ"


def test_a_term_is_a_value_and_never_a_template():
    assert fill("Define {term}.", "{term} {0} %s") == "Define {term} {0} %s."


def test_a_prompts_version_is_told_and_not_sent(tmp_path):
    (tmp_path / "p.txt").write_text("# Version: 2 b\nDefine {term}\n", encoding="utf-8-sig")
    (tmp_path / "q.txt").write_text("Define {term}\n")
    versioned, plain = load_prompt(tmp_path / "p.txt"), load_prompt(tmp_path / "q.txt")
    assert (versioned.version, versioned.text) == ("2 b", "Define {term}")
    assert (plain.version, plain.sha256) == ("", versioned.sha256)


def test_the_definitions_on_disk_are_those_of_the_model(expert, toy):
    rows = read_jsonl(toy / "definitions/expert.jsonl")[:5]
    prompt = load_prompt(PROJECT / "resources/prompts/definition.en.txt")
    found = said(expert, [fill(prompt.text, row["term"]) for row in rows], 256, 64)
    assert [(s.text, s.finish_reason, s.tokens, s.prompt_tokens, s.input_sha256) for s in found] == [
        tuple(row[key] for key in ("definition", "finish_reason", "tokens", "prompt_tokens", "input_sha256"))
        for row in rows
    ]
    assert {(row["prompt_version"], row["prompt_sha256"]) for row in rows} == {
        (prompt.version, prompt.sha256)
    }


def test_models_that_were_asked_the_same_have_equal_input_hashes(toy):
    asked = {
        model: [row["input_sha256"] for row in read_jsonl(toy / f"definitions/{model}.jsonl")]
        for model in ("expert", "generalist", "slerp")
    }
    assert asked["slerp"] == asked["generalist"]
    assert not set(asked["expert"]) & set(asked["slerp"])


class Dying:
    """The expert's engine, which dies in its second batch."""

    def __init__(self, engine):
        self.engine, self.name, self.calls = engine, "dying", 0

    def generate(self, *arguments):
        self.calls += 1
        if self.calls == 2:
            raise RuntimeError("out of memory")
        yield from self.engine.generate(*arguments)


class Counting:
    def __init__(self, engine):
        self.engine, self.name, self.rows = engine, "counting", 0

    def generate(self, ids, *arguments):
        self.rows += len(ids)
        yield from self.engine.generate(ids, *arguments)


def test_a_killed_job_goes_on_after_its_last_whole_batch(expert, toy, prompts, tmp_path):
    folder, journal = str(toy / "models/expert"), tmp_path / "journal.jsonl"
    counting = Counting(expert[1])

    def answered(prompts, start, settings=SETTINGS, decoding=GREEDY, code="1"):
        counting.rows = 0
        return answers(prompts, folder, settings, decoding, start, Journal(journal), code)

    with pytest.raises(RuntimeError):
        answered(prompts, lambda longest: Dying(expert[1]))
    whole = answered(prompts, lambda longest: counting)
    assert counting.rows == 7, "five of twelve were done"
    assert [replace(a, engine="", batch_rows=0) for a in whole] == said(expert, prompts, 32, 5)
    assert {a.engine for a in whole} == {"dying", "counting"}, "a row tells what made it"

    def never(longest):
        raise AssertionError("an engine was started for nothing")

    assert answered(prompts, never) == whole
    answered(["another", *prompts[1:]], lambda longest: counting)
    assert counting.rows > 0, "a changed prompt is asked"
    answered(prompts, lambda longest: counting, decoding=Decoding(8))
    assert counting.rows == 12, "another limit"
    answered(prompts, lambda longest: counting, code="2")
    assert counting.rows == 12, "other code"
    answered(prompts, lambda longest: counting, settings=SETTINGS | {"batch_size": 3})
    assert counting.rows == 12, "other batches"


def test_a_job_that_was_killed_hard_ends_with_the_same_text_and_asks_nothing_twice(toy_copy, edit):
    definitions = toy_copy / "results/toy/definitions/slerp.jsonl"
    journal = toy_copy / "results/toy/journal/definitions/slerp.jsonl"
    before = [row["definition"] for row in read_jsonl(definitions)]
    edit("config/config.yaml", "definitions:\n", "definitions:\n  batch_size: 1\n")
    journal.unlink()
    target = str(definitions.relative_to(toy_copy))
    run = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", target],
        cwd=toy_copy,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (journal.exists() and journal.read_bytes().count(b"\n") > 3):
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    kept = journal.read_bytes()
    assert kept.count(b"\n") < len(before), "it was killed in the middle"
    snakemake(toy_copy, "--unlock")
    snakemake(toy_copy, "--cores", "1", target)
    assert [row["definition"] for row in read_jsonl(definitions)] == before
    lines = journal.read_bytes().splitlines()
    assert b"\n".join(lines).startswith(kept[: kept.rfind(b"\n")])
    assert len({json.loads(line)["key"] for line in lines}) == len(lines) == len(before)


def test_a_second_pass_is_drawn_for_the_expert_alone(toy_copy, edit):
    edit("config/config.yaml", "definitions:\n", "definitions:\n  second_pass: {temperature: 2.0}\n")
    snakemake(toy_copy, "--cores", "2", "results/toy/definitions/expert.jsonl")
    references, definitions = (
        read_jsonl(toy_copy / f"results/toy/{kind}/expert.jsonl") for kind in ("references", "definitions")
    )
    assert {row["decoding"] for row in references} == {"greedy, at most 256 tokens"}
    assert {row["decoding"] for row in definitions} == {"temperature 2, top_p 1, seed 1, at most 256 tokens"}
    differing = [a["definition"] != b["definition"] for a, b in zip(references, definitions, strict=True)]
    assert any(differing)
    assert [r["input_sha256"] for r in references] == [r["input_sha256"] for r in definitions]


def test_without_a_second_pass_the_experts_definitions_are_its_references(toy):
    assert (toy / "definitions/expert.jsonl").read_bytes() == (toy / "references/expert.jsonl").read_bytes()
    page = (toy / "report/index.html").read_text(encoding="utf-8")
    assert "references and its judged definitions are the same text (greedy decoding)" in page


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
