"""A choice of one's own is one file: a provider, translator, lexical judge, back end, format or source."""

import subprocess

import pytest
from helpers import snakemake
from lexmerge.common.files import read_jsonl, read_tsv

# One file each, below workflow/scripts/lexmerge; nothing else of the project is edited.
FILES = {
    "services/providers/parrot.py": '''
"""A provider that scores 7, whatever it is asked."""

from lexmerge.services.provider import Provider


class Client:
    async def send(self, request):
        return {
            "model": request["model"],
            "text": '{"reasoning": "as always", "score": 7}',
            "refusal": None,
            "finish_reason": "stop",
            "block": None,
            "usage": {"prompt_tokens": 3, "completion_tokens": 2},
            "id": None,
        }


REGISTERED = Provider(
    client=lambda base_url, variable: Client(),
    body=lambda model, instructions, text, form, schema, parameters: {"model": model, "text": text},
    key_variable="PARROT_KEY",
    reserved=("voice",),
)
''',
    "vocabulary/translators/marked.py": '''
"""A translator that puts a mark before each term."""

from lexmerge.vocabulary.translator import Translator, translation


def translate(terms, settings, languages, journal, limits):
    return [translation(term["term"], "病" + term["term"], "marked", "ok") for term in terms]


REGISTERED = Translator(translate)
''',
    "vocabulary/terminologies/lines.py": '''
"""A name a line."""

from lexmerge.vocabulary.terminology import Terminology, TerminologyFormat, file_hashes


def read(source, settings, language):
    import pandas as pd

    names = pd.DataFrame({"name": source.read_text(encoding="utf-8").split()}, dtype=object)
    return Terminology(names.assign(semantic_tag="", concept_id=""), "lines", "1", file_hashes([source]))


REGISTERED = TerminologyFormat(read)
''',
    "judgements/lexical_judges/length.py": '''
"""A judge that gives 10 for ten letters and more."""

from lexmerge.judgements.lexical_judge import LexicalJudge



def measure():
    return (lambda definition, gold: min(len(definition), 10) / 10), "length"


REGISTERED = LexicalJudge(measure)
''',
    "models/backends/echo.py": '''
"""A back end that answers each prompt with its own last tokens."""

from lexmerge.models.backend import BackEnd


class Engine:
    name = "echo"

    def generate(self, ids, ends, decoding):
        yield from ((i, [*row[-5:-1], ends[0]]) for i, row in enumerate(ids))


REGISTERED = BackEnd(
    start=lambda folder, settings, longest, resources: Engine(),
    batches=lambda lengths, folder, settings: [list(range(len(lengths)))],
    environment="models",
    packages=("torch",),
    batch_size=7,
)
''',
    "benchmarks/data_sources/constant.py": '''
"""One question, always the same."""

from lexmerge.benchmarks.data_source import DataSource

ROW = {"pmid": "1", "QUESTION": "Is it?", "CONTEXTS": ["It is."], "final_decision": "yes"}
REGISTERED = DataSource(documents=lambda task, split, path: [ROW])
''',
}
STUDY = """
study: {name: toy, merges: [slerp], judges: [chrf, parrot, length], benchmarks: [pubmedqa]}
vocabulary:
  terminology: {format: lines, path: names.txt}
  corpus: {format: text, path: names.txt}
  tagger: none
  filters: {max_count: 5}
translations: {provider: marked}
definitions:
  prompts: {en: resources/prompts/definition.en.txt, ja: resources/prompts/definition.ja.txt}
  backend: echo
judges:
  parrot: {provider: parrot, model: grey}
  length: {provider: length}
benchmarks:
  pubmedqa:
    folder: resources/benchmarks/pubmedqa
    tasks: [pubmedqa]
    data: {source: constant}
"""


@pytest.fixture
def own_study(toy_copy) -> list[str]:
    """The finished toy study with six files more, and the arguments of a study that uses all of them."""
    for name, text in FILES.items():
        (toy_copy / "workflow/scripts/lexmerge" / name).write_text(text.lstrip(), encoding="utf-8")
    (toy_copy / "names.txt").write_text("nephritis asthma oedema\n", encoding="utf-8")
    (toy_copy / "own.yaml").write_text(STUDY, encoding="utf-8")
    return ["--configfile", "own.yaml", "--cores", "1"]


def test_six_choices_of_ones_own_run_without_another_edit(toy_copy, own_study, monkeypatch):
    monkeypatch.setenv("PARROT_KEY", "some key")
    results = "results/toy"
    wanted = [
        f"{results}/judgements/parrot/slerp.jsonl",
        f"{results}/judgements/length/slerp.jsonl",
        f"{results}/benchmark_data/pubmedqa/pubmedqa/test.jsonl",
    ]
    snakemake(toy_copy, *own_study, *wanted)
    terms = read_tsv(toy_copy / results / "vocabulary/translations.tsv")
    assert dict(zip(terms.term, terms.translation, strict=True)) == {
        "asthma": "病asthma",
        "nephritis": "病nephritis",
        "oedema": "病oedema",
    }
    rows = read_jsonl(toy_copy / results / "definitions/slerp.jsonl")
    assert {row["engine"] for row in rows} == {"echo"} and all(row["tokens"] == 5 for row in rows)
    judged = read_jsonl(toy_copy / wanted[0])
    assert [(row["score"], row["reason"], row["judge_model"]) for row in judged] == [
        (7, "as always", "grey")
    ] * 3
    assert {row["judge_model"] for row in read_jsonl(toy_copy / wanted[1])} == {"length"}
    assert [row["QUESTION"] for row in read_jsonl(toy_copy / wanted[2])] == ["Is it?"]


def planned(folder, arguments: list[str]) -> subprocess.CompletedProcess:
    return snakemake(folder, "-n", *arguments, check=False)


def test_keys_limits_and_errors_know_ones_own_provider(toy_copy, own_study, monkeypatch):
    monkeypatch.delenv("PARROT_KEY", raising=False)
    said = planned(toy_copy, own_study).stderr
    assert "judges.parrot: no API key; put it into the environment variable PARROT_KEY" in said
    (toy_copy / "own.yaml").write_text(STUDY.replace("provider: parrot", "provider: parot"), encoding="utf-8")
    said = planned(toy_copy, own_study)
    assert said.returncode != 0
    assert "judges.parrot.provider: 'parot' is not one of the choices; did you mean 'parrot'?" in said.stderr
    assert said.stderr.count("judges.parrot") == 1, "one mistake is one line"
    wrong = STUDY.replace("model: grey}", "model: grey, mode: batch, parameters: {voice: loud}}")
    (toy_copy / "own.yaml").write_text(wrong, encoding="utf-8")
    said = planned(toy_copy, own_study).stderr
    assert "judges.parrot.mode: parrot has no batches" in said
    assert "judges.parrot.parameters" in said and "voice" in said
