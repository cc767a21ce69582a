"""What the report's page is made of: text stays text, what is missing is a dash, and nothing is lost."""

import base64
import hashlib
import json
import re

import pandas as pd
import pytest
from explorer_page import data_of, unpacked
from helpers import PROJECT, snakemake
from lexmerge.report.page_data import integrity, packed
from lexmerge.report.tables import affected_cells, numbered
from lexmerge.report.terms import answers, term_rows
from report import checkpoints, inline_svg, number, percent, render, statuses

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"
DEFINITION = {
    "term": "t",
    "translation": HOSTILE,
    "definition": HOSTILE,
    "flags": ["echo"],
    "finish_reason": "stop",
}
JUDGEMENT = {"term": "t", "score": 1, "reason": HOSTILE, "status": "scored"}


def test_what_a_template_is_given_is_text(tmp_path):
    template = tmp_path / "t.j2"
    template.write_text("{{ said }}")
    page = render(str(template), said=HOSTILE)
    assert "<" not in page
    assert "{{ 7 * 7 }}" in page


def test_what_models_and_judges_wrote_is_packed_into_letters_that_mean_nothing():
    own = answers({"m": [DEFINITION]}, {("m", "j"): [JUDGEMENT]}, ["j"])
    rows = term_rows([{"term": "t"}], {"m": [DEFINITION]}, [], own, [], "m")
    text = packed(rows)
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", text)
    assert unpacked(text) == [["t", HOSTILE, "", "", "", "", "", [[HOSTILE, 4, [[1, HOSTILE]]]], []]]
    assert packed(rows) == text, "the same page for the same study"


def test_what_was_not_asked_or_not_scored_is_neither_an_answer_nor_a_zero():
    refused = JUDGEMENT | {"score": None, "status": "refused", "reason": "no"}
    not_asked = DEFINITION | {"term": "u", "finish_reason": "not_asked"}
    (found,) = answers({"m": [DEFINITION, not_asked]}, {("m", "j"): [refused]}, ["j"])
    assert found == {"t": [HOSTILE, 4, [[None, "no", "refused"]]]}


def test_a_reference_is_kept_where_it_is_not_the_experts_definition():
    own = answers({"m": [DEFINITION]}, {("m", "j"): [JUDGEMENT]}, ["j"])
    references = [{"term": "t", "definition": "another"}]
    assert term_rows([{"term": "t"}], {"m": [DEFINITION]}, references, own, [], "m")[0][6] == "another"
    references = [{"term": "t", "definition": HOSTILE}]
    assert term_rows([{"term": "t"}], {"m": [DEFINITION]}, references, own, [], "m")[0][6] is None


def test_the_one_script_that_may_run_is_named_as_the_standard_says():
    """The example of W3C's Content Security Policy Level 3, section 8.4, by way of hashlib."""
    script = "alert('Hello, world.');"
    assert integrity(script) == "sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng="
    assert base64.b64decode(integrity(script)[7:]) == hashlib.sha256(script.encode()).digest()


def test_a_figure_on_the_page_keeps_its_numbers(tmp_path):
    file = tmp_path / "f.svg"
    drawn = '<?xml?><svg><path d="M 1.23456 2.5"/><text x="1.239">0.00456</text><text>ties_0.125</text></svg>'
    file.write_text(drawn)
    assert inline_svg(str(file)) == (
        '<svg><path d="M 1.23 2.5"/><text x="1.23">0.00456</text><text>ties_0.125</text></svg>'
    )


def test_every_model_says_where_it_is_from():
    weights = {"model.safetensors": "a", "config.json": "b"}
    merge = {
        "recipe": {"merge_method": "ties"},
        "versions": {"mergekit": "0.1.5"},
        "seed": 3,
        "files": weights,
    }
    hub = {"source": "org/name", "revision": "abc", "files": weights | {"config.json": "c"}}
    rows = checkpoints({"m": merge, "h": hub})
    assert [row["source"] for row in rows] == ["ties by MergeKit 0.1.5", "org/name@abc"]
    assert [row["seed"] for row in rows] == [3, None]
    assert rows[0]["weights"] == rows[1]["weights"], "of the weights alone"


