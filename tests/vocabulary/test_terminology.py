"""Terminologies: what is read of each format, and what is said of a file that is not what it should be."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from lexmerge.common.errors import StudyError
from lexmerge.vocabulary.snomed_rf2 import split_semantic_tag
from lexmerge.vocabulary.terminology import TERMINOLOGY_FORMATS, read_terminology

CONCEPTS = "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId\r\n"
DESCRIPTIONS = (
    "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId\r\n"
)
REFSET = "id\teffectiveTime\tactive\tmoduleId\trefsetId\treferencedComponentId\tacceptabilityId\r\n"
FSN, SYNONYM = "900000000000003001", "900000000000013009"
US, GB = "900000000000509007", "900000000000508004"
PREFERRED, ACCEPTABLE = "900000000000548007", "900000000000549004"
PLACE = Path("Snapshot/Terminology")
CONCEPT_FILE = PLACE / "sct2_Concept_Snapshot_INT_20260101.txt"
DESCRIPTION_FILE = PLACE / "sct2_Description_Snapshot-en_INT_20260101.txt"
REFSET_FILE = Path("Snapshot/Refset/Language/der2_cRefset_LanguageSnapshot-en_INT_20260101.txt")

ANAEMIA = [
    ("11", "1", 1, FSN, "Anemia (disorder)"),
    ("12", "1", 1, SYNONYM, "Anemia"),
    ("13", "1", 1, SYNONYM, "Anaemia"),
    ("14", "1", 0, SYNONYM, "Anhaemia"),
    ("21", "2", 1, FSN, "Bone structure of femur (body structure)"),
    ("22", "2", 1, SYNONYM, "Femur"),
    ("23", "2", 1, SYNONYM, "Thigh bone (long)"),
]
ACCEPTED = [
    *((US, number, PREFERRED) for number in ("11", "12", "21", "22")),
    *((GB, number, PREFERRED) for number in ("11", "13", "21", "22")),
    (US, "23", ACCEPTABLE),
]


def part(folder: Path, concepts=(), names=(), refset=(), form="Snapshot", of="INT_20260101") -> Path:
    """Files of a release: (id, time, active), (id, time, active, concept, type, term) and (id, time, active,
    set, name, acceptability); without rows, only the files of concepts and descriptions are there."""
    place = folder / form
    files = {
        f"Terminology/sct2_Concept_{form}_{of}.txt": [
            CONCEPTS,
            *(f"{i}\t{t}\t{a}\tm\td\r\n" for i, t, a in concepts),
        ],
        f"Terminology/sct2_Description_{form}-en_{of}.txt": [
            DESCRIPTIONS,
            *(f"{i}\t{t}\t{a}\tm\t{c}\ten\t{kind}\t{term}\tx\r\n" for i, t, a, c, kind, term in names),
        ],
    }
    if refset:
        files[f"Refset/Language/der2_cRefset_Language{form}-en_{of}.txt"] = [
            REFSET,
            *(f"{i}\t{t}\t{a}\tm\t{s}\t{n}\t{kind}\r\n" for i, t, a, s, n, kind in refset),
        ]
    for file, lines in files.items():
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).write_bytes("".join(lines).encode())
    return folder


def release(folder: Path, concepts, descriptions, refset=()) -> Path:
    """An RF2 snapshot of (id, active), (id, concept, active, type, term) and (set, name, acceptability)."""
    return part(
        folder,
        [(number, "20260101", active) for number, active in concepts],
        [(number, "20260101", active, c, kind, term) for number, c, active, kind, term in descriptions],
        [(f"{s}-{n}", "20260101", 1, s, n, kind) for s, n, kind in refset],
    )


def pack(folder: Path, target: Path) -> Path:
    """The release as it comes: everything below a folder of its name, and what a Mac adds."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.txt")):
            archive.write(file, Path("SnomedCT_RF2_20260101", file.relative_to(folder)))
        archive.writestr(f"__MACOSX/SnomedCT_RF2_20260101/{CONCEPT_FILE}", b"\0")
    return target


