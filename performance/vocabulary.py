"""How long a vocabulary takes, and how much memory: `python performance/vocabulary.py [DATA]`.

Without DATA, a synthetic RF2 release of 1.5 million descriptions is read, from the folder and from its zip.
With DATA (a folder as docs/paper.md describes), also the funnels of the real Global Patient Set against the
Brown corpus under several readings, each stage timed in a process of its own.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from pathlib import Path

import pandas as pd

SCRIPTS = Path(__file__).parents[1] / "workflow" / "scripts"
DESCRIPTIONS, CONCEPTS = 1_500_000, 500_000
FSN, SYNONYM = "900000000000003001", "900000000000013009"
DEFAULTS = {"hyphens": False, "cased": False, "max_count": 1, "parts_of_speech": ["NN", "JJ"]}
READINGS = {
    "default": {},
    "hyphens allowed": {"hyphens": True},
    "counted as written": {"cased": True},
    "disorders and findings": {"semantic_tags": ["disorder", "finding"]},
}


def synthetic_release(folder: Path) -> None:
    """A snapshot in the size of the International Edition: for each concept one name of either kind and one
    more synonym, a tenth of them inactive; and a language reference set of all of them."""
    draw = random.Random(0)
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    words = ["".join(draw.choices(syllables, k=draw.randint(2, 5))) for _ in range(60_000)]
    terminology, refset = folder / "Snapshot/Terminology", folder / "Snapshot/Refset/Language"
    terminology.mkdir(parents=True)
    refset.mkdir(parents=True)
    with (
        (terminology / "sct2_Concept_Snapshot_INT_20260101.txt").open("w", newline="") as concepts,
        (terminology / "sct2_Description_Snapshot-en_INT_20260101.txt").open("w", newline="") as names,
        (refset / "der2_cRefset_LanguageSnapshot-en_INT_20260101.txt").open("w", newline="") as accepted,
    ):
        concepts.write("id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId\r\n")
        names.write(
            "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId\r\n"
        )
        accepted.write(
            "id\teffectiveTime\tactive\tmoduleId\trefsetId\treferencedComponentId\tacceptabilityId\r\n"
        )
        module, case = "900000000000207008", "900000000000448009"
        for number in range(CONCEPTS):
            concept = f"{100_000_000 + number}"
            active = int(number % 10 > 0)
            concepts.write(f"{concept}\t20260101\t{active}\t{module}\t900000000000074008\r\n")
            text = " ".join(draw.choices(words, k=draw.choice((1, 2, 3, 4, 5, 6))))
            for kind in range(3):
                name = f"{text.capitalize()} (disorder)" if kind == 0 else f"{text} {kind}" if kind else text
                row, type_ = f"{3_000_000_000 + 3 * number + kind}", FSN if kind == 0 else SYNONYM
                names.write(f"{row}\t20260101\t1\t{module}\t{concept}\ten\t{type_}\t{name}\t{case}\r\n")
                member = uuid.UUID(int=int(row))
                accepted.write(
                    f"{member}\t20260101\t1\t{module}\t900000000000509007\t{row}\t900000000000548007\r\n"
                )


def measured(code: str, *arguments: str) -> dict:
    """What a piece of code prints as JSON, with the wall seconds and the peak memory of its process."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\nsys.path.insert(0, {str(SCRIPTS)!r})\n{code}", *arguments],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout) | {"process, s": round(time.perf_counter() - began, 1)}


PEAK = "round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)"
SHOWN = f'"work, s": round(time.perf_counter() - began, 1), "peak, GB": {PEAK}'
READ = f"""
import resource, time
from lexmerge.vocabulary.terminology import read_terminology
began = time.perf_counter()
settings = json.loads(sys.argv[1])
names = read_terminology(settings, "en").names
print(json.dumps({{"names": len(names), {SHOWN}}}))
"""
COUNT = f"""
import resource, time
from vocabulary_corpus import count_words, frequency_table, read_corpus, write_tsv
began = time.perf_counter()
counts = count_words(read_corpus({{"format": "nltk"}}, sys.argv[1])[2])
write_tsv(sys.argv[2], frequency_table(counts))
print(json.dumps({{"names": len(counts), {SHOWN}}}))
"""
CHOOSE = f"""
import resource, time
from vocabulary_terms import choose_from_terminology
from vocabulary_corpus import write_tsv
began = time.perf_counter()
vocabulary, files = json.loads(sys.argv[1]), json.loads(sys.argv[2])
terms, funnel, _ = choose_from_terminology(vocabulary, "en", files)
print(json.dumps({{"funnel": funnel.to_dict("list"), "names": len(terms), {SHOWN}}}))
"""


def synthetic() -> list[dict]:
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "release"
        synthetic_release(folder)
        packed = Path(place) / "release.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in folder.rglob("*.txt"):
                archive.write(file, file.relative_to(folder))
        for title, path, more in (
            ("RF2 folder", folder, {}),
            ("RF2 zip", packed, {}),
            (
                "RF2 zip, US names and synonyms",
                packed,
                {"names": ["fully_specified", "synonyms"], "language_refset": "us"},
            ),
        ):
            settings = {"format": "rf2", "path": str(path), "names": ["fully_specified"]} | more
            rows.append({"what": title} | measured(READ, json.dumps(settings)))
    return rows


def real(data: Path) -> tuple[list[dict], list[pd.DataFrame]]:
    rows, funnels = [], []
    brown = data / "nltk_data/corpora/brown.zip"
    tagger = next((data / "nltk_data/taggers/averaged_perceptron_tagger_eng").glob("*weights.json"))
    with tempfile.TemporaryDirectory() as place:
        table = str(Path(place) / "corpus.tsv")
        rows.append({"what": "Brown, counted"} | measured(COUNT, str(brown), table))
        for title, filters in READINGS.items():
            path = str(data / "snomed/ValueSet-snomed-intl-gps.json")
            vocabulary = {
                "terminology": {"format": "fhir", "path": path, "names": ["fully_specified"]},
                "corpus": {"format": "nltk"},
                "tagger": "nltk",
                "filters": DEFAULTS | filters,
            }
            files = {"corpus": table, "brown": str(brown), "tagger": str(tagger)}
            found = measured(CHOOSE, json.dumps(vocabulary), json.dumps(files))
            funnels.append(pd.DataFrame(found.pop("funnel")).assign(reading=title))
            rows.append({"what": f"terms, {title}"} | found)
    return rows, funnels


if __name__ == "__main__":
    rows, funnels = real(Path(sys.argv[1])) if len(sys.argv) > 1 else ([], [])
    print(pd.DataFrame(rows + synthetic()).to_markdown(index=False))
    for funnel in funnels:
        print(f"\n{funnel.to_markdown(index=False)}")
