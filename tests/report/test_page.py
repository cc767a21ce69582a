"""The report's page in a real browser: it finds and shows terms, and runs nothing but its own script."""

import re
import shutil
from pathlib import Path

import explorer_page
import pytest
from helpers import MODELS, PROJECT
from lexmerge.common.files import read_jsonl, read_tsv
from playwright.sync_api import Page, expect, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HOSTILE = (
    "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 1'>"
    "<svg onload='window.hit = 1'><a href='javascript:window.hit = 1'>\u2028${window.hit = 1}"
)


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no browser to look at the page with; install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def look(browser):
    """Open a file and wait for its terms. At the end nothing was fetched, and the console is silent."""
    said, asked, views = [], [], []

    def open_file(file: Path, hash: str = "", **options) -> Page:
        context = browser.new_context(**options)
        view = context.new_page()
        views.append(context)
        view.on("console", lambda message: said.append(message.text))
        view.on("pageerror", lambda error: said.append(str(error)))
        view.on("dialog", lambda dialog: said.append(dialog.message))
        view.on("request", lambda request: asked.append(request.url))
        view.goto(file.as_uri() + hash)
        view.wait_for_selector("[data-explorer=ready]", state="attached")
        return view

    yield open_file
    for context in views:
        context.close()
    assert said == []
    assert {url.split("#")[0].rsplit(".", 1)[-1] for url in asked} == {"html"}, "the page itself, and no more"


@pytest.fixture
def page(toy) -> Path:
    return toy / "report/index.html"


@pytest.fixture
def with_terms(page, tmp_path):
    """The toy study's page with other terms in it."""

    def make(rows: list[list], models: list[str]) -> Path:
        made = explorer_page.with_terms(page.read_text(encoding="utf-8"), rows, models, ["one", "two"])
        file = tmp_path / "page.html"
        file.write_text(made, encoding="utf-8")
        return file

    return make


def found(view: Page) -> int:
    return int(view.inner_text("#found").split()[0])


def reset(view: Page) -> None:
    view.click("text=Clear filters")
    expect(view.locator("#found")).to_have_text("66 of 66 terms")


def test_a_search_finds_a_term_in_either_language_and_in_the_definitions(look, page):
    view = look(page)
    assert view.inner_text("#found") == "66 of 66 terms"
    view.fill("#f-text", "喘息")
    assert view.inner_text("#hits") == "asthma\n喘息"
    assert view.inner_text("#term h3") == "asthma 喘息", "the first that is found is shown"
    view.fill("#f-text", "ＡＳＴＨＭＡ")
    assert found(view) == 1
    view.fill("#f-text", "breathing hard")
    assert found(view) == 0
    assert view.inner_text("#term") == "No term matches these filters."
    view.check("#f-within")
    assert found(view) >= 1
    reset(view)


def test_filters_combine(look, page, toy):
    """Counted beside it from the files: the same answer must pass all that is asked of answers."""
    tags = dict(read_tsv(toy / "vocabulary/terms.tsv")[["term", "semantic_tag"]].to_numpy())
    scores = {
        (model, judge, row["term"]): row["score"]
        for model in MODELS
        for judge in ("chrf", "rouge")
        for row in read_jsonl(toy / f"judgements/{judge}/{model}.jsonl")
    }
    view = look(page)

    def expected(models, passes) -> int:
        return sum(any(passes(m, term) for m in models) for term in tags)

    view.select_option("#f-model", label="generalist")
    view.select_option("#f-judge", label="rouge (lexical)")
    view.fill("#f-low", "7")
    known = expected(["generalist"], lambda m, t: scores[m, "rouge", t] >= 7)
    assert 0 < found(view) == known < 66
    view.select_option("#f-tag", "finding")
    assert found(view) == sum(tags[t] == "finding" and scores["generalist", "rouge", t] >= 7 for t in tags)
    view.select_option("#f-tag", "")
    view.fill("#f-apart", "2")
    apart = expected(
        ["generalist"],
        lambda m, t: scores[m, "rouge", t] >= 7 and abs(scores[m, "rouge", t] - scores[m, "chrf", t]) >= 2,
    )
    assert 0 < found(view) == apart < known

    reset(view)
    flagged = {
        (model, row["term"])
        for model in MODELS
        for row in read_jsonl(toy / f"definitions/{model}.jsonl")
        if "wrong_language" in row["flags"]
    }
    view.select_option("#f-flag", label="wrong language")
    assert 0 < found(view) == len({term for _, term in flagged})
    view.select_option("#f-flag", label="without a score")
    missing = {term for (_, _, term), score in scores.items() if score is None}
    assert 0 < found(view) == len(missing)


def test_terms_are_ordered_by_what_is_asked(look, page, toy):
    view = look(page)
    view.select_option("#f-model", label="generalist")
    view.select_option("#f-judge", label="chrf (lexical)")
    view.select_option("#f-order", "high")
    shown = view.locator("#hits a").evaluate_all("links => links.map(link => link.firstChild.textContent)")
    rows = read_jsonl(toy / "judgements/chrf/generalist.jsonl")
    assert shown == [row["term"] for row in sorted(rows, key=lambda row: -row["score"])]


