"""LM Evaluation Harness's back end `hf`, which computes a question once for all its answer options.

The harness computes the question again for each option, unless the options differ only in their last token.
Here the question goes through the model once, and all options reuse its keys and values. The log-likelihoods
differ only in the last digits, as with another batch size. performance/prefix.py measures the speed-up.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from tqdm import tqdm
from transformers.cache_utils import DynamicLayer

Scored = tuple[float, bool]  # a log-likelihood, and whether greedy decoding gives the same tokens
Request = tuple[object, list[int], list[int]]  # lm-eval's texts; the token ids of a context and of an option
Context = tuple[int, ...]  # token ids


class SharedPrefixLM(HFLM):  # type: ignore[misc]  # lm-eval has no types
    """HFLM with shared questions, for models that keep the keys and values of all tokens in every layer.

    Any other model is run as HFLM runs it.
    """

    def _loglikelihood_tokens(
        self, requests: list[Request], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[Scored]:
        """Score requests in place of HFLM, which still scores those that cannot share a context."""
        contexts: dict[Context, list[int]] = defaultdict(list)
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

    def _gains(self, context: Context, options: list[list[int]]) -> bool:
        """Check whether sharing saves work: a context longer than its options, which HFLM does not share."""
        starts = {tuple(option[:-1]) for option in options}
        fits: bool = len(context) + max(map(len, options)) <= self.max_length
        return len(starts) > 1 and fits and len(context) > sum(map(len, options))

    def _batches(self, shared: dict[Context, list[int]]) -> Iterator[list[Context]]:
        """Batch contexts by length, longest first, with at most `batch_size` options in a batch."""
        batch: list[Context] = []
        rows = 0
        for context in sorted(shared, key=lambda context: (-len(context), context)):
            if batch and rows + len(shared[context]) > int(self.batch_size):
                yield batch
                batch, rows = [], 0
            batch.append(context)
            rows += len(shared[context])
        if batch:
            yield batch

    @torch.inference_mode()
    def _score(self, requests: list[Request], contexts: dict[Context, list[int]]) -> dict[int, Scored] | None:
        """Score the options of a batch, by the number of the request; None if the cache cannot be shared."""
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
        cache: Any = getattr(begun, "past_key_values", None)
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

    def _tensor(self, values: Sequence[Any]) -> torch.Tensor:
        """Make a tensor of integers on the model's device."""
        return torch.tensor(values, dtype=torch.long, device=self.device)

    def _log_softmax(self, logits: torch.Tensor) -> torch.Tensor:
        """Compute log-probabilities in the configured number format."""
        return torch.nn.functional.log_softmax(logits, dim=-1, dtype=self.softmax_dtype)
