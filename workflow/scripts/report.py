"""Put a study's verdicts, tables, figures and every term on one page that needs nothing else."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml
import zstandard
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from lexmerge.benchmarks.results import column, is_limited, metrics, size, titles
from lexmerge.common.files import read_jsonl, read_notes, read_numbers, read_tsv, write_text
from lexmerge.definitions.flags import FLAGS
from lexmerge.judgements.control_results import controls_of
from lexmerge.run.job import job
from lexmerge.statistics.distance_notes import parted
from lexmerge.statistics.validity import short
from statistics_transfer import WHERE

WHERE_TITLES = {
    "both": "in both languages",
    "only_source": "only in {source}",
    "only_target": "only in {target}",
    "lost": "lost (in neither)",
    "never": "never there",
}
GROUP_TITLES = {"corpus_count": "in the corpus", "semantic_tag": "semantic tag", "letters": "letters"}
LEVEL, WINDOW = 19, 25  # of compression: the hardest but for what takes minutes; 32 MiB
# Tables of which the page shows every row; some are there in some studies only.
ROWS = (
    *("controls", "costs", "ratings", "rated_means", "benchmarks", "agreement", "published", "searches"),
    "definition_flags",
)
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
    named = titles(suites)
    return [
        {
            "name": column(name, metric),
            "title": named[column(name, metric)],
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
        row["caveats"] = row["caveats"].split("; ") if isinstance(row["caveats"], str) else []
        found.setdefault(row["baseline"], {}).setdefault(row["model"], {})[row["measure"]] = row
    return found


def affected_cells(validity: pd.DataFrame) -> dict[tuple[str, str, str], list[str]]:
    """(kind, measure, model) -> why the cell is grey; only those that are."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in validity[validity.affected.astype(str) == "True"].itertuples():
        found.setdefault((row.kind, row.measure, str(row.model)), []).append(row.why)
    return found


def numbered(whys: Iterable[list[str]]) -> dict[str, int]:
    """The reasons in order of appearance, with the numbers by which cells refer to them."""
    return {why: n for n, why in enumerate(dict.fromkeys(w for some in whys for w in some), 1)}


def numbers(notes: dict[str, int], whys: list[str]) -> str:
    """The numbers of some reasons, as they stand in a cell."""
    return " ".join(map(str, sorted(notes[why] for why in whys)))


def by_group(transfer: pd.DataFrame) -> dict[str, dict[str, list[dict]]]:
    """What moved across languages, by judge and by group of terms."""
    found: dict[str, dict[str, list[dict]]] = {}
    for row in transfer.to_dict("records"):
        found.setdefault(row["judge"], {}).setdefault(row["group"], []).append(row)
    return found


def answers(
    definitions: dict[str, list[dict]], judged: dict[tuple[str, str], list[dict]], judges: Iterable[str]
) -> list[dict[str, list]]:
    """For each model, by term: [definition, flags as bits, for each judge [score, reason, status]].

    The status of what is scored is left out, and terms that were not asked are.
    """
    scored = {cell: {row["term"]: row for row in rows} for cell, rows in judged.items()}

    def cell(row: dict) -> list:
        return [row["score"], row["reason"], *([] if row["status"] == "scored" else [row["status"]])]

    return [
        {
            row["term"]: [
                row["definition"],
                sum(1 << FLAGS.index(flag) for flag in row["flags"]),
                [cell(scored[model, judge][row["term"]]) for judge in judges],
            ]
            for row in rows
            if row["finish_reason"] != "not_asked"
        }
        for model, rows in definitions.items()
    ]


def term_rows(
    terms: list[dict],
    definitions: dict[str, list[dict]],
    references: list[dict],
    own: list[dict[str, list]],
    other: list[dict[str, list]],
    expert: str,
) -> list[list]:
    """A row a term, for the explorer; what a model was not asked is null.

    The reference is null where it is the expert's definition, as it is with greedy decoding.
    """
    translations = {row["term"]: row["translation"] for row in next(iter(definitions.values()))}
    known = {row["term"]: row["definition"] for row in references}
    experts = own[list(definitions).index(expert)]
    rows = []
    for row in terms:
        term = row["term"]
        reference = known.get(term, "")
        same = term in experts and experts[term][0] == reference
        about = [row.get(key, "") for key in ("semantic_tag", "concept_id", "corpus_count", "part_of_speech")]
        found = [[answered.get(term) for answered in side] for side in (own, other)]
        rows.append([term, translations[term], *about, None if same else reference, *found])
    return rows


def packed(value: object) -> str:
    """The value as JSON, compressed, in letters that mean nothing to HTML; the same for the same value.

    Zstandard looks back over all texts, and makes a page a quarter smaller than gzip, which browsers know.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    parameters = zstandard.ZstdCompressionParameters.from_level(LEVEL, window_log=WINDOW)
    compressed = zstandard.ZstdCompressor(compression_params=parameters).compress(text)
    return base64.b64encode(compressed).decode()


def one_script(scripts: list[str]) -> str:
    """Several scripts as one; a minified one does not end its last statement."""
    return ";\n".join(scripts)


def integrity(script: str) -> str:
    """What a content security policy calls the only script that may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


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


def p_value(value: float) -> str:
    """A p to four decimals; a smaller one is not zero."""
    return "< 0.0001" if value < 0.0001 else number(value, 4)


def percent(value: float) -> str:
    return "–" if pd.isna(value) else f"{100 * value:.0f} %"


def render(template: str, **values) -> str:
    """Every value is escaped; only our own style, script and figures are marked safe in the template."""
    folder = FileSystemLoader(Path(template).parent)
    environment = Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {"number": number, "numbers": numbers, "p_value": p_value, "percent": percent}
    return environment.get_template(Path(template).name).render(values)