def read(path: Path, format: str = "rf2", names=("fully_specified",), language: str = "en", **more):
    return read_terminology({"format": format, "path": str(path), "names": list(names)} | more, language)


def rows(terminology) -> list[tuple]:
    return [tuple(row) for row in terminology.names.itertuples(index=False)]


@pytest.fixture
def anaemia(tmp_path) -> Path:
    return release(tmp_path / "release", [("1", 1), ("2", 1), ("3", 0)], ANAEMIA, ACCEPTED)


def test_rf2_gives_active_fully_specified_names_of_active_concepts(tmp_path):
    path = release(
        tmp_path,
        [("123456789012345678", 1), ("2", 0), ("3", 1), ("4", 1)],
        [
            ("1", "123456789012345678", 1, FSN, 'The "big" one (disorder)'),
            ("2", "123456789012345678", 1, SYNONYM, "Big one"),
            ("3", "2", 1, FSN, "Retired (disorder)"),
            ("4", "3", 0, FSN, "Old name (finding)"),
            ("5", "4", 1, FSN, "NA (substance)"),
        ],
    )
    found = read(path)
    assert rows(found) == [
        ('The "big" one', "disorder", "123456789012345678"),
        ("NA", "substance", "4"),
    ]
    assert found.version == "20260101"
    assert found.remarks == ["active concepts without an active fully specified name: 1"]
    assert [note.split()[0] for note in found.notes("p")] == ["terminology:", "sha256", "sha256", "active"]


def test_a_zip_gives_what_its_folder_gives(anaemia, tmp_path):
    packed = pack(anaemia, tmp_path / "release.zip")
    for more in ({}, {"language_refset": "us", "names": ["synonyms"]}):
        assert rows(read(packed, **more)) == rows(read(anaemia, **more))
    assert len(read(packed).files) == 1, "a zip has one sha256, its own"


def test_synonyms_have_their_concepts_semantic_tag_and_keep_their_brackets(anaemia):
    assert rows(read(anaemia, names=["synonyms"])) == [
        ("Anemia", "disorder", "1"),
        ("Anaemia", "disorder", "1"),
        ("Femur", "body structure", "2"),
        ("Thigh bone (long)", "body structure", "2"),
    ]
    both = read(anaemia, names=["fully_specified", "synonyms"])
    assert ("Bone structure of femur", "body structure", "2") in rows(both)
    assert len(rows(both)) == 6


def test_a_language_reference_set_chooses_the_spelling(anaemia):
    us = rows(read(anaemia, names=["preferred"], language_refset="us"))
    gb = rows(read(anaemia, names=["preferred"], language_refset="gb"))
    assert us == [("Anemia", "disorder", "1"), ("Femur", "body structure", "2")]
    assert gb == [("Anaemia", "disorder", "1"), ("Femur", "body structure", "2")]
    assert rows(read(anaemia, names=["preferred"], language_refset=US)) == us
    acceptable = rows(read(anaemia, names=["synonyms"], language_refset="us"))
    assert ("Thigh bone (long)", "body structure", "2") in acceptable
    assert "Anaemia" not in [name for name, _, _ in acceptable]


def test_accents_are_one_character_however_they_were_typed(tmp_path):
    path = release(tmp_path, [("1", 1)], [("1", "1", 1, FSN, "Me\u0301nie\u0300re (disorder)")])
    assert rows(read(path)) == [("Ménière", "disorder", "1")]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Nephritis (disorder)", ("Nephritis", "disorder")),
        ("Structure of (left) ear (body structure)", ("Structure of (left) ear", "body structure")),
        ("No tag", ("No tag", "")),
        ("(only)", ("(only)", "")),
    ],
)
def test_the_semantic_tag_is_split_off(name, split):
    assert split_semantic_tag(name) == split


def cut(file: Path, by: int) -> None:
    file.write_bytes(file.read_bytes()[:-by])


