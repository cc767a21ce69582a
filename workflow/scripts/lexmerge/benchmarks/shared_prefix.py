"""LM Evaluation Harness's back end `hf`, with the text that answer options share computed once.

The harness computes a question anew for each of its options, unless they differ in their last token alone.
Here the question goes through the model once, and its cache of keys and values is read by all options. For
what it gains see performance/prefix.py. The likelihoods are the same but for the last digits, as with
another batch size.
"""

from collections import defaultdict
from collections.abc import Iterator

import torch
from lm_eval.models.huggingface import HFLM
from tqdm import tqdm
from transformers.cache_utils import DynamicLayer

Scored = tuple[float, bool]  # a log-likelihood, and whether it is what greedy decoding would say
Request = tuple[object, list[int], list[int]]  # texts, and the token ids of a context and of what follows it


class SharedPrefixLM(HFLM):
    """For models whose every layer keeps all keys and values; with any other it is HFLM."""

    def _loglikelihood_tokens(
        self, requests: list[Request], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[Scored]:
        contexts: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for number, (_, context, _) in enumerate(requests):
            contexts[tuple(context)].append(number)
        shared = {
            context: numbers
            for context, numbers in contexts.items()
            if self._gains(context, [requests[number][2] for number in numbers])
        }
        found: dict[int, Scored] = {}
        with tqdm(total=sum(map(len, shared.values())), desc="Options", disable=disable_tqdm) as progress:
            for batch in self._batches(shared):
                scored = self._score(requests, {context: shared[context] for context in batch})
                if scored is None:
                    break
                found |= scored
                progress.update(len(scored))
        rest = [number for number in range(len(requests)) if number not in found]
        if rest:
            plain = super()._loglikelihood_tokens(
                [requests[number] for number in rest], disable_tqdm, override_bs
            )
            found |= dict(zip(rest, plain, strict=True))
        return [found[number] for number in range(len(requests))]

    def _gains(self, context: tuple[int, ...], options: list[list[int]]) -> bool:
        """Is there more to share than to compute, and more than the harness itself shares?"""
        starts = {tuple(option[:-1]) for option in options}
        fits = len(context) + max(map(len, options)) <= self.max_length
        return len(starts) > 1 and fits and len(context) > sum(map(len, options))

    def _batches(self, shared: dict) -> Iterator[list[tuple[int, ...]]]:
        """Contexts alike in length, the longest first, with no more options than a batch has rows."""
        batch, rows = [], 0
        for context in sorted(shared, key=lambda context: (-len(context), context)):
            if batch and rows + len(shared[context]) > int(self.batch_size):
                yield batch
                batch, rows = [], 0
            batch.append(context)
            rows += len(shared[context])
        if batch:
            yield batch

    @torch.inference_mode()
    def _score(self, requests: list[Request], contexts: dict) -> dict[int, Scored] | None:
        """Each option's score by its number; None if the model's cache cannot be shared."""
        longest = max(map(len, contexts))
        ids, mask = (
            self._tensor([[fill] * (longest - len(c)) + of(c) for c in contexts])
            for fill, of in ((0, list), (0, lambda context: [1] * len(context)))
        )
        begun = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
            use_cache=True,
            logits_to_keep=1,
        )
        cache = getattr(begun, "past_key_values", None)
        if not all(type(layer) is DynamicLayer for layer in getattr(cache, "layers", [None])):
            return None
        rows = [(row, number) for row, numbers in enumerate(contexts.values()) for number in numbers]
        of_row, options = self._tensor([row for row, _ in rows]), [requests[n][2] for _, n in rows]
        first = self._log_softmax(begun.logits[:, -1])[of_row]
        starts = self._tensor([option[0] for option in options])
        scores = first.gather(1, starts[:, None])[:, 0]
        greedy = first.argmax(-1) == starts
        more = max(map(len, options)) - 1
        if more:
            cache.batch_select_indices(of_row)
            inputs, targets, given = (
                self._tensor([of(option) + [0] * (more + 1 - len(option)) for option in options])
                for of in (lambda o: o[:-1], lambda o: o[1:], lambda o: [1] * (len(o) - 1))
            )
            logits = self.model(
                input_ids=inputs,
                attention_mask=torch.cat([mask[of_row], given], dim=1),
                position_ids=mask[of_row].sum(-1, keepdim=True) + torch.arange(more, device=self.device),
                past_key_values=cache,
                use_cache=True,
            ).logits
            following = self._log_softmax(logits)
            scores = scores + (following.gather(2, targets[..., None])[..., 0] * given).sum(-1)
            greedy &= ((following.argmax(-1) == targets) | (given == 0)).all(-1)
        values = zip(scores.tolist(), greedy.tolist(), strict=True)
        return {number: value for (_, number), value in zip(rows, values, strict=True)}

    def _tensor(self, values: list) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.long, device=self.device)

    def _log_softmax(self, logits: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.log_softmax(logits, dim=-1, dtype=self.softmax_dtype)
