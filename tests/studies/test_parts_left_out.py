"""A study without judges, benchmarks or merges: what needs them is left out, and the rest reads well."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml
from explorer_page import data_of
from helpers import PROJECT, clone, snakemake
from lexmerge.common.files import read_tsv
from tiny_models import byte_tokenizer, llama

SAILING = yaml.safe_load((PROJECT / "tests/data/sailing/study.yaml").read_text(encoding="utf-8"))
KINDS = ("svg", "png", "pdf")
# The outputs by what they need, and the anchors of their sections on the page.
ALWAYS = {
    *(
        "vocabulary/terms.tsv",
        "vocabulary/funnel.tsv",
        "vocabulary/translations.tsv",
        "vocabulary/corpus.tsv",
    ),
    *("references/skipper.jsonl", "definitions/skipper.jsonl", "definitions/landlubber.jsonl"),
    *("tables/definition_flags.tsv", "statistics/distances.tsv", "report/index.html", "study.yaml"),
    *(f"figures/distances.{kind}" for kind in KINDS),
}
MERGED = {"definitions/half.jsonl", "recipes/half.yaml"}
JUDGED = {
    *(f"judgements/chrf/{model}.jsonl" for model in ("skipper", "landlubber", "half")),
    *("controls/chrf.jsonl", "tables/controls.tsv", "tables/costs.tsv", "statistics/transfer.tsv"),
    *(f"tables/definition_scores.{kind}" for kind in ("tsv", "md", "tex")),
    *(f"figures/score_histograms.{kind}" for kind in KINDS),
}
TESTED = {
    f"benchmarks/boats/{model}.{kind}"
    for model in ("skipper", "landlubber")
    for kind in ("json", "samples.jsonl")
}
BENCHMARKED = {
    *("tables/benchmark_scores.tsv", "benchmark_data/boats/parts/test.jsonl"),
    *("benchmark_data/boats/parts/train.jsonl", *TESTED),
    *(f"tables/benchmarks.{kind}" for kind in ("tsv", "md", "tex")),
}
BENCHMARKED_MERGE = {"benchmarks/boats/half.json", "benchmarks/boats/half.samples.jsonl"}
COMPARED = {
    *("statistics/comparisons.tsv", "tables/verdicts.md", "tables/verdicts.tex"),
    *(f"figures/differences.{kind}" for kind in KINDS),
}
CHECKED = {"tables/validity.tsv"}
STUDIES = {
    "neither": ({"judges": [], "benchmarks": []}, ALWAYS | MERGED),
    "judges": ({"benchmarks": []}, ALWAYS | MERGED | JUDGED | COMPARED | CHECKED),
    "benchmarks": (
        {"judges": []},
        ALWAYS | MERGED | BENCHMARKED | BENCHMARKED_MERGE | COMPARED | CHECKED,
    ),
    "no merges": ({"judges": [], "merges": []}, ALWAYS | BENCHMARKED | CHECKED),
}
SECTIONS = {
    "neither": ["flags", "distances", "terms", "made"],
    "judges": [
        *("verdicts", "scores", "flags", "figure", "differences", "transfer", "controls"),
        *("distances", "terms", "made"),
    ],
    "benchmarks": ["verdicts", "flags", "benchmarks", "differences", "distances", "terms", "made"],
    "no merges": ["flags", "benchmarks", "distances", "terms", "made"],
}
FINISHED = {
    "neither": "1 merge, 3 models under test",
    "judges": "1 merge, 3 models under test, 1 judge",
    "benchmarks": "1 merge, 3 models under test, 1 benchmark",
    "no merges": "2 models under test, 1 benchmark",
}


def sailing(**selected: list[str]) -> dict:
    """The study of sailing with another selection, without the definitions of what it does not select."""
    config = SAILING | {"study": SAILING["study"] | selected}
    return {name: part for name, part in config.items() if selected.get(name) != []}


def run(folder: Path, config: dict, *arguments: str, check: bool = True) -> CompletedProcess:
    (folder / "own.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return snakemake(folder, *arguments, "--configfile", "own.yaml", check=check)


def with_models(folder: Path) -> Path:
    """A clone of the project with two tiny models for the study of sailing."""
    clone(folder)
    for seed, name in enumerate(("skipper", "landlubber")):
        llama(folder / "models" / name, seed, vocab_size=257)
        byte_tokenizer(folder / "models" / name)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, tuple[Path, str]]:
    """For each study its folder and what its run printed; the larger ones go on from `neither`."""
    top = tmp_path_factory.mktemp("left_out")
    runs: dict[str, tuple[Path, str]] = {}
    for name, (selected, _) in STUDIES.items():
        if name == "neither":
            folder = with_models(top / name)
        else:
            smaller = runs["benchmarks" if name == "no merges" else "neither"][0]
            folder = shutil.copytree(smaller, top / name, symlinks=True)
        if name == "no merges":  # made again, to see which files come back
            for made in ("tables", "statistics", "figures", "report"):
                shutil.rmtree(folder / "results/sailing" / made)
        done = run(folder, sailing(**selected), "--cores", "2")
        runs[name] = folder, done.stdout + done.stderr
    return runs


@pytest.fixture(params=STUDIES)
def name(request) -> str:
    return request.param


@pytest.fixture
def results(folders, name) -> Path:
    return folders[name][0] / "results/sailing"


@pytest.fixture
def page(results) -> str:
    return (results / "report/index.html").read_text(encoding="utf-8")


class Page(HTMLParser):
    """The anchors, links and headings of a page, and its text without scripts and the config."""

    def __init__(self, page: str):
        super().__init__()
        self.anchors: list[str] = []
        self.links: list[str] = []
        self.headings: list[str] = []
        self.tag, self.text = "", ""
        self.feed(page.split("<details><summary>The whole config")[0])

    def handle_starttag(self, tag, attributes):
        self.tag = tag
        given = dict(attributes)
        if tag in ("h2", "h3"):
            self.anchors += [given["id"]] if "id" in given else []
            self.headings.append("")
        if tag == "a":
            self.links.append(given["href"])

    def handle_data(self, text):
        if self.tag in ("style", "script"):
            return
        self.text += text
        if self.tag in ("h2", "h3"):
            self.headings[-1] += text


def made(results: Path) -> set[str]:
    """The files of a study, without checkpoints, journals and logs."""
    apart = ("models", "merges", "journal", "logs", "timings")
    found = [file.relative_to(results) for file in results.rglob("*") if file.is_file()]
    return {file.as_posix() for file in found if file.parts[0] not in apart}


def test_a_study_has_the_files_of_its_parts_and_no_others(results, name):
    known = made(results)
    if name == "no merges":  # what the merge left behind in the study's folder
        known -= MERGED | BENCHMARKED_MERGE
    assert known == STUDIES[name][1]


def test_no_table_is_a_header_alone(results):
    tables = [*results.glob("tables/*.tsv"), *results.glob("statistics/*.tsv")]
    assert [file.name for file in tables if read_tsv(file).empty] == []


def test_the_page_has_the_sections_of_the_study_and_links_to_them(page, name):
    seen = Page(page)
    assert seen.anchors == SECTIONS[name]
    assert {link.removeprefix("#") for link in seen.links} <= set(seen.anchors)
    navigation = re.findall(r'href="#(\w+)"', re.search(r"<nav.*?</nav>", page)[0])
    assert navigation == [anchor for anchor in SECTIONS[name] if anchor != "flags" or name != "judges"]


def test_the_page_does_not_speak_of_what_the_study_lacks(page, name):
    seen = Page(page)
    selected = STUDIES[name][0]
    words = {
        "judges": r"\bjudges?\b(?! scored them)|judgement|Table 1",
        "benchmarks": r"benchmark|documents",
        "merges": "merge",
    }
    for part in selected:
        prose = seen.text.partition("Complete config")[0]
        text = prose.replace("lexmerge", "").replace("mergekit", "")
        assert re.findall(words[part], text) == [], f"{name} speaks of {part}"
    assert "0 " + next(iter(selected)) not in seen.text
    assert not re.search(r"\b1 (merges|terms|judges|models|benchmarks)\b", seen.text)


def test_the_explorer_shows_the_definitions_with_the_scores_there_are(page, name):
    data = data_of(page)
    scored = 1 if name == "judges" else 0
    answers = [answer for row in data["terms"] for answer in row[7]]
    assert len(data["terms"]) == 4 and len(data["judges"]) == scored
    assert {len(answer[2]) for answer in answers} == {scored}
    assert ('id="f-judge"' in page) == ('id="f-order"' in page) == bool(scored)


def test_the_terminal_counts_the_parts_of_the_study(folders, name):
    assert f"The study 'sailing' ({FINISHED[name]}) is finished" in folders[name][1]


def test_the_plan_the_costs_and_the_sheet_for_raters_need_no_judge(folders):
    folder, _ = folders["neither"]
    config = sailing(judges=[], benchmarks=[])
    said = run(folder, config, "plan", "estimate", "rating_sheet", "--cores", "2")
    assert "no requests to paid services" in said.stdout
    assert "it costs nothing" in said.stderr
    assert len(read_tsv(folder / "results/sailing/ratings/sheet.tsv")) > 0
