"""Put a study's tables, figure and a sample of its definitions on one self-contained page."""

import json
from pathlib import Path

import pandas as pd
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from lexmerge.controls import controls_of
from lexmerge.files import read_jsonl, read_notes, read_numbers, read_tsv, write_text
from lexmerge.flags import FLAGS
from lexmerge.harness import column, is_limited, metrics, size, title
from lexmerge.jobs import job

SHOWN_TERMS = 24
SIGNS = {"better": "▲", "worse": "▼", "equivalent": "=", "cannot tell": "?"}  # for who sees no colours


def scores_by_model(scores: pd.DataFrame, judges: dict[str, str]) -> list[dict]:
    """Table 1 as the paper has it: a row a model, a group of cells a judge."""
    return [
        {
            "model": model,
            "judges": [group[group.judge == judge].iloc[0].to_dict() for judge in judges],
        }
        for model, group in scores.groupby("model", sort=False)
    ]


def benchmark_columns(suites: list[dict]) -> list[dict]:
    """Table 2's columns, from one model's results of every suite."""
    return [
        {
            "name": column(name, metric),
            "title": title(results, name, metric),
            "n": size(results, name),
            "limited": is_limited(results, name),
        }
        for results in suites
        for name, metric, _ in metrics(results)
    ]


def intervals(scores: pd.DataFrame) -> dict[tuple[str, str], str]:
    """(model, column) -> its interval, as it is shown; empty where there is none."""
    whole = scores[scores.task.isna() & scores.prompt.isna()].itertuples()
    return {
        (row.model, row.column): "" if pd.isna(row.ci_low) else f"{row.ci_low:.3f} to {row.ci_high:.3f}"
        for row in whole
    }


def verdicts(comparisons: list[dict]) -> dict[str, dict[str, dict[str, dict]]]:
    """The comparisons by what a merge is compared with, by merge and by measure."""
    found: dict[str, dict[str, dict[str, dict]]] = {}
    for row in comparisons:
        row["verdict"] = row["verdict"] if isinstance(row["verdict"], str) else ""
        found.setdefault(row["baseline"], {}).setdefault(row["model"], {})[row["measure"]] = row
    return found