def test_a_release_that_was_cut_off_is_not_taken_for_a_smaller_one(anaemia):
    cut(anaemia / DESCRIPTION_FILE, 2)
    with pytest.raises(
        StudyError, match=r"ends in the middle of a line; it is truncated. Get the release again"
    ):
        read(anaemia)
    cut(anaemia / DESCRIPTION_FILE, 30)
    with pytest.raises(StudyError, match=r"fewer than 9 columns in line 8; it may be truncated"):
        read(anaemia)
    (anaemia / DESCRIPTION_FILE).write_text(DESCRIPTIONS)
    with pytest.raises(StudyError, match=r"has no rows; it may be truncated. Get the release again"):
        read(anaemia)


def test_a_zip_that_was_cut_off_or_damaged_is_named(anaemia, tmp_path):
    packed = pack(anaemia, tmp_path / "release.zip")
    whole = packed.read_bytes()
    packed.write_bytes(whole[:-40])
    with pytest.raises(StudyError, match=r"neither a folder nor a readable zip"):
        read(packed)
    start = whole.index(b"sct2_Description") + len(DESCRIPTION_FILE.name) + 20
    packed.write_bytes(whole[:start] + bytes(40) + whole[start + 40 :])
    with pytest.raises(StudyError, match=r"sct2_Description_Snapshot-en_INT_20260101.txt is damaged"):
        read(packed)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_another_encoding_is_named(tmp_path, encoding):
    path = release(tmp_path, [("1", 1)], [("1", "1", 1, FSN, "Ménière (disorder)")])
    file = path / DESCRIPTION_FILE
    file.write_bytes(file.read_text(encoding="utf-8").encode(encoding))
    with pytest.raises(StudyError, match=f"{file.name}.*(is not UTF-8|has no column)"):
        read(path)


def test_a_missing_column_is_named_with_those_that_are_there(anaemia):
    file = anaemia / DESCRIPTION_FILE
    file.write_bytes(file.read_bytes().replace(b"conceptId", b"concept", 1))
    with pytest.raises(StudyError, match=r"has no column conceptId; it has id, effectiveTime"):
        read(anaemia)


def test_a_line_with_too_many_columns_is_named(anaemia):
    file = anaemia / DESCRIPTION_FILE
    file.write_bytes(file.read_bytes().replace(b"Femur\t", b"Fe\tmur\t", 1))
    with pytest.raises(StudyError, match=r"is not a table with 9 columns .*line 6.*; get the release again"):
        read(anaemia)


def test_concepts_without_their_descriptions_are_named(anaemia):
    (anaemia / DESCRIPTION_FILE).rename(anaemia / "away.txt")
    with pytest.raises(StudyError, match=r"the release has no descriptions \(a file such as sct2_Desc"):
        read(anaemia)
    with pytest.raises(StudyError, match=r"such as sct2_Description_Snapshot-es_INT"):
        read(anaemia, language="es")


def test_files_that_do_not_belong_together_are_named(anaemia):
    (anaemia / CONCEPT_FILE).write_text(CONCEPTS + "9\t20260101\t1\tm\td\r\n")
    with pytest.raises(StudyError, match=r"no active concept of .* has an active name"):
        read(anaemia)
    (anaemia / CONCEPT_FILE).rename(anaemia / PLACE / "sct2_Concept_Snapshot_INT_20250101.txt")
    with pytest.raises(StudyError, match=r"are from different releases"):
        read(anaemia)


OLD, NEW, NEWER = "20240131", "20250131", "20260101"
BONE = ("1", OLD, 1), ("11", OLD, 1, "1", FSN, "Bone (body structure)"), ("12", OLD, 1, "1", SYNONYM, "Os")
BOTH = ["fully_specified", "synonyms"]


def read_both_ways(folder: Path, older: dict, newer: dict, **more) -> list[tuple]:
    """What two parts give together; the same in either order and in one Full file."""
    found = []
    for number, (first, last) in enumerate([(older, newer), (newer, older)]):
        both = folder / f"order{number}"
        part(both / "a", **first)
        part(both / "b", **last)
        found.append(rows(read(both, **more)))
        kinds = {
            kind: [*first.get(kind, ()), *last.get(kind, ())] for kind in ("concepts", "names", "refset")
        }
        found.append(rows(read(part(folder / f"full{number}", **kinds, form="Full"), **more)))
    assert all(rows == found[0] for rows in found)
    return found[0]


