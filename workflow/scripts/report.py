"""The report: a study's verdicts, tables, figures and terms on one self-contained page."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from lexmerge.benchmarks.results import read_results, titles
from lexmerge.common.files import read_notes, read_numbers, read_tsv, write_text
from lexmerge.common.plurals import counted
from lexmerge.definitions.flags import FLAGS
from lexmerge.judgements.control_results import controls_of
from lexmerge.report.page_data import integrity, one_script, packed
from lexmerge.report.tables import (
    affected_cells,
    benchmark_columns,
    by_group,
    intervals,
    numbered,
    numbers,
    scores_by_model,
    split_caveats,
    verdicts,
)
from lexmerge.report.terms import engines, explorer, read_written, texts, translation_counts
from lexmerge.run.job import job
from lexmerge.statistics.distances import split_notes
from lexmerge.statistics.transfer import WHERE
from lexmerge.statistics.validity import short

WHERE_TITLES = {
    "both": "in both languages",
    "only_source": "only in {source}",
    "only_target": "only in {target}",
    "lost": "lost",
    "never": "never known",
}
GROUP_TITLES = {"corpus_count": "corpus count", "semantic_tag": "semantic tag", "letters": "letters"}
# Tables shown with all their rows; some exist in some studies only.
ROWS = (
    *("controls", "costs", "ratings", "rated_means", "benchmarks", "agreement", "published", "searches"),
    "definition_flags",
)
SIGNS = {"better": "▲", "worse": "▼", "equivalent": "=", "cannot tell": "?"}  # readable without colours


def number(value: object, digits: int = 2) -> str:
    """Format a number for the tables; a missing one is a dash."""
    return "–" if value is None or pd.isna(value) else f"{value:.{digits}f}"


def p_value(value: float) -> str:
    """Format a p-value with four decimals, or as `< 0.0001`."""
    return "< 0.0001" if value < 0.0001 else number(value, 4)


def percent(value: float) -> str:
    """Format a share, from 0 to 1, as a whole percentage; a missing one is a dash."""
    return "–" if pd.isna(value) else f"{100 * value:.0f}%"


def statuses(text: str) -> str:
    """Format a count by status, `2 empty_definition, 1 refused`, as `empty definition (2), refused (1)`."""
    counts = [part.split(" ", 1) for part in text.split(", ")]
    return ", ".join(f"{status.replace('_', ' ')} ({n})" for n, status in counts)


def render(template: str, **values: object) -> str:
    """Render a template with every value escaped, except the style, script and figures it marks as safe."""
    folder = FileSystemLoader(Path(template).parent)
    environment = Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {"number": number, "numbers": numbers, "p_value": p_value, "percent": percent}
    environment.filters |= {"counted": counted, "statuses": statuses}
    return environment.get_template(Path(template).name).render(values)


def inline_svg(file: str) -> str:
    """Read an SVG file for inlining into HTML, with coordinates cut to two decimals."""
    text = Path(file).read_text(encoding="utf-8")
    places = r'\b(?:d|transform|x|y|x1|y1|x2|y2|points|width|height)="[^"]*"'

    def rounded(place: re.Match[str]) -> str:
        return re.sub(r"(\d\.\d\d)\d+", r"\1", place[0])

    return re.sub(places, rounded, text[text.index("<svg") :])


def of_study(study: dict[str, Any]) -> dict[str, Any]:
    """The page's values from the study's config and versions (study.yaml)."""
    config = study["config"]
    codes = config["study"]["languages"]
    return {
        "study": config["study"],
        "versions": study["versions"],
        "config_text": yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        "against_references": any(judge.get("against") != "gold" for judge in config["judges"].values()),
        "toy_suites": [name for name, s in config["benchmarks"].items() if s["data"]["source"] == "toy"],
        "known": config["statistics"]["known"],
        "margins": config["statistics"]["margins"],
        "both_languages": config["definitions"]["both_languages"],
        "second_pass": config["definitions"].get("second_pass"),
        "where": WHERE,
        "where_titles": {place: title.format(**codes) for place, title in WHERE_TITLES.items()},
        "group_titles": GROUP_TITLES,
        "signs": SIGNS,
        "flags": FLAGS,
    }


def of_judges(named: dict[str, str], controls: str) -> dict[str, Any]:
    """The judges' titles, with a mark on those that do not pass their controls.

    Args:
        named: The judges' titles by name.
        controls: The file tables/controls.tsv; empty if the study has no judges.
    """
    outcomes = controls_of(controls) if controls else {}
    failing = [judge for judge, outcome in outcomes.items() if outcome != "passed"]
    return {
        "judges": {name: f"{title} ✗" if name in failing else title for name, title in named.items()},
        "failing": failing,
        "lexical": [name for name, title in named.items() if "(lexical" in title],
        "substitutes": [title for title in named.values() if "substitute for" in title],
    }


def of_tables(given: Any, judges: dict[str, str]) -> dict[str, Any]:
    """The tables as rows, with the page's derived values.

    Args:
        given: The inputs of the rule `report`.
        judges: The judges' titles by name.
    """
    suites = [read_results(file) for file in given.results]
    comparisons = (
        split_caveats(read_numbers(given.comparisons).to_dict("records")) if given.comparisons else []
    )
    affected = affected_cells(read_numbers(given.validity)) if given.validity else {}
    too_near, unmeasured = split_notes(read_notes(given.distances))
    return {
        **{name: read_numbers(file).to_dict("records") if (file := given[name]) else [] for name in ROWS},
        "definition_scores": scores_by_model(read_numbers(given.definition_scores), judges) if judges else [],
        "columns": benchmark_columns(suites),
        "titles": titles(suites) | judges,
        "benchmark_intervals": intervals(read_numbers(given.benchmark_scores)) if suites else {},
        "comparisons": comparisons,
        "verdicts": verdicts(comparisons),
        "verdict_columns": list(dict.fromkeys(row["measure"] for row in comparisons)),
        "verdict_notes": numbered(row["caveats"] for row in comparisons),
        "affected": affected,
        "score_notes": numbered(reasons for (kind, *_), reasons in affected.items() if kind == "judge"),
        "benchmark_notes": numbered(
            reasons for (kind, *_), reasons in affected.items() if kind == "benchmark"
        ),
        "transfer": by_group(read_numbers(given.transfer)) if given.transfer else {},
        "published_notes": read_notes(given.published) if given.published else [],
        "too_near": too_near,
        "unmeasured": unmeasured,
    }


def checkpoints(provenances: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The source of every model under test, its seed, and a short hash of its weights."""
    rows = []
    for model, known in provenances.items():
        if "recipe" in known:
            source = f"{known['recipe']['merge_method']} by MergeKit {known['versions']['mergekit']}"
        else:
            source = "@".join(filter(None, [known["source"], known.get("revision")]))
            source += f"+{known['adapter']}" if "adapter" in known else ""
        weights = {
            name: sha for name, sha in known["files"].items() if name.endswith((".safetensors", ".bin"))
        }
        rows.append(
            {
                "model": model,
                "source": source,
                "seed": known.get("seed"),
                "weights": short(sorted(weights.items())),
            }
        )
    return rows


