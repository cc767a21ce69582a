"""Put a study's verdicts, tables, figures and every term on one page that needs nothing else."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import yaml
import zstandard
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from lexmerge.controls import controls_of
from lexmerge.files import read_jsonl, read_notes, read_numbers, read_tsv, write_text
from lexmerge.flags import FLAGS
from lexmerge.harness import column, is_limited, metrics, size, titles
from lexmerge.jobs import job
from statistics_transfer import WHERE

WHERE_TITLES = {
    "both": "in both languages",
    "only_source": "only in {source}",
    "only_target": "only in {target}",
    "lost": "lost",
    "never": "in neither",
}
GROUP_TITLES = {"corpus_count": "in the corpus", "semantic_tag": "semantic tag", "letters": "letters"}
LEVEL, WINDOW = 19, 25  # of compression: the hardest but for what takes minutes; 32 MiB
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
            "title": titles(suites)[column(name, metric)],
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


def percent(value: float) -> str:
    return "–" if pd.isna(value) else f"{100 * value:.0f} %"


def render(template: str, **values) -> str:
    """Every value is escaped; only our own style, script and figures are marked safe in the template."""
    folder = FileSystemLoader(Path(template).parent)
    environment = Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {"number": number, "percent": percent}
    return environment.get_template(Path(template).name).render(values)


def inline_svg(text: str) -> str:
    """An SVG file as it may stand inside HTML; places need no more than two decimals."""
    places = r'\b(?:d|transform|x|y|x1|y1|x2|y2|points|width|height)="[^"]*"'
    short = lambda found: re.sub(r"(\d\.\d\d)\d+", r"\1", found[0])  # noqa: E731
    return re.sub(places, short, text[text.index("<svg") :])


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
        template, *parts = given.page
        style, *scripts = (Path(file).read_text(encoding="utf-8") for file in parts)
        script = one_script(scripts)
        comparisons = read_numbers(given.comparisons).to_dict("records")
        verdict_rows = verdicts(comparisons)
        affected = affected_cells(read_numbers(given.validity))
        columns = benchmark_columns(suites)
        terms, references = read_tsv(given.terms).to_dict("records"), read_jsonl(given.references)
        other_definitions = (
            dict(zip(params.models, map(read_jsonl, given.other_definitions), strict=True))
            if given.other_definitions
            else {}
        )
        others = dict(
            zip(map(tuple, params.transferred), map(read_jsonl, given.other_judgements), strict=True)
        )
        judges = {name: f"{title} ✗" if name in failing else title for name, title in params.judges.items()}
        languages = config["study"]["languages"]
        expert, generalist = config["study"]["expert"], config["study"]["generalist"]
        asked = [config["models"].get(m, {}).get("language", languages["target"]) for m in params.models]
        data = {
            "languages": languages,
            "models": list(params.models),
            "parents": [expert, generalist],
            "asked": asked,
            "others": [next(code for code in languages.values() if code != own) for own in asked],
            "judges": list(judges.values()),
            "flags": FLAGS,
            "terms": term_rows(
                terms,
                definitions,
                references,
                answers(definitions, judged, params.judges),
                answers(other_definitions, others, params.judges),
                expert,
            ),
        }
        page = render(
            template,
            style=style,
            script=script,
            script_hash=integrity(script),
            data=packed(data),
            study=config["study"],
            config_text=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
            signatures={judge: rows[0]["judge_model"] for (_, judge), rows in judged.items() if rows},
            against_references=any(judge.get("against") != "gold" for judge in config["judges"].values()),
            toy_suites=[name for name, s in config["benchmarks"].items() if s["data"]["source"] == "toy"],
            lexical=[judge for judge, title in params.judges.items() if "(lexical" in title],
            versions=study["versions"],
            judges=judges,
            failing=failing,
            substitutes=[title for title in params.judges.values() if "substitute for" in title],
            controls=read_numbers(given.controls).to_dict("records"),
            costs=read_numbers(given.costs).to_dict("records"),
            ratings=read_numbers(given.ratings).to_dict("records") if given.ratings else [],
            definition_scores=scores_by_model(read_numbers(given.definition_scores), params.judges),
            columns=columns,
            titles=titles(suites) | dict(params.judges),
            benchmarks=read_numbers(given.benchmarks).to_dict("records"),
            benchmark_intervals=intervals(read_numbers(given.benchmark_scores)),
            comparisons=comparisons,
            verdicts=verdict_rows,
            verdict_notes=numbered(row["caveats"] for row in comparisons),
            affected=affected,
            score_notes=numbered(whys for (kind, *_), whys in affected.items() if kind == "judge"),
            benchmark_notes=numbered(whys for (kind, *_), whys in affected.items() if kind == "benchmark"),
            forest=inline_svg(Path(given.forest).read_text(encoding="utf-8")),
            transfer=by_group(read_numbers(given.transfer)),
            known=config["statistics"]["known"],
            both_languages=config["definitions"]["both_languages"],
            where=WHERE,
            where_titles={place: title.format(**languages) for place, title in WHERE_TITLES.items()},
            group_titles=GROUP_TITLES,
            published=read_numbers(given.published).to_dict("records") if given.published else [],
            published_notes=read_notes(given.published) if given.published else [],
            published_source=config.get("published", {}).get("source"),
            rated_means=read_numbers(given.rated_means).to_dict("records") if given.rated_means else [],
            tested=params.models,
            tags=sorted({row.get("semantic_tag", "") for row in terms} - {""}),
            verdict_columns=list(dict.fromkeys(row["measure"] for row in comparisons)),
            signs=SIGNS,
            margins=config["statistics"]["margins"],
            agreement=read_numbers(given.agreement).to_dict("records"),
            funnel=[line.split("\t") for line in funnel if not line.startswith("#")][1:],
            source=[line.lstrip("# ") for line in funnel if line.startswith("#")],
            translations=translation_counts(translated),
            odd=translated[translated.status != "ok"].to_dict("records"),
            untranslated=list(translated.term[translated.translation == ""]),
            n_terms=len(terms),
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
            same_reference=texts(references) == texts(definitions[expert]),
            engines=engines(definitions),
        )
        write_text(snakemake.output[0], page)