SMALL = {"concepts": [BONE[0], ("2", OLD, 1)], "names": [*BONE[1:], ("21", OLD, 1, "2", FSN, "Skin")]}
SKIN, WHOLE, OS = ("Skin", "", "2"), ("Bone", "body structure", "1"), ("Os", "body structure", "1")


@pytest.mark.parametrize(
    ("newer", "left"),
    [
        ({"concepts": [("1", NEW, 0)]}, [SKIN]),
        ({"concepts": [("1", NEW, 0), ("1", NEWER, 1)]}, [WHOLE, OS, SKIN]),
        ({"names": [("12", NEW, 0, "1", SYNONYM, "Os")]}, [WHOLE, SKIN]),
        (
            {"names": [("12", NEW, 0, "1", SYNONYM, "Os"), ("12", NEWER, 1, "1", SYNONYM, "Os")]},
            [WHOLE, OS, SKIN],
        ),
        ({"names": [("12", NEW, 1, "1", SYNONYM, "Bone")]}, [WHOLE, ("Bone", "body structure", "1"), SKIN]),
        ({"names": [("12", NEW, 1, "1", "900000000000550004", "Os")]}, [WHOLE, SKIN]),
        ({"names": [("12", NEW, 1, "2", SYNONYM, "Os")]}, [WHOLE, ("Os", "", "2"), SKIN]),
        (
            {"names": [("12", NEW + "T120000Z", 0, "1", SYNONYM, ""), ("12", NEW, 1, "1", SYNONYM, "X")]},
            [WHOLE, SKIN],
        ),
        (
            {"names": [("11", NEW, 0, "1", FSN, "Bone"), ("13", NEW, 1, "1", FSN, "Whole bone (organ)")]},
            [("Os", "organ", "1"), ("Whole bone", "organ", "1"), SKIN],
        ),
    ],
    ids=[
        "concept",
        "concept again",
        "name",
        "name again",
        "term",
        "definition",
        "concept of a name",
        "time",
        "tag",
    ],
)
def test_the_newest_row_of_an_id_counts_and_only_then_whether_it_is_active(tmp_path, newer, left):
    newer = {"of": "INT_20260101", "form": "Delta"} | newer
    assert read_both_ways(tmp_path, SMALL | {"of": "INT_20240131"}, newer, names=BOTH) == left


def test_a_newest_row_that_is_a_synonym_hides_an_older_fully_specified_name(tmp_path):
    newer = {"names": [("11", NEW, 1, "1", SYNONYM, "Bone")], "form": "Delta"}
    assert read_both_ways(tmp_path, SMALL, newer) == [SKIN]


def test_the_newest_of_two_fully_specified_names_gives_the_tag(tmp_path):
    newer = {"names": [("10", NEW, 1, "1", FSN, "Whole bone (organ)")], "form": "Delta"}
    assert ("Os", "organ", "1") in read_both_ways(tmp_path, SMALL, newer, names=BOTH)


MEMBERS = [("x", OLD, 1, US, "11", PREFERRED), ("y", OLD, 1, US, "12", ACCEPTABLE)]


