"""JMedBench's four prompts for each kind of task, and Pearson's correlation for similarity.

The forms are those that JMedBench's authors describe (Jiang et al. 2025, arXiv 2409.13317); the wording of
`instructed` is this project's own. Functions for `process_docs` turn each document into one a prompt, with
`document`, its number, and `template`, the prompt's name, beside its fields.
"""

from collections.abc import Callable, Iterable
from string import ascii_uppercase

PERSONA = "あなたは医学博士です。基礎医学と臨床医学の知識にもとづいて、"
Prompts = dict[str, str]  # a prompt's name -> the prompt


def mcqa(documents: Iterable[dict]) -> Iterable[dict]:
    return _asked(documents, mcqa_prompts)


def abstract(documents: Iterable[dict]) -> Iterable[dict]:
    return _asked(documents, abstract_prompts)


def dc(documents: Iterable[dict]) -> Iterable[dict]:
    return _asked(documents, dc_prompts)


def sts(documents: Iterable[dict]) -> Iterable[dict]:
    return _asked(documents, sts_prompts)


def _asked(documents: Iterable[dict], prompts_of: Callable[[dict], Prompts]) -> Iterable[dict]:
    """A `datasets.Dataset` of one, and a list of anything else."""
    rows = [
        {**document, "document": number, "template": name, "prompt": prompt}
        for number, document in enumerate(documents)
        for name, prompt in prompts_of(document).items()
    ]
    return documents.from_list(rows) if hasattr(documents, "from_list") else rows


def mcqa_prompts(doc: dict) -> Prompts:
    question, options = doc["question"], _lettered(doc["options"])
    return {
        "minimal": f"{question}\n",
        "standard": f"質問：{question}\n{options}\n答え：",
        "english": f"Question: {question}\n{options}\nAnswer: ",
        "instructed": f"{PERSONA}次の問題の正しい答えを選択肢から一つ選んでください。\n"
        f"質問：{question}\n選択肢：\n{options}\n答え：",
    }


def abstract_prompts(doc: dict) -> Prompts:
    context, question = doc["context"], doc["question"]
    return {
        "minimal": f"{context}\n{question}\n",
        "standard": f"要旨：{context}\n質問：{question}\n答え：",
        "english": f"Abstract: {context}\nQuestion: {question}\nAnswer: ",
        "instructed": f"{PERSONA}次の要旨を読み、質問に「はい」「いいえ」「たぶん」のどれかで"
        "答えてください。\n"
        f"要旨：{context}\n質問：{question}\n答え：",
    }


def dc_prompts(doc: dict) -> Prompts:
    context, question, options = doc["context"], doc["question"], _lettered(doc["options"])
    return {
        "minimal": f"{context}\n{question}\n",
        "standard": f"文脈：{context}\n質問：{question}\n{options}\n答え：",
        "english": f"Context: {context}\nQuestion: {question}\n{options}\nAnswer: ",
        "instructed": f"{PERSONA}次の文脈を読み、質問の正しい答えを選択肢から一つ選んでください。\n"
        f"文脈：{context}\n質問：{question}\n選択肢：\n{options}\n答え：",
    }


def sts_prompts(doc: dict) -> Prompts:
    one, other = doc["premise"], doc["hypothesis"]
    return {
        "minimal": f"{one}\n{other}\n",
        "standard": f"テキスト1：{one}\nテキスト2：{other}\n類似度 (0-5)：",
        "english": f"Text 1: {one}\nText 2: {other}\nSemantic Text Similarity (0-5): ",
        "instructed": f"{PERSONA}次の二つの文の意味がどれほど近いかを、0（無関係）から5（同じ意味）までの"
        f"整数で答えてください。\nテキスト1：{one}\nテキスト2：{other}\n類似度 (0-5)：",
    }


def _lettered(options: list[str]) -> str:
    return "\n".join(f"{letter}. {option}" for letter, option in zip(ascii_uppercase, options, strict=False))


def likeliest_digit(doc: dict, results: list[tuple[float, bool]]) -> dict[str, tuple]:
    """(prompt, prediction, label); `results` holds the log-likelihood of each digit in order."""
    likelihoods = [likelihood for likelihood, _ in results]
    return {"pearson": (doc["template"], float(likelihoods.index(max(likelihoods))), float(doc["label"]))}


def pearson(scored: list[tuple[str, float, float]]) -> float:
    """The mean over the prompts of each one's correlation.

    NaN where one is not defined: fewer than two pairs, or predictions that never differ.
    """
    from scipy.stats import pearsonr

    correlations = []
    for template in dict.fromkeys(template for template, _, _ in scored):
        predictions, labels = zip(*(pair for name, *pair in scored if name == template), strict=True)
        if len(set(predictions)) < 2 or len(set(labels)) < 2:
            return float("nan")
        correlations.append(float(pearsonr(predictions, labels).statistic))
    return sum(correlations) / len(correlations)