def test_the_keyboard_is_enough(look, page):
    view = look(page)
    view.keyboard.press("/")
    view.keyboard.type("itis")
    view.keyboard.press("ArrowDown")
    first = view.inner_text("#term h3")
    view.wait_for_timeout(300)
    assert view.evaluate("location.hash") == f"#term={first.split()[0]}"
    view.keyboard.press("ArrowDown")
    second = view.inner_text("#term h3")
    assert second != first
    view.keyboard.press("ArrowUp")
    assert view.inner_text("#term h3") == first
    view.keyboard.press("ArrowUp")
    assert view.evaluate("document.activeElement.id") == "f-text"


def test_an_address_leads_to_a_term_and_its_answers(look, page):
    view = look(page, "#term=asthma")
    assert view.inner_text("#term h3") == "asthma 喘息"
    cards = view.locator("#term .answer h4").all_inner_texts()
    assert [card.split()[0] for card in cards] == [*MODELS, *MODELS], "in its own language, and in the other"
    assert view.locator("#term .answer .score").count() == 2 * 2 * len(MODELS)
    assert view.evaluate("document.getElementById('term').getBoundingClientRect().top < innerHeight")
    view.evaluate("location.hash = 'term=no%20such'")
    expect(view.locator("#term")).to_contain_text("no such")
    view.evaluate("location.hash = 'term=%E0%A4%A'")
    assert "no such" in view.inner_text("#term"), "an address that is none changes nothing"


def test_hostile_texts_are_shown_and_do_not_run(look, with_terms):
    judged = [[3, HOSTILE], [None, HOSTILE, HOSTILE]]
    rows = [[HOSTILE, HOSTILE, HOSTILE, HOSTILE, "0", HOSTILE, HOSTILE, [[HOSTILE, 31, judged]] * 2, []]]
    view = look(with_terms(rows, [HOSTILE, "b"]))
    assert view.inner_text("#found") == "1 of 1 term"
    view.click("#hits a")
    view.wait_for_timeout(200)
    assert view.evaluate("window.hit") is None
    assert view.locator("#term img, #term script, #term svg, #hits img").count() == 0
    assert view.locator("#term .answer p").first.text_content() == HOSTILE


def test_even_if_a_text_became_html_its_script_would_not_run(browser, page):
    view = browser.new_page()
    view.goto(page.as_uri())
    view.evaluate("document.body.insertAdjacentHTML('beforeend', `<img src=x onerror='window.hit = 1'>`)")
    view.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.hit = 1";
          document.body.append(script);
        }"""
    )
    view.wait_for_timeout(200)
    assert view.evaluate("window.hit") is None
    view.close()


def test_1782_terms_of_nine_models_are_filtered_within_a_tenth_of_a_second(look, with_terms):
    answer = [
        "肺胞に炎症が起こり、咳や熱が出る病気のこと。" * 8,
        0,
        [[5, "reason " * 25], [6, "reason " * 25]],
    ]
    rows = [
        [f"term{n}", f"用語{n}", "disorder", "", "0", "NN", None, [[f"{n} {answer[0]}", *answer[1:]]] * 9, []]
        for n in range(1782)
    ]
    view = look(with_terms(rows, [f"m{k}" for k in range(9)]))
    view.check("#f-within")
    searches = ["用語1", "用語17", "肺胞", "term", "1781", ""]
    times = view.evaluate(explorer_page.FILTER_TIMES, searches)
    assert found(view) == 1782
    assert sorted(times)[len(times) // 2] < 100, times
    assert view.locator("#hits a").count() < 400, "no more links than are seen"


def test_a_term_further_down_is_reached_by_scrolling(look, with_terms):
    rows = [[f"t{n}", "", "", "", "", "", None, [["d", 0, [[1, ""], [2, ""]]]] * 2, []] for n in range(500)]
    view = look(with_terms(rows, ["a", "b"]))
    for _ in range(8):
        view.evaluate("hits.scrollTop = hits.scrollHeight")
        view.wait_for_timeout(50)
    assert view.locator("#hits a").count() == 500


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(look, page, scheme):
    view = look(page, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    assert view.evaluate("document.documentElement.scrollWidth") == 360
    ink, paper = view.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    light = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ink, paper)]
    assert (light[0] < 200 < 600 < light[1]) == (scheme == "light")


def test_the_browsers_script_is_the_projects():
    """What the page runs beside its own script is fzstd as npm has it, but for its first line."""
    import hashlib

    text = (PROJECT / "workflow/report/vendor/fzstd.js").read_bytes().split(b"\n", 1)[1]
    assert (
        hashlib.sha256(text).hexdigest() == "fbea1c25c4413b620ca3f59e6037d9f6c675c5c7f690e4d660143188f686461d"
    )