def of_vocabulary(given: Any, terms: list[dict[str, str]]) -> dict[str, Any]:
    """The sources of the terms and of their translations."""
    translated = read_tsv(given.translations)
    funnel = Path(given.funnel).read_text(encoding="utf-8").splitlines()
    return {
        "n_terms": len(terms),
        "tags": sorted({row.get("semantic_tag", "") for row in terms} - {""}),
        "funnel": [line.split("\t") for line in funnel if not line.startswith("#")][1:],
        "source": [line.lstrip("# ") for line in funnel if line.startswith("#")],
        "translations": translation_counts(translated),
        "odd": translated[translated.status != "ok"].to_dict("records"),
        "untranslated": list(translated.term[translated.translation == ""]),
    }


def of_figures(given: Any, searched: list[str]) -> dict[str, Any]:
    """The figures as inline SVG, None for an absent one; `searched` names those of searches."""
    return {
        "figure": inline_svg(given.figure) if given.figure else None,
        "forest": inline_svg(given.forest) if given.forest else None,
        "heat_map": inline_svg(given.heat_map),
        "search_figures": {
            merge: inline_svg(file) for merge, file in zip(searched, given.search_figures, strict=True)
        },
    }


def page(given: Any, params: Any) -> str:
    """Build the page.

    Args:
        given: The inputs of the rule `report`.
        params: Its parameters.

    Returns:
        The HTML.
    """
    study = yaml.safe_load(Path(given.study).read_text(encoding="utf-8"))
    config = study["config"]
    written, terms = read_written(given, params), read_tsv(given.terms).to_dict("records")
    judges = of_judges(dict(params.judges), given.controls)
    template, *parts = given.page
    style, *scripts = (Path(file).read_text(encoding="utf-8") for file in parts)
    script = one_script(scripts)
    return render(
        template,
        style=style,
        script=script,
        script_hash=integrity(script),
        data=packed(explorer(written, terms, config["study"], judges["judges"], params.asked, params.others)),
        tested=params.models,
        checkpoints=checkpoints(
            {
                model: json.loads(Path(file).read_text(encoding="utf-8"))
                for model, file in zip(params.models, given.provenances, strict=True)
            }
        ),
        signatures={judge: rows[0]["judge_model"] for (_, judge), rows in written.judged.items() if rows},
        same_reference=texts(written.references) == texts(written.definitions[config["study"]["expert"]]),
        engines=engines(written.definitions),
        published_source=config["published"]["source"] if given.published else None,
        **of_study(study),
        **judges,
        **of_tables(given, dict(params.judges)),
        **of_vocabulary(given, terms),
        **of_figures(given, params.searched),
    )


if __name__ == "__main__":
    with job(snakemake.log[0]):
        write_text(snakemake.output[0], page(snakemake.input, snakemake.params))
