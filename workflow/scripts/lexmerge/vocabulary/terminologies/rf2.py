"""SNOMED CT in Release Format 2 (RF2), as a folder or a zip file."""

from pathlib import Path
from typing import Any

from lexmerge.vocabulary.terminology import Terminology, TerminologyFormat, file_hashes


def read(source: Path, settings: dict[str, Any], language: str) -> Terminology:
    """Read names of the kinds `settings["names"]`; see `TerminologyFormat.read`."""
    from lexmerge.vocabulary.snomed_rf2 import Release, read_names

    refset = settings.get("language_refset")
    release = Release(source, language)
    names, remarks = read_names(release, settings["names"], refset)
    _, date = release.find("concepts")
    used = ["concepts", "descriptions", *(["language reference sets"] if refset else [])]
    members = [release.find(kind)[0] for kind in used]
    files = [source] if release.zip else [source / member for member in members]
    if refset:
        remarks = [f"names that the language reference set {refset} accepts", *remarks]
    return Terminology(names, "SNOMED CT, RF2", date, file_hashes(files), remarks)


def files(path: Path) -> list[Path]:
    """The zip, or the snapshots of concepts, descriptions and language reference sets in the folder."""
    kinds = ("*sct2_Concept_*", "*sct2_Description_*", "*der2_cRefset_Language*")
    found = sorted(file for kind in kinds for file in path.rglob(f"{kind}Snapshot*.txt"))
    return [path] if path.is_file() else found


REGISTERED = TerminologyFormat(
    read,
    files=files,
    has_language_refset=True,
)