def test_a_missing_number_is_a_dash():
    assert (number(None), number(float("nan")), number(0), number(0.125, 1)) == ("–", "–", "0.00", "0.1")
    assert (percent(float("nan")), percent(0.255)) == ("–", "26%")


def test_reasons_for_missing_scores_have_their_counts():
    assert statuses("2 empty_definition, 1 refused") == "empty definition (2), refused (1)"


def test_each_reason_why_a_cell_is_grey_has_one_number():
    assert numbered([["a", "b"], [], ["b", "c"]]) == {"a": 1, "b": 2, "c": 3}
    table = pd.DataFrame(
        [
            ("judge", "j", "m", True, "cut"),
            ("judge", "j", "m", False, ""),
            ("judge", "j", "n", True, "empty"),
        ],
        columns=["kind", "measure", "model", "affected", "why"],
    )
    assert affected_cells(table) == {("judge", "j", "m"): ["cut"], ("judge", "j", "n"): ["empty"]}


def test_every_term_definition_and_score_of_the_study_is_on_the_page(toy):
    data = data_of((toy / "report/index.html").read_text(encoding="utf-8"))
    rows = {row[0]: row for row in data["terms"]}
    assert len(rows) == 66
    for k, model in enumerate(data["models"]):
        for folder, place in (("", 7), ("transfer/", 8)):
            for line in (toy / f"{folder}definitions/{model}.jsonl").read_text(encoding="utf-8").splitlines():
                written = json.loads(line)
                assert rows[written["term"]][place][k][0] == written["definition"]
            for j, judge in enumerate(("chrf", "rouge")):
                file = toy / f"{folder}judgements/{judge}/{model}.jsonl"
                for line in file.read_text(encoding="utf-8").splitlines():
                    row = json.loads(line)
                    score, reason, *status = rows[row["term"]][place][k][2][j]
                    assert (score, reason) == (row["score"], row["reason"])
                    assert status == ([] if row["status"] == "scored" else [row["status"]])


def test_grey_cells_say_why(toy):
    page = (toy / "report/index.html").read_text(encoding="utf-8")
    grey = re.findall(r'<td class="[^"]*doubtful[^"]*" title="([^"]+)">', page)
    assert "language mismatch (en, generalist ja)" in grey
    listed = re.findall(r"<li>(.*?)</li>", page)
    assert {why for title in grey for why in title.split("; ")} <= set(listed)


@pytest.fixture(scope="module")
def snakemakes_report(toy_run, tmp_path_factory):
    """`snakemake --report` of the finished study; the workflow's folder is only read."""
    target = tmp_path_factory.mktemp("report") / "report.zip"
    snakemake(toy_run, "--report", str(target))
    return target


def test_snakemakes_own_report_has_captions_labels_and_categories(snakemakes_report):
    import zipfile

    with zipfile.ZipFile(snakemakes_report) as archive:
        names = archive.namelist()
        text = "".join(archive.read(name).decode() for name in names if name.endswith((".html", ".js")))
    for category in ("The report", "Tables", "Comparisons", "Figures"):
        assert f'"{category}"' in text
    assert "Table 1: definition scores by judge" in text
    assert "Recipe search of evolved_dare_ties" in text
    assert "Confounders of the scores" in text, "the caption"
    assert "System Message" not in text, "docutils has nothing to complain about"
    assert sum(name.endswith(".svg") for name in names) >= 4


def test_every_caption_is_there():
    rules = "".join(file.read_text(encoding="utf-8") for file in (PROJECT / "workflow/rules").glob("*.smk"))
    named = set(re.findall(r'caption="\.\./report/(\w+)\.rst"', rules)) | {"workflow"}
    assert named == {file.stem for file in (PROJECT / "workflow/report").glob("*.rst")}