def spread(items: list, count: int) -> list:
    """At most `count` of the items, evenly spread over them."""
    step = max(1, -(-len(items) // count))
    return items[::step]


def term_cards(definitions: dict[str, list[dict]], judged: dict[tuple[str, str], list[dict]]) -> list[dict]:
    """For a spread of terms: what every model wrote, and how every judge scored it."""
    scored = {(model, judge, row["term"]): row for (model, judge), rows in judged.items() for row in rows}
    judges = list(dict.fromkeys(judge for _, judge in judged))
    by_term = {model: {row["term"]: row for row in rows} for model, rows in definitions.items()}
    first = next(iter(definitions.values()))
    return [
        {
            "term": row["term"],
            "translation": row["translation"],
            "answers": [
                {
                    "model": model,
                    "definition": rows[row["term"]]["definition"],
                    "flags": [flag.replace("_", " ") for flag in rows[row["term"]]["flags"]],
                    "scores": [scored[model, judge, row["term"]] for judge in judges],
                }
                for model, rows in by_term.items()
            ],
        }
        for row in spread(first, SHOWN_TERMS)
    ]


def texts(definitions: list[dict]) -> list[str]:
    return [row["definition"] for row in definitions]


def engines(definitions: dict[str, list[dict]]) -> list[dict]:
    """What wrote the definitions, and how: one row for each way, with the models that were asked so."""
    ways: dict[tuple[str, str], list[str]] = {}
    for model, rows in definitions.items():
        for way in dict.fromkeys((row["engine"], row["decoding"]) for row in rows if row["engine"]):
            ways.setdefault(way, []).append(model)
    return [{"engine": way[0], "decoding": way[1], "models": models} for way, models in ways.items()]


def translation_counts(rows: pd.DataFrame) -> list[dict]:
    """How many terms were translated by what, and with which outcome."""
    counted = rows.groupby(["source", "status"], sort=False).size()
    return [{"source": source, "status": status, "n": n} for (source, status), n in counted.items()]


def number(value: object, digits: int = 2) -> str:
    """A number as the tables show it; what is missing is a dash, never a zero."""
    return "–" if value is None or pd.isna(value) else f"{value:.{digits}f}"


def render(template: str, **values) -> str:
    """Every value is escaped; only the figure, which is our own SVG, is marked safe in the template."""
    folder = FileSystemLoader(Path(template).parent)
    environment = Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["number"] = number
    return environment.get_template(Path(template).name).render(values)


def inline_svg(text: str) -> str:
    """An SVG file as it may stand inside HTML."""
    return text[text.index("<svg") :]


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params = snakemake.input, snakemake.params
        study = yaml.safe_load(Path(given.study).read_text(encoding="utf-8"))
        config = study["config"]
        definitions = dict(zip(params.models, map(read_jsonl, given.definitions), strict=True))
        judged = dict(zip(map(tuple, params.judged), map(read_jsonl, given.judgements), strict=True))
        suites = [json.loads(Path(file).read_text(encoding="utf-8")) for file in given.results]
        translated = read_tsv(given.translations)
        funnel = Path(given.funnel).read_text(encoding="utf-8").splitlines()
        failing = [judge for judge, outcome in controls_of(given.controls).items() if outcome != "passed"]
        page = render(
            given.template,
            study=config["study"],
            config_text=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
            signatures={judge: rows[0]["judge_model"] for (_, judge), rows in judged.items() if rows},
            against_references=any(judge.get("against") != "gold" for judge in config["judges"].values()),
            toy_suites=[name for name, s in config["benchmarks"].items() if s["data"]["source"] == "toy"],
            lexical=[judge for judge, title in params.judges.items() if "(lexical" in title],
            versions=study["versions"],
            judges={
                name: f"{title} ✗" if name in failing else title for name, title in params.judges.items()
            },
            failing=failing,
            substitutes=[title for title in params.judges.values() if "substitute for" in title],
            controls=read_numbers(given.controls).to_dict("records"),
            costs=read_numbers(given.costs).to_dict("records"),
            ratings=read_numbers(given.ratings).to_dict("records") if given.ratings else [],
            definition_scores=scores_by_model(read_numbers(given.definition_scores), params.judges),
            columns=(columns := benchmark_columns(suites)),
            titles={column["name"]: column["title"] for column in columns} | dict(params.judges),
            benchmarks=read_numbers(given.benchmarks).to_dict("records"),
            benchmark_intervals=intervals(read_numbers(given.benchmark_scores)),
            comparisons=(comparisons := read_numbers(given.comparisons).to_dict("records")),
            verdicts=verdicts(comparisons),
            verdict_columns=list(dict.fromkeys(row["measure"] for row in comparisons)),
            signs=SIGNS,
            margins=config["statistics"]["margins"],
            agreement=read_numbers(given.agreement).to_dict("records"),
            funnel=[line.split("\t") for line in funnel if not line.startswith("#")][1:],
            source=[line.lstrip("# ") for line in funnel if line.startswith("#")],
            translations=translation_counts(translated),
            odd=translated[translated.status != "ok"].to_dict("records"),
            untranslated=list(translated.term[translated.translation == ""]),
            terms=term_cards(definitions, judged),
            n_terms=len(next(iter(definitions.values()))),
            figure=inline_svg(Path(given.figure).read_text(encoding="utf-8")),
            heat_map=inline_svg(Path(given.heat_map).read_text(encoding="utf-8")),
            too_near=read_notes(given.distances),
            searches=read_numbers(given.searches).to_dict("records") if given.searches else [],
            search_figures={
                merge: inline_svg(Path(file).read_text(encoding="utf-8"))
                for merge, file in zip(params.searched, given.search_figures, strict=True)
            },
            definition_flags=read_numbers(given.definition_flags).to_dict("records"),
            flags=FLAGS,
            second_pass=config["definitions"].get("second_pass"),
            same_reference=texts(read_jsonl(given.references))
            == texts(definitions[config["study"]["expert"]]),
            engines=engines(definitions),
        )
        write_text(snakemake.output[0], page)