@pytest.mark.parametrize(
    ("members", "accepted", "preferred"),
    [
        ([("y", NEW, 0, US, "12", ACCEPTABLE)], [WHOLE], []),
        ([("y", NEW, 1, US, "12", PREFERRED)], [WHOLE, OS], [OS]),
        ([("z", NEW, 1, US, "12", PREFERRED)], [WHOLE, OS], [OS]),
        ([("y", NEW, 0, US, "12", ACCEPTABLE), ("z", OLD, 1, US, "12", PREFERRED)], [WHOLE, OS], [OS]),
        ([("z", OLD, 1, US, "12", PREFERRED)], [WHOLE, OS], [OS]),
        ([("x", NEW, 0, US, "11", PREFERRED)], [OS], []),
        ([("y2", NEW, 0, GB, "12", ACCEPTABLE)], [WHOLE, OS], []),
    ],
    ids=[
        "ended",
        "preferred",
        "by another member",
        "another member",
        "two members",
        "full name",
        "other set",
    ],
)
def test_the_newest_row_of_a_member_of_a_reference_set_counts(tmp_path, members, accepted, preferred):
    older, newer = SMALL | {"refset": MEMBERS}, {"refset": members, "form": "Delta"}
    us = {"language_refset": "us"}
    assert read_both_ways(tmp_path / "any", older, newer, names=BOTH, **us) == accepted
    assert read_both_ways(tmp_path / "one", older, newer, names=["preferred"], **us) == preferred


def test_an_edition_and_an_extension_side_by_side_are_read_as_one(tmp_path):
    extension = {
        "concepts": [("1", NEW, 0), ("3", NEW, 1)],
        "names": [("31", NEW, 1, "3", FSN, "Nail (body structure)")],
        "of": "US1000124_20250301",
    }
    assert read_both_ways(tmp_path, SMALL, extension) == [SKIN, ("Nail", "body structure", "3")]
    found = read(tmp_path / "order0")
    assert (found.version, len(found.files)) == ("INT 20260101, US1000124 20250301", 4)
    assert rows(read(pack(tmp_path / "order0", tmp_path / "both.zip"))) == rows(found)


def test_a_full_file_beside_its_snapshot_is_not_read_and_no_input(anaemia):
    before, wanted = rows(read(anaemia)), sorted(anaemia.rglob("*.txt"))
    for form in ("Full", "Delta"):
        part(anaemia, [("1", "20990101", 0)], form=form)
    assert rows(read(anaemia)) == before
    assert sorted(TERMINOLOGY_FORMATS["rf2"].files(anaemia)) == wanted


def test_full_and_delta_files_without_a_snapshot_are_inputs(tmp_path):
    part(tmp_path, **SMALL, form="Full")
    part(tmp_path, [("1", NEW, 0)], form="Delta", of="INT_20260301")
    assert sorted(TERMINOLOGY_FORMATS["rf2"].files(tmp_path)) == sorted(tmp_path.rglob("*.txt"))
    assert (rows(read(tmp_path)), read(tmp_path).version) == ([SKIN], "20260301")


def test_the_same_release_twice_gives_what_it_gives_once(anaemia, tmp_path):
    for copy in ("one", "other"):
        shutil.copytree(anaemia, tmp_path / "both" / copy)
    for more in ({}, {"language_refset": "us", "names": ["synonyms"]}):
        assert rows(read(tmp_path / "both", **more)) == rows(read(anaemia, **more))


@pytest.mark.parametrize(
    "newer",
    [
        {"concepts": [("1", OLD, 0)]},
        {"names": [("12", OLD, 1, "1", SYNONYM, "Osteon")]},
        {"names": [("12", OLD, 0, "1", SYNONYM, "Os")]},
        {"refset": [("y", OLD, 0, US, "12", ACCEPTABLE)]},
        {"refset": [("y", OLD, 1, US, "12", PREFERRED)]},
    ],
)
def test_rows_of_one_time_that_differ_are_not_guessed_at_unless_a_newer_one_follows(tmp_path, newer):
    older, more = SMALL | {"refset": MEMBERS}, {"names": ["synonyms"], "language_refset": "us"}
    for number, (first, last) in enumerate([(older, newer), (newer, older)]):
        both = part(
            part(tmp_path / str(number) / "a", **first), **last, form="Delta", of="INT_20260301"
        ).parent
        part(both / "b", **first, of="INT_20260301")
        with pytest.raises(
            StudyError,
            match=r"id (1|12|y) has different rows of the same effectiveTime 20240131, so that none",
        ):
            read(both, **more)
        kind, ((number, *_), *_) = next((k, v) for k, v in newer.items())
        last_row = next(row for row in older[kind] if row[0] == number)
        part(both / "0", **{kind: [(number, NEW, *last_row[2:])]}, form="Delta", of="INT_20260301")
        assert rows(read(both, **more)) == [OS]


