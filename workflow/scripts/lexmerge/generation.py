"""Greedy text from a local model with transformers: sorted by length, padded on the left, in batches."""

from dataclasses import dataclass

import torch
from tqdm import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer

from lexmerge.device import device as device_of
from lexmerge.prompts import chat_ids


@dataclass(frozen=True)
class Answer:
    """A text, why it ended (`stop`, at an end token, or `length`, at the limit), and its number of tokens."""

    text: str
    finish_reason: str
    tokens: int


def load(folder: str, dtype: str, device: str):
    """The tokenizer and the model in evaluation mode."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
    return tokenizer, model.to(device_of(device)).eval()


def answer(tokenizer, model, prompts: list[str], max_new_tokens: int, batch_size: int) -> list[Answer]:
    """One greedy answer to each prompt, in the order of the prompts."""
    ids = [chat_ids(tokenizer, prompt) for prompt in prompts]
    ends = _end_tokens(model)
    by_length = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
    answers: dict[int, Answer] = {}
    with tqdm(total=len(ids), unit="answer", mininterval=2) as progress:
        for first in range(0, len(ids), batch_size):
            chosen = by_length[first : first + batch_size]
            new = _generate(model, [ids[i] for i in chosen], ends, max_new_tokens)
            answers |= {i: _read(tokenizer, row, ends) for i, row in zip(chosen, new, strict=True)}
            progress.update(len(chosen))
    return [answers[i] for i in range(len(ids))]


def _generate(model, ids: list[list[int]], ends: list[int], max_new_tokens: int) -> list[list[int]]:
    longest = max(map(len, ids))
    padded = torch.tensor([[ends[0]] * (longest - len(row)) + row for row in ids], device=model.device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in ids], device=model.device)
    with torch.inference_mode():
        output = model.generate(
            input_ids=padded,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            eos_token_id=ends,
            pad_token_id=ends[0],
        )
    return output[:, longest:].tolist()


def _read(tokenizer, new: list[int], ends: list[int]) -> Answer:
    stop = next((i for i, token in enumerate(new) if token in ends), None)
    spoken = new if stop is None else new[:stop]
    text = tokenizer.decode(spoken, skip_special_tokens=True).strip()
    reason, tokens = ("length", len(new)) if stop is None else ("stop", stop + 1)
    return Answer(text, reason, tokens)


def _end_tokens(model) -> list[int]:
    """The end tokens of the checkpoint's generation config: Llama 3 has two of them."""
    ends = model.generation_config.eos_token_id
    return ends if isinstance(ends, list) else [ends]
