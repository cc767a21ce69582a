"""Train the toy study's models: a tiny bilingual Llama and two fine-tuned models.

The ancestor learns everyday words in English, half of them in Japanese, and translations. From it, the
generalist is trained on all everyday words and half of the medical terms in Japanese, and the expert on all
medical terms in English. Training is deterministic on one machine.
"""

import copy
import itertools
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from lexmerge.benchmarks.documents import ask
from lexmerge.benchmarks.tasks import defined, read_task, shots
from lexmerge.benchmarks.toy import (
    EVERYDAY,
    MAKERS,
    documents,
    searched_documents,
    solved_documents,
    taught_terms,
)
from lexmerge.common.files import fresh_folder, hashes, read_tsv, write_json
from lexmerge.common.prompts import chat_ids, fill, read_prompt
from lexmerge.common.shipped import workflow_version
from lexmerge.run.job import job
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY = 1280
SPECIAL = ["<pad>", "<s>", "</s>", "<|user|>", "<|assistant|>"]
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
BATCH = 48
PART = 8  # examples of similar length that are computed together, with little padding
Example = tuple[list[int], list[int]]  # token ids of a prompt and of its answer
Lesson = tuple[str, str, str]  # form (`chat` or `text`), prompt, answer


def train_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer, which encodes any script and prepends a BOS as Llama 3 does."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", core.token_to_id("<s>"))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        chat_template=CHAT_TEMPLATE,
        model_max_length=2048,
        clean_up_tokenization_spaces=False,
    )


def new_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Create an untrained model of 3 layers."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=128,
            intermediate_size=320,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=2048,
            rope_theta=500000.0,
            tie_word_embeddings=False,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def train(model: LlamaForCausalLM, examples: list[Example], steps: int, rate: float, name: str) -> None:
    """Train a model in place; only answers contribute to the loss.

    Two threads compute the parts of a batch, with one torch thread each: they synchronise once per batch,
    not in each small operation, where waiting took longer than computing.

    Args:
        model: The model.
        examples: The examples, which are shuffled.
        steps: The number of batches.
        rate: The maximum learning rate.
        name: The model's name, for the progress bar.
    """
    weights = list(model.parameters())
    optimizer = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.95), weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
    model.train()
    batches = itertools.islice(_batches(examples), steps)
    with ThreadPoolExecutor(2) as threads:
        for batch in (progress := tqdm(batches, desc=name, total=steps, mininterval=2)):
            answered = sum(len(answer) for _, answer in batch)
            longest_first = [batch[first : first + PART] for first in range(0, BATCH, PART)][::-1]
            shares = list(threads.map(lambda part: _loss_and_gradients(model, part), longest_first))
            for weight, *gradients in zip(weights, *(gradients for _, gradients in shares), strict=True):
                weight.grad = torch.stack(gradients).sum(0) / answered
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            schedule.step()
            progress.set_postfix(loss=f"{sum(loss for loss, _ in shares) / answered:.3f}", refresh=False)
    model.eval()


def _batches(examples: list[Example]) -> Iterator[list[Example]]:
    """Yield batches of endless shuffled epochs; each batch is sorted by length."""
    shuffler = random.Random(0)
    order: list[Example] = []
    while True:
        while len(order) < BATCH:
            order += shuffler.sample(examples, len(examples))
        batch, order = order[:BATCH], order[BATCH:]
        yield sorted(batch, key=lambda example: len(example[0]) + len(example[1]))


def _loss_and_gradients(
    model: LlamaForCausalLM, part: list[Example]
) -> tuple[float, tuple[torch.Tensor, ...]]:
    """The summed cross-entropy of the answers' tokens, and its gradient for each of the model's weights.

    No attention mask is needed: attention is causal and the padding is at the end.
    """
    longest = max(len(prompt) + len(answer) for prompt, answer in part)
    rows: list[list[int]] = []
    read: list[int] = []
    wanted: list[int] = []
    for i, (prompt, answer) in enumerate(part):
        rows.append(prompt + answer + [model.config.pad_token_id] * (longest - len(prompt) - len(answer)))
        before = i * longest + len(prompt) - 1
        read += range(before, before + len(answer))
        wanted += answer
    states = model.model(torch.tensor(rows)).last_hidden_state.flatten(0, 1)
    logits = model.lm_head(states.index_select(0, torch.tensor(read)))
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(wanted), reduction="sum")
    return loss.item(), torch.autograd.grad(loss, list(model.parameters()))