def test_the_rows_of_an_id_may_be_in_different_chunks_of_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr("lexmerge.vocabulary.snomed_rf2.CHUNK", 2)
    history = [(time, active) for time, active in zip(range(20000101, 20000121), [1, 0] * 10, strict=True)]
    small = SMALL | {
        "concepts": [*((str(i % 3), str(20000101 + i), 1) for i in range(12)), *SMALL["concepts"]],
        "names": [
            *(("12", str(time), active, "1", SYNONYM, "X") for time, active in history),
            *SMALL["names"],
        ],
    }
    assert rows(read(part(tmp_path, **small, form="Full"), names=BOTH)) == [WHOLE, OS, SKIN]


def test_a_time_or_an_id_that_is_none_is_named(tmp_path):
    part(tmp_path, [("1", "", 1)])
    with pytest.raises(StudyError, match=r"sct2_Concept.*: effectiveTime '' is not a date such as 20260131"):
        read(tmp_path)
    part(tmp_path, [("1", OLD, 1)], [("1x", OLD, 1, "1", FSN, "Bone")])
    with pytest.raises(StudyError, match=r"sct2_Description.*: id '1x' is not an SCTID"):
        read(tmp_path)


def test_a_header_that_was_cut_off_is_named(anaemia):
    (anaemia / DESCRIPTION_FILE).write_text(DESCRIPTIONS.strip())
    with pytest.raises(StudyError, match=r"ends in the middle of a line; it is truncated"):
        read(anaemia)


def test_a_language_reference_set_that_is_not_there_is_named(anaemia):
    with pytest.raises(StudyError, match=r"has no language reference set 123456"):
        read(anaemia, language_refset="123456")
    (anaemia / REFSET_FILE).unlink()
    with pytest.raises(StudyError, match=r"the release has no language reference sets"):
        read(anaemia, language_refset="us")


def test_lines_that_end_as_on_an_old_mac_are_named(anaemia):
    file = anaemia / DESCRIPTION_FILE
    file.write_bytes(file.read_bytes().replace(b"\r\n", b"\r"))
    with pytest.raises(
        StudyError, match=r"is not an RF2 file: its header repeats a column. Check its line ends"
    ):
        read(anaemia)


def test_a_zip_with_a_password_is_named(anaemia, tmp_path):
    packed = pack(anaemia, tmp_path / "release.zip")
    data = bytearray(packed.read_bytes())
    for signature, offset in (
        (b"PK\x03\x04", 6),
        (b"PK\x01\x02", 8),
    ):  # the flag of encryption, in both headers
        at = data.find(signature)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(signature, at + 1)
    packed.write_bytes(data)
    with pytest.raises(StudyError, match=r"cannot be unpacked .*; unpack it by hand"):
        read(packed)


def test_a_zip_bomb_is_refused_before_it_is_read(anaemia, tmp_path):
    packed = pack(anaemia, tmp_path / "release.zip")
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Full/bomb.txt", bytes(20_000_000))
    with pytest.raises(StudyError, match=r"Full/bomb.txt would unpack from .* to 20,000,000 bytes"):
        read(packed)


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/outside.txt", "C:\\outside.txt", "a/../../x.txt"])
def test_a_path_that_escapes_is_refused_and_nothing_is_written(anaemia, tmp_path, name):
    packed = pack(anaemia, tmp_path / "release.zip")
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr(name, "x")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StudyError, match=r"lies outside of the archive"):
        read(packed)
    assert sorted(tmp_path.rglob("*")) == before


def value_set(folder: Path, **content) -> Path:
    (folder / "v.json").write_text(json.dumps({"resourceType": "ValueSet"} | content))
    return folder / "v.json"


