"""Pearson's correlation between the likeliest digit and the label."""


def likeliest_digit(doc: dict, results: list[tuple[float, bool]]) -> dict[str, tuple[float, float]]:
    """One (prediction, label) pair; `results` holds the log-likelihood of each digit in order."""
    likelihoods = [likelihood for likelihood, _ in results]
    return {"pearson": (float(likelihoods.index(max(likelihoods))), float(doc["label"]))}


def pearson(pairs: list[tuple[float, float]]) -> float:
    """NaN where it is not defined: fewer than two pairs, or predictions that never differ."""
    from scipy.stats import pearsonr

    predictions, labels = zip(*pairs, strict=True)
    if len(set(predictions)) < 2 or len(set(labels)) < 2:
        return float("nan")
    return float(pearsonr(predictions, labels).statistic)
