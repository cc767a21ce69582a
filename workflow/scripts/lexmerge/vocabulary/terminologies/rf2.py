"""SNOMED CT in Release Format 2 (RF2), as a folder or a zip file."""

from pathlib import Path
from typing import Any

from lexmerge.vocabulary.rf2_files import FORMS, needed, version_of
from lexmerge.vocabulary.terminology import Terminology, TerminologyFormat, file_hashes


def read(source: Path, settings: dict[str, Any], language: str) -> Terminology:
    """Read names of the kinds `settings["names"]`; see `TerminologyFormat.read`."""
    from lexmerge.vocabulary.snomed_rf2 import Release, read_names

    refset = settings.get("language_refset")
    release = Release(source, language)
    names, remarks = read_names(release, settings["names"], refset)
    used = ["concepts", "descriptions", *(["language reference sets"] if refset else [])]
    found = [file for kind in used for file in release.files(kind)]
    version = version_of(file for kind in used[:2] for file in release.files(kind))
    files = [source] if release.zip else [source / file.path for file in found]
    if refset:
        remarks = [f"names that the language reference set {refset} accepts", *remarks]
    return Terminology(names, "SNOMED CT, RF2", version, file_hashes(files), remarks)


def files(path: Path) -> list[Path]:
    """The zip, or all files of concepts, descriptions and language reference sets that a reading needs."""
    if path.is_file():
        return [path]
    kinds = ("*sct2_Concept_*", "*sct2_Description_*", "*der2_cRefset_Language*")
    found = (file for kind in kinds for form in FORMS for file in path.rglob(f"{kind}{form}*.txt"))
    return [Path(file) for file in needed(map(str, found))]


REGISTERED = TerminologyFormat(
    read,
    files=files,
    has_language_refset=True,
)