def test_fhir_and_tsv_give_the_same_rows(tmp_path):
    concept = {"code": "36171008", "display": "Glomerulonephritis (disorder)"}
    fhir = value_set(tmp_path, title="A set", version="7", compose={"include": [{"concept": [concept]}]})
    tsv = tmp_path / "t.tsv"
    tsv.write_text("concept_id\tterm\tsemantic_tag\n36171008\tGlomerulonephritis\tdisorder\n")
    assert rows(read(fhir, "fhir")) == rows(read(tsv, "tsv")) != []
    assert (read(fhir, "fhir").title, read(fhir, "fhir").version) == ("A set", "7")
    assert read(tsv, "tsv").title == "t.tsv"


def test_fhir_expansions_and_designations_are_read_and_inactive_concepts_are_not(tmp_path):
    synonym = {"language": "en-GB", "use": {"code": SYNONYM}, "value": "Anaemia"}
    full = {"language": "en", "use": {"code": FSN}, "value": "Anemia (disorder)"}
    french = {"language": "fr", "use": {"code": SYNONYM}, "value": "Anémie"}
    concept = {"code": "1", "display": "Anemia", "designation": [synonym, full, french]}
    inside = {"code": "2", "display": "Femur"}
    path = value_set(
        tmp_path,
        expansion={
            "contains": [
                concept,
                {"code": "3", "display": "Old", "inactive": True},
                {"code": "4", "display": "Heading", "abstract": True, "contains": [inside]},
            ]
        },
    )
    assert rows(read(path, "fhir")) == [("Anemia", "disorder", "1"), ("Femur", "", "2")]
    assert rows(read(path, "fhir", names=["synonyms"])) == [("Anaemia", "disorder", "1")]


def test_what_a_value_set_excludes_is_left_out(tmp_path):
    concepts = [{"code": "1", "display": "One"}, {"code": "2", "display": "Two"}]
    include = [{"system": "s", "concept": concepts}]
    path = value_set(
        tmp_path, compose={"include": include, "exclude": [{"system": "s", "concept": concepts[:1]}]}
    )
    assert rows(read(path, "fhir")) == [("Two", "", "2")]


def test_a_fhir_file_that_is_none_is_named(tmp_path):
    with pytest.raises(StudyError, match=r"does not exist"):
        read(tmp_path / "nowhere", "fhir")
    path = value_set(tmp_path, resourceType="Bundle")
    with pytest.raises(StudyError, match=r"not a FHIR ValueSet .its resourceType is 'Bundle'"):
        read(path, "fhir")
    path = value_set(tmp_path, compose={"include": [{"filter": [{"op": "is-a"}]}]})
    with pytest.raises(StudyError, match=r"lists no concepts with a name"):
        read(path, "fhir")
    path = value_set(tmp_path, compose=["include"])
    with pytest.raises(StudyError, match=r"does not have the structure that FHIR requires"):
        read(path, "fhir")
    with pytest.raises(StudyError, match=r"is a folder; name a ValueSet, a single JSON file"):
        read(tmp_path, "fhir")
    path.write_bytes(b'{"resourceType": "Value')
    with pytest.raises(StudyError, match=r"not a FHIR ValueSet in JSON and UTF-8"):
        read(path, "fhir")
    path.write_bytes('{"title": "é"}'.encode("latin-1"))
    with pytest.raises(StudyError, match=r"not a FHIR ValueSet in JSON and UTF-8"):
        read(path, "fhir")


def test_a_table_without_terms_or_with_broken_rows_is_named(tmp_path):
    path = tmp_path / "t.tsv"
    for content, said in {
        b"word\nx\n": "no column term; it has word",
        "term\nMénière\n".encode("latin-1"): "not UTF-8 text",
        b"term\tsemantic_tag\na\tb\tc\n": "a row has more cells than the header has columns",
        b"term\tsemantic_tag\na\tb\nc\td\te\n": "not a tab-separated table",
        b"": "not a tab-separated table",
    }.items():
        path.write_bytes(content)
        with pytest.raises(StudyError, match=said):
            read(path, "tsv")
