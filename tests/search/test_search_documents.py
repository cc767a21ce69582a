"""The documents of a search: none that the tables report, and none that is shown with its answer."""

from types import SimpleNamespace

import pytest
from lexmerge.benchmarks.suites import ask_other_documents
from lexmerge.common.errors import StudyError
from search_data import split


def test_no_document_is_searched_on_that_is_reported_or_shown():
    documents = [{"q": n} for n in range(10)]
    searched, examples = split(documents, [{"q": 3}], documents, 5, seed=0)
    numbers = [row["q"] for row in searched]
    assert len(set(numbers)) == 5
    assert 3 not in numbers
    assert [row for row in documents if row not in searched] == examples
    assert split(documents, [{"q": 3}], documents, 5, seed=1) != (searched, examples)
    fewer, _ = split(documents, [{"q": 3}], documents, 3, seed=0)
    assert all(row in searched for row in fewer), "a smaller search's documents are among a larger one's"
    same = [{"q": n % 5, "id": n} for n in range(10)]
    searched, _ = split(same, [{"q": 1, "id": 99}], [], 8, 0, ["q"])
    assert 1 not in {row["q"] for row in searched}, "the same question by another name is the same"
    with pytest.raises(StudyError, match="only 9 documents are not in the tables, fewer than 10; lower"):
        split(documents, [{"q": 3}], documents, 10, seed=0)


def own_task(**splits) -> SimpleNamespace:
    import datasets

    config = SimpleNamespace(
        num_fewshot=splits.get("shots", 0),
        **{f"{name}_split": splits.get(name) for name in ("test", "validation", "training")},
    )
    dataset = {name: datasets.Dataset.from_list([{"q": f"{name} {n}"} for n in range(20)]) for name in "ab"}
    return SimpleNamespace(
        config=config,
        dataset=dataset,
        set_config=lambda key, value: setattr(config, key, value),
        fewshot_cfg=SimpleNamespace(split=splits.get("shown"), samples=None),
    )


def test_tasks_with_documents_of_their_own_are_searched_on_another_split():
    task = own_task(test="a", training="b")
    ask_other_documents(SimpleNamespace(tasks={"t": task}), 5, seed=0)
    assert task.config.test_split == "b"
    assert len(task.dataset["b"]) == 5
    assert len(task.dataset["a"]) == 20
    with pytest.raises(StudyError, match="t has only documents that the tables report; leave it out"):
        ask_other_documents(SimpleNamespace(tasks={"t": own_task(validation="a")}), 5, seed=0)
    shown = own_task(test="a", training="b", shots=1, shown="a")
    with pytest.raises(
        StudyError, match="t has documents that the tables report as few-shot examples; leave it out"
    ):
        ask_other_documents(SimpleNamespace(tasks={"t": shown}), 5, seed=0)
    with pytest.raises(StudyError, match="t has 20 documents that the tables do not report, fewer than 21"):
        ask_other_documents(SimpleNamespace(tasks={"t": own_task(test="a", validation="b")}), 21, seed=0)
