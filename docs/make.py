"""Make the parts of the documentation that come from the project: `make docs`.

config/README.md from the schema, the rule graph in docs/architecture.md, the benchmarks' sources in
docs/benchmarks.md and their licences in docs/third-party.md, the picture of the toy study if it was run, and
the merge methods that MergeKit knows.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx
import yaml

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "workflow" / "scripts"))

from lexmerge.study.schema import REGISTERED, about, schema  # noqa: E402  # beside the scripts, not installed

SCHEMA = PROJECT / "workflow" / "schemas" / "config.schema.yaml"
METHODS = PROJECT / "workflow" / "schemas" / "merge_methods.yaml"
SOURCES = PROJECT / "resources" / "benchmarks" / "data.yaml"
GRAPH_PAGE = PROJECT / "docs" / "architecture.md"
SOURCES_PAGE = PROJECT / "docs" / "benchmarks.md"
LICENCES_PAGE = PROJECT / "docs" / "third-party.md"

HEAD = """# Configuration

One config file describes one study; `snakemake --configfile FILE` runs it. `config/template.yaml` is a
complete study to copy (`make study NAME=my_study`), `config/config.yaml` is the toy study,
`config/paper.yaml` the paper's, and `config/real_data.yaml` runs the toy models on real data.

A config that selects only models that it defines itself inherits nothing. Any other config is a variant of
the toy study and inherits everything that it does not set, except `study.name`. A definition (one model,
merge, judge or suite), a section such as `vocabulary`, or a key under `study` replaces the toy study's as a
whole. A study contains only what `study` selects; `results/<name>/study.yaml` lists it with all defaults.

A relative path is looked for in the folder of the config that names it, then in the working directory and,
if it begins with `resources/`, beside the workflow.

A mistake stops the run at once. Every unknown key, missing key, unknown name and impossible value is
reported with its place and the nearest valid name, in recipes too. Editors with support for YAML schemas
complete and check the files as you type (the first line of each file names the schema).

<!-- `make docs` makes the rest of this page from workflow/schemas/config.schema.yaml. -->
"""


def config_readme(schema: dict) -> str:
    """Every key of the config, a table a section, in the order of the schema."""
    parts = [HEAD]
    for name, section in schema["properties"].items():
        required = ", required" if name in schema["required"] else ""
        parts.append(f"\n## `{name}`\n\n{section['description']}{required and ' Required.'}\n")
        rows = list(_rows(section, name))
        if rows:
            parts.append("\n| key | what it is | values | default |\n|---|---|---|---|\n" + "".join(rows))
    return "".join(parts)


def _rows(node: dict, path: str) -> Iterator[str]:
    children = dict(node.get("properties", {}))
    if isinstance(node.get("additionalProperties"), dict):
        children["<name>"] = node["additionalProperties"]
    for key, child in children.items():
        place = f"{path}.{key}"
        if "description" in child:
            yield _row(place, child, key in node.get("required", []))
        yield from _rows(child, place)


def _row(place: str, node: dict, required: bool) -> str:
    default = "required" if required else f"`{node['default']}`" if node.get("default", {}) != {} else ""
    choices = about(node["x-registered"]) if "x-registered" in node else {}
    listed = " ".join(f"`{name}`: {meaning}" for name, meaning in choices.items())
    described = f"{node['description']} {listed}".rstrip()
    return f"| `{place}` | {described} | {_values(node)} | {default} |\n"


def with_choices(text: str) -> str:
    """The schema's text with the choices that are registered in code, for editors that read the file."""

    def listed(found: re.Match) -> str:
        return f"{found[1]}{found[2]}{found[3]}[{', '.join(REGISTERED[found[2]]())}]"

    return re.sub(r"(x-registered: )(\w+)(,\s+enum: |\n\s+enum: )\[[^\]]*\]", listed, text)


def _values(node: dict) -> str:
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    given = node.get("type", "any")
    kinds = given if isinstance(given, list) else [given]
    kind = " or ".join({"object": "mapping", "array": "list"}.get(name, name) for name in kinds)
    return f"{kind}, at least {node['minimum']}" if "minimum" in node else kind


