"""The toy models are trained on the answers alone."""

import torch
from torch.testing import assert_close
from toy_models import _loss_and_gradients, encode, new_model, train_tokenizer

LESSONS = [
    ("chat", "Define: heart", "A muscle that pumps blood."),
    ("text", "Question: is it so?\nAnswer:", " yes"),
    ("chat", "心臓 =", "heart"),
]


def test_loss_and_gradients_are_those_of_the_models_own_loss_on_the_answers():
    """The oracle is Transformers' loss, with the padding masked and the prompts not to be learnt."""
    torch.manual_seed(1)
    tokenizer = train_tokenizer([text for _, *both in LESSONS for text in both])
    model, examples = new_model(tokenizer), [encode(tokenizer, lesson) for lesson in LESSONS]
    longest = max(len(prompt) + len(answer) for prompt, answer in examples)
    ids, mask, labels = [], [], []
    for prompt, answer in examples:
        spare = longest - len(prompt) - len(answer)
        ids.append(prompt + answer + [model.config.pad_token_id] * spare)
        mask.append([1] * (longest - spare) + [0] * spare)
        labels.append([-100] * len(prompt) + answer + [-100] * spare)
    oracle = model(
        input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask), labels=torch.tensor(labels)
    ).loss
    oracle.backward()
    loss, gradients = _loss_and_gradients(model, examples)
    answered = sum(len(answer) for _, answer in examples)
    assert_close(loss / answered, oracle.item())
    for (name, weight), gradient in zip(model.named_parameters(), gradients, strict=True):
        assert_close(
            gradient / answered, weight.grad, atol=1e-6, rtol=1e-4, msg=lambda m, name=name: name + m
        )
