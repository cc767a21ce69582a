"""Fetch NLTK's Brown corpus and English tagger and check their hashes. Brown is for non-commercial use."""

import hashlib
import io
import urllib.request
import zipfile
from pathlib import Path

from lexmerge.common.errors import StudyError
from lexmerge.common.files import fresh_file
from lexmerge.run.job import job
from lexmerge.vocabulary.nltk_data import PACKAGES, PINNED


def fetch(package: str, folder: str | Path, source: str = PACKAGES) -> None:
    """Fetch the pinned files of a package; nothing is written unless all hashes are right.

    Args:
        package: A key of `PINNED`.
        folder: The NLTK data folder to write to.
        source: URL of the folder that holds the packages.

    Raises:
        StudyError: If the package cannot be fetched, or is not the pinned one.
    """
    pinned = PINNED[package]
    url = f"{source}/{package}.zip"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            archive = answer.read()
    except OSError as error:
        raise StudyError(
            f"{url} cannot be fetched ({error}); run again, or set NLTK_DATA to a copy"
        ) from None
    files = {name: _part(archive, package, name, url) for name in pinned}
    for name, data in files.items():
        if hashlib.sha256(data).hexdigest() != pinned[name]:
            raise StudyError(
                f"{url}: {name} is not the version that lexmerge uses (its sha256 differs); set NLTK_DATA "
                "to a folder with that version"
            )
    for name, data in files.items():
        with fresh_file(Path(folder, name)) as part:
            part.write_bytes(data)


def _part(archive: bytes, package: str, name: str, url: str) -> bytes:
    """A file of the package: the archive itself, or one of its members."""
    if name == f"{package}.zip":
        return archive
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            return opened.read(str(Path(name).relative_to(Path(package).parent)))
    except (zipfile.BadZipFile, KeyError) as error:
        raise StudyError(f"{url} is not the expected package ({error}); run again") from None


if __name__ == "__main__":
    with job(snakemake.log[0]):
        for name in snakemake.params.packages:
            fetch(name, snakemake.params.folder)
