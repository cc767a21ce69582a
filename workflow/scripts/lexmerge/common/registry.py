"""Registries: the choices of a config key, one module each, found by the name of its file.

A registry is a folder of a package, such as `services/providers/`. Each module in it is a choice, named as
the file, and assigns its description to `REGISTERED`. Names are known without importing anything; a module
is imported when it is asked for, so that Snakemake, which reads the names at every start, stays fast, and a
job depends on the code of its own choice alone.
"""

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from lexmerge.common.errors import StudyError, nearest

Entry = TypeVar("Entry")
SCRIPTS = Path(__file__).parents[2]


class Registry(Mapping[str, Entry]):
    """The registered choices by name, in alphabetical order.

    Attributes:
        package: The dotted name of the folder's package, such as `lexmerge.services.providers`.
    """

    def __init__(self, package: str, kind: type[Entry]):
        """Describe a registry without reading it.

        Args:
            package: The dotted name of the package that holds the modules.
            kind: The type of what each module registers.
        """
        self.package, self._kind = package, kind
        self._folder = SCRIPTS.joinpath(*package.split("."))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(file.stem for file in self._folder.glob("[a-z]*.py")))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.isidentifier() and self.file(name).is_file()

    def __getitem__(self, name: str) -> Entry:
        """The entry of that name; a KeyError if there is no such module."""
        if name not in self:
            raise KeyError(name)
        entry = getattr(importlib.import_module(f"{self.package}.{name}"), "REGISTERED", None)
        if not isinstance(entry, self._kind):
            raise StudyError(f"{self.file(name)}: REGISTERED is not a {self._kind.__name__}")
        return entry

    def file(self, name: str) -> Path:
        """The module's file, whose fingerprint stands for the choice in a rule's parameters."""
        return self._folder / f"{name}.py"

    def chosen(self, name: str, place: str) -> Entry:
        """The entry that a config names.

        Args:
            name: The name in the config.
            place: The config key, for the error.

        Raises:
            StudyError: If nothing is registered under the name.
        """
        if name not in self:
            raise StudyError(f"{place}: {name!r} is not one of the choices; {nearest(name, list(self))}")
        return self[name]