def rule_graph(mermaid: str) -> str:
    """Snakemake's rule graph with the rules' names, without `all` and without edges that others imply."""
    names = dict(re.findall(r"^\s*(id\d+)\[(\w+)\]", mermaid, re.M))
    edges = [(names[a], names[b]) for a, b in re.findall(r"(id\d+) --> (id\d+)", mermaid)]
    graph = networkx.DiGraph(edge for edge in edges if "all" not in edge)
    reduced = networkx.transitive_reduction(graph)
    lines = [f"    {a} --> {b}" for a, b in sorted(reduced.edges)]
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```", ""])


def snakemakes_graph(folder: Path) -> str:
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def benchmark_sources(pins: dict[str, dict]) -> str:
    """Where the benchmarks' data is from: a row for tasks that share a source and a licence."""
    rows: dict[tuple, list[str]] = {}
    for task, pin in pins.items():
        commit = re.search(r"/(?:resolve/|JGLUE/|pubmedqa/pubmedqa/)([^/]+)", pin["base"])[1]
        rows.setdefault((pin["source"], commit, pin["licence"]), []).append(task)
    lines = [
        f"| {', '.join(f'`{task}`' for task in tasks)} | [{source.split('/', 3)[3]}]({source}) "
        f"| `{commit[:12]}` | {licence} |\n"
        for (source, commit, licence), tasks in rows.items()
    ]
    return "| task | source | commit or tag | licence |\n|---|---|---|---|\n" + "".join(lines)


def benchmark_licences(pins: dict[str, dict]) -> str:
    """The licences of the benchmarks' data: a row for each source and licence."""
    found = dict.fromkeys((pin["source"], pin["licence"]) for pin in pins.values())
    lines = [f"| [{source.split('/', 3)[3]}]({source}) | {licence} |\n" for source, licence in found]
    return "| source | licence |\n|---|---|\n" + "".join(lines)


def with_part(page: str, name: str, text: str) -> str:
    """A page with the part between the marks of that name replaced."""
    marks = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.S)
    assert marks.search(page), f"the page has lost the marks of the {name}"
    return marks.sub(lambda found: f"{found[1]}{text}{found[2]}", page)


def rewrite(page: Path, name: str, text: str) -> None:
    """Replace a part of a page's file; see `with_part`."""
    page.write_text(with_part(page.read_text(encoding="utf-8"), name, text), encoding="utf-8")


def merge_methods() -> str:
    """MergeKit's methods and what they take, from its registry, for checks that do not import it."""
    from mergekit.merge_methods.registry import registered_methods

    specs = {method.spec.name: method.spec for method in registered_methods()}
    described = {
        name: {
            "base": spec.contract.base.value,
            "inputs": [spec.contract.min_inputs, spec.contract.max_inputs],
            "non_base": [spec.contract.min_non_base, spec.contract.max_non_base],
            "parameters": {
                p.name: {
                    "scope": p.scope.value,
                    "type": getattr(p.value_type, "__name__", "float")
                    if p.value_type in (bool, int)
                    else "float",
                    "required": p.required,
                }
                for p in spec.parameters
            },
        }
        for name, spec in sorted(specs.items())
    }
    head = "# MergeKit's merge methods, from its registry. Made by `make docs`; do not edit it.\n"
    return head + yaml.safe_dump(described, sort_keys=False, default_flow_style=None, width=110)


if __name__ == "__main__":
    METHODS.write_text(merge_methods(), encoding="utf-8")
    SCHEMA.write_text(with_choices(SCHEMA.read_text(encoding="utf-8")), encoding="utf-8")
    (PROJECT / "config" / "README.md").write_text(config_readme(schema()), encoding="utf-8")
    pins = yaml.safe_load(SOURCES.read_text(encoding="utf-8"))
    rewrite(GRAPH_PAGE, "rule graph", rule_graph(snakemakes_graph(PROJECT)))
    rewrite(SOURCES_PAGE, "benchmark sources", benchmark_sources(pins))
    rewrite(LICENCES_PAGE, "benchmark licences", benchmark_licences(pins))
    picture = PROJECT / "results" / "toy" / "figures" / "score_histograms.png"
    if picture.exists():
        shutil.copy(picture, PROJECT / "docs" / "pictures" / "toy_score_histograms.png")