def inline_svg(file: str) -> str:
    """An SVG file as it may stand inside HTML; places need no more than two decimals."""
    text = Path(file).read_text(encoding="utf-8")
    places = r'\b(?:d|transform|x|y|x1|y1|x2|y2|points|width|height)="[^"]*"'

    def short(found: re.Match) -> str:
        return re.sub(r"(\d\.\d\d)\d+", r"\1", found[0])

    return re.sub(places, short, text[text.index("<svg") :])


@dataclass(frozen=True)
class Written:
    """What models and judges wrote: definitions by model, judgements by (model, judge); `other_` is what the
    models were asked in the language that is not their own."""

    definitions: dict[str, list[dict]]
    references: list[dict]
    judged: dict[tuple[str, str], list[dict]]
    other_definitions: dict[str, list[dict]]
    other_judged: dict[tuple[str, str], list[dict]]


def read_written(given, params) -> Written:
    def by(names: Iterable, files: Iterable[str]) -> dict:
        return dict(zip(names, map(read_jsonl, files), strict=True))

    return Written(
        by(params.models, given.definitions),
        read_jsonl(given.references),
        by(map(tuple, params.judged), given.judgements),
        by(params.models if given.other_definitions else [], given.other_definitions),
        by(map(tuple, params.transferred), given.other_judgements),
    )


def explorer(
    written: Written,
    terms: list[dict],
    study: dict,
    judges: dict[str, str],
    asked: list[str],
    others: list[str],
) -> dict:
    """What workflow/report/explorer.js works on; `asked` and `others` are the models' two languages."""
    return {
        "languages": study["languages"],
        "models": list(written.definitions),
        "parents": [study["expert"], study["generalist"]],
        "asked": asked,
        "others": others,
        "judges": list(judges.values()),
        "flags": FLAGS,
        "terms": term_rows(
            terms,
            written.definitions,
            written.references,
            answers(written.definitions, written.judged, judges),
            answers(written.other_definitions, written.other_judged, judges),
            study["expert"],
        ),
    }


def of_study(study: dict) -> dict:
    """What the page says of the study's config."""
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
        "published_source": config.get("published", {}).get("source"),
        "where": WHERE,
        "where_titles": {place: title.format(**codes) for place, title in WHERE_TITLES.items()},
        "group_titles": GROUP_TITLES,
        "signs": SIGNS,
        "flags": FLAGS,
    }


def of_judges(named: dict[str, str], controls: str) -> dict:
    """The judges' titles, with a mark at who fails the controls."""
    failing = [judge for judge, outcome in controls_of(controls).items() if outcome != "passed"]
    return {
        "judges": {name: f"{title} ✗" if name in failing else title for name, title in named.items()},
        "failing": failing,
        "lexical": [name for name, title in named.items() if "(lexical" in title],
        "substitutes": [title for title in named.values() if "substitute for" in title],
    }


def of_tables(given, judges: dict[str, str]) -> dict:
    """The tables as rows, and what is derived from them for the page."""
    suites = [json.loads(Path(file).read_text(encoding="utf-8")) for file in given.results]
    comparisons = read_numbers(given.comparisons).to_dict("records")
    by_parent = verdicts(comparisons)  # first, since it splits their caveats
    affected = affected_cells(read_numbers(given.validity))
    too_near, unmeasured = parted(read_notes(given.distances))
    return {
        **{name: read_numbers(file).to_dict("records") if (file := given[name]) else [] for name in ROWS},
        "definition_scores": scores_by_model(read_numbers(given.definition_scores), judges),
        "columns": benchmark_columns(suites),
        "titles": titles(suites) | judges,
        "benchmark_intervals": intervals(read_numbers(given.benchmark_scores)),
        "comparisons": comparisons,
        "verdicts": by_parent,
        "verdict_columns": list(dict.fromkeys(row["measure"] for row in comparisons)),
        "verdict_notes": numbered(row["caveats"] for row in comparisons),
        "affected": affected,
        "score_notes": numbered(whys for (kind, *_), whys in affected.items() if kind == "judge"),
        "benchmark_notes": numbered(whys for (kind, *_), whys in affected.items() if kind == "benchmark"),
        "transfer": by_group(read_numbers(given.transfer)),
        "published_notes": read_notes(given.published) if given.published else [],
        "too_near": too_near,
        "unmeasured": unmeasured,
    }


def checkpoints(provenances: dict[str, dict]) -> list[dict]:
    """Where every model under test is from, and a short hash of its weights."""
    rows = []
    for model, known in provenances.items():
        if "recipe" in known:
            source = f"{known['recipe']['merge_method']} by MergeKit {known['versions']['mergekit']}"
        else:
            source = "@".join(filter(None, [known["source"], known.get("revision")]))
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


def of_vocabulary(given, terms: list[dict]) -> dict:
    """Where the terms and their translations come from."""
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


def of_figures(given, searched: list[str]) -> dict:
    """The figures as they stand inside HTML."""
    return {
        "figure": inline_svg(given.figure),
        "forest": inline_svg(given.forest),
        "heat_map": inline_svg(given.heat_map),
        "search_figures": {
            merge: inline_svg(file) for merge, file in zip(searched, given.search_figures, strict=True)
        },
    }


def page(given, params) -> str:
    """The whole page, from the files and the names that the rule `report` has."""
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
        **of_study(study),
        **judges,
        **of_tables(given, dict(params.judges)),
        **of_vocabulary(given, terms),
        **of_figures(given, params.searched),
    )


if __name__ == "__main__":
    with job(snakemake.log[0]):
        write_text(snakemake.output[0], page(snakemake.input, snakemake.params))