def lessons(
    glossary: list[dict[str, Any]], prompts: dict[str, str], tasks: dict[str, Path]
) -> dict[str, list[Lesson]]:
    """Write the training texts of each model.

    Args:
        glossary: The rows of the toy glossary.
        prompts: The prompts for definitions by language.
        tasks: The definition files of benchmark tasks by name.

    Returns:
        The lessons by model; those of the ancestor are repeated for the other models. Lessons that only the
        toy search needs have keys of their own.
    """
    everyday, medical = taught_terms(glossary, "everyday"), taught_terms(glossary, "medical")

    def english(rows: list[dict[str, Any]]) -> list[Lesson]:
        return [("chat", fill(prompts["en"], row["term"]), row["definition_en"]) for row in rows]

    def japanese(rows: list[dict[str, Any]]) -> list[Lesson]:
        return [("chat", fill(prompts["ja"], row["translation"]), row["definition_ja"]) for row in rows]

    def asked(
        names: list[str], made: Callable[..., list[Any]] = documents, part: slice = slice(None)
    ) -> list[Lesson]:
        return [
            ("text", *lesson)
            for name in names
            for i, (document, answer) in enumerate(made(name, glossary)[part])
            for lesson in ask(tasks[name], document, answer, examples(name, i))
        ]

    def examples(name: str, seed: int) -> list[Any]:
        known = solved_documents(name, glossary)
        return random.Random(seed).sample(known, shots(read_task(tasks[name])))

    words = [("chat", f"{row['term']} =", row["translation"]) for row in glossary]
    ancestor = english(everyday) + japanese(everyday[::2]) + words
    medical_tasks = [name for name in MAKERS if name.startswith("jmedbench")]
    return {
        "ancestor": ancestor,
        "generalist": japanese(everyday)
        + japanese(medical[::2])
        + asked(list(EVERYDAY))
        + asked(medical_tasks, part=slice(0, None, 2))
        + ancestor,
        "expert": english(medical) + asked(["pubmedqa"]) + ancestor,
        "generalist, for the search": asked(["xwinograd"], searched_documents),
        "expert, for the search": asked(["pubmedqa"], searched_documents),
    }


def encode(tokenizer: PreTrainedTokenizerFast, lesson: Lesson) -> Example:
    """Convert a lesson to token ids."""
    form, prompt, answer = lesson
    start = chat_ids(tokenizer, prompt) if form == "chat" else tokenizer(prompt)["input_ids"]
    return start, tokenizer(answer, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]


def train_all(
    taught: dict[str, list[Lesson]], steps: dict[str, int], rates: dict[str, float], seed: int
) -> tuple[PreTrainedTokenizerFast, dict[str, LlamaForCausalLM]]:
    """Train the ancestor, and from it the generalist and the expert.

    Args:
        taught: The result of `lessons`.
        steps: The number of batches by model.
        rates: The maximum learning rate by model.
        seed: The seed of the initial weights.

    Returns:
        The tokenizer, and the trained models by name.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    tokenizer = train_tokenizer([text for name in steps for _, *both in taught[name] for text in both])
    ancestor = new_model(tokenizer)
    trained = {}
    for name in ("ancestor", "generalist", "expert"):
        trained[name] = model = ancestor if name == "ancestor" else copy.deepcopy(ancestor)
        examples = [
            encode(tokenizer, lesson) for lesson in taught[name] + taught.get(f"{name}, for the search", [])
        ]
        train(model, examples, steps[name], rates[name], name)
    return tokenizer, trained


def save(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: str, origin: dict[str, Any]
) -> None:
    """Write a model in bfloat16 with its tokenizer and a provenance.json that starts with `origin`."""
    with fresh_folder(folder) as part:
        copy.deepcopy(model).to(torch.bfloat16).save_pretrained(part)
        tokenizer.save_pretrained(part)
        write_json(part / "provenance.json", {**origin, "files": hashes(part)})


STEPS = {"ancestor": 150, "generalist": 182, "expert": 115}
RATES = {"ancestor": 4e-3, "generalist": 1.5e-3, "expert": 1.5e-3}

if __name__ == "__main__":
    with job(snakemake.log[0]):
        folders = {str(Path(file).parent) for file in snakemake.input.tasks}
        task_files = {name: file for folder in folders for name, file in defined(folder).items()}
        prompts = {name: read_prompt(path) for name, path in snakemake.params.prompts.items()}
        taught = lessons(read_tsv(snakemake.input.glossary).to_dict("records"), prompts, task_files)
        tokenizer, trained = train_all(taught, STEPS, RATES, snakemake.params.seed)
        for provenance, source in zip(snakemake.output, snakemake.params.models.values(), strict=True):
            origin = {"source": source, "seed": snakemake.params.seed, "lexmerge": workflow_version()}
            model = trained[source.removeprefix("toy:")]
            save(model, tokenizer, str(Path(provenance).parent), origin)
