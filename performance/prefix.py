"""What it gains to compute once what answer options share: `python performance/prefix.py`.

A random Llama of about 28 million parameters scores questions of the benchmarks' shapes in float32 on a CPU,
by lm-eval's HFLM and by ours, in turn; the better of two rounds counts.
"""

import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

VOCABULARY = 4096
# questions, options, their tokens, tokens of the question
SHAPES = {
    "multiple choice, 4 options of 3-20 tokens": (100, 4, (3, 20), (80, 200)),
    "JCommonsenseQA, 5 options of 1-4": (100, 5, (1, 4), (200, 260)),
    "PubMedQA, 3 options of 1": (60, 3, (1, 1), (300, 450)),
    "XWinograd, 2 sentences of 15-40": (200, 2, (15, 40), (1, 1)),
}


def make(folder: str) -> None:
    import torch
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=512,
        intermediate_size=1536,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=4,
        vocab_size=VOCABULARY,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    words = {"<s>": 0, **{f"w{i}": i for i in range(1, VOCABULARY)}}
    core = Tokenizer(models.WordLevel(words, unk_token="<s>"))
    PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="<s>").save_pretrained(folder)


def requests(questions: int, options: int, of_option: tuple, of_question: tuple) -> list:
    drawn = random.Random(0)

    def tokens(low: int, high: int) -> list[int]:
        return [drawn.randrange(1, VOCABULARY) for _ in range(drawn.randint(low, high))]

    contexts = [tokens(*of_question) for _ in range(questions)]
    return [(("", ""), context, tokens(*of_option)) for context in contexts for _ in range(options)]


if __name__ == "__main__":
    from lexmerge.benchmarks.shared_prefix import HFLM, SharedPrefixLM

    print("| shape | HFLM, s | ours, s | ratio | largest difference | same answers |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        make(folder)
        models = [
            kind(
                pretrained=folder,
                dtype="float32",
                softmax_dtype="float32",
                device="cpu",
                batch_size=16,
                max_length=2048,
            )
            for kind in (HFLM, SharedPrefixLM)
        ]
        for shape, numbers in SHAPES.items():
            asked, count = requests(*numbers), numbers[1]
            times, scores = [[], []], [None, None]
            for _ in range(2):
                for i, model in enumerate(models):
                    began = time.perf_counter()
                    scores[i] = model._loglikelihood_tokens(asked, disable_tqdm=True)
                    times[i].append(time.perf_counter() - began)
            theirs, ours = ([score for score, _ in found] for found in scores)
            best = [
                [max(range(count), key=lambda k: found[q + k]) for q in range(0, len(found), count)]
                for found in (theirs, ours)
            ]
            slow, fast = map(min, times)
            largest = max(abs(a - b) for a, b in zip(theirs, ours, strict=True))
            shown = f"{slow:.1f} | {fast:.1f} | {slow / fast:.2f} | {largest:.1g}"
            print(f"| {shape} | {shown} | {best[0] == best[1]} |")
