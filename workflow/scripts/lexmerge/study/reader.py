"""Reading of a config file: the values that Snakemake reads, and faults with their file, line and column."""

import itertools
import json
import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml
from yaml.reader import Reader

from lexmerge.common.errors import StudyError

MAX_BYTES = 5_000_000
MAX_DEPTH = 100  # lists and mappings inside each other
MAX_NODES = 100_000  # keys, values, lists and mappings, each alias counted as a copy of what it stands for
MAX_FAULTS = 10  # faults reported at once
MAX_SHOWN = 100  # characters of a line that are shown around a fault
MAX_DIGITS = 100  # of a whole number; Python refuses to read more than 4300

CONFIG_ENDINGS = (".yaml", ".yml", ".json")
OPTIONS = ("--configfile", "--configfiles")
BOMS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}

YAML_TAG = "tag:yaml.org,2002:"
WHOLE_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
DECIMAL_NUMBER = re.compile(
    r"[-+]?[0-9]+\.[0-9]*([eE][-+][0-9]+)?|\.[0-9]+([eE][-+][0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
# PyYAML reads these as text, and other parsers as numbers:
NUMBER_AS_TEXT = re.compile(r"([-+]?)(?:([0-9]+)(\.[0-9]*)?|(\.[0-9]+))(?:[eE]([-+]?)([0-9]+))?")
OCTAL_AS_TEXT = re.compile(r"[-+]?0o[0-7]+")


def read_config(path: Path | str) -> dict[str, Any]:
    """Read a config file in YAML or JSON.

    Args:
        path: The file, relative to the working directory or absolute.

    Returns:
        The values that Snakemake reads from the same file.

    Raises:
        StudyError: If the file is missing, not in UTF-8 or without keys at its top level, or has a syntax
            error, a duplicate key, or a value that YAML 1.1 reads as something other than what is written.
    """
    return _ConfigFile(path).value


def places(path: Path | str) -> dict[str, int]:
    """The line of each key and list item of a config file.

    Args:
        path: A file that `read_config` accepts.

    Returns:
        Line numbers, from 1, by paths such as `merges.half.recipe.models[0]`. A key that comes through
        an alias or a merge has the line of its anchor's definition.

    Raises:
        StudyError: As `read_config` does.
    """
    file = _ConfigFile(path)
    return {place: file.line(index) for place, index in _places(file.node, "")}


def check_command_line(argv: list[str], cwd: Path | str) -> None:
    """Exit with a message if a config file on Snakemake's command line has faults.

    Args:
        argv: The words of the command line.
        cwd: The working directory.

    Raises:
        SystemExit: With the faults of all files as its message.
    """
    faults = []
    for word in _config_words(argv):
        file = Path(cwd) / word
        try:
            if not file.exists() and file.suffix.lower() not in CONFIG_ENDINGS:
                raise StudyError(
                    f"there is no config file {file.absolute()}: --configfile takes all words up to the next "
                    f"option. If {word!r} is a target: targets come before --configfile, or after --"
                )
            read_config(file)
        except StudyError as error:
            faults.append(str(error))
        except OSError as error:
            faults.append(f"the config file {file.absolute()} cannot be read: {error.strerror}")
    if faults:
        sys.exit("\n" + "\n".join(faults))


def _config_words(argv: list[str]) -> list[str]:
    """The config files on a command line; as in Snakemake, the last `--configfile` option counts."""
    words: list[str] = []
    for at, word in enumerate(argv):
        if word == "--":
            break
        if word in OPTIONS:
            words = list(itertools.takewhile(lambda w: w == "-" or not w.startswith("-"), argv[at + 1 :]))
        elif word.startswith(tuple(f"{option}=" for option in OPTIONS)):
            words = [word.partition("=")[2]]
    return words


class _ConfigFile:
    """A config file: its path, text, nodes with positions, and value."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        self.text = self._decoded(self._bytes())
        try:
            as_json = json.loads(self.text)  # Snakemake tries JSON first
        except (ValueError, RecursionError):
            as_json = None
        # Tabs are whitespace in JSON and a syntax error in YAML; JSON has none inside a text.
        loader = _Loader(self.text if as_json is None else self.text.replace("\t", " "), as_json is not None)
        try:
            self.node, self.value = self._loaded(loader, as_json)
        finally:
            loader.dispose()

    def _bytes(self) -> bytes:
        """The file's content."""
        try:
            if self.path.is_dir():
                raise StudyError(f"the config file {self.path} is a folder; name a file in it")
            if not self.path.exists():
                raise StudyError(f"there is no config file {self.path}")
            if not self.path.is_file():
                raise StudyError(f"{self.path} is a pipe or a device; write the config to a file")
            if (size := self.path.stat().st_size) > MAX_BYTES:
                raise StudyError(
                    f"the config file {self.path} has {size / 1e6:.1f} MB; a config has at most "
                    f"{MAX_BYTES / 1e6:.0f} MB. Is it another file?"
                )
            return self.path.read_bytes()
        except OSError as error:
            raise StudyError(f"the config file {self.path} cannot be read: {error.strerror}") from None

    def _decoded(self, data: bytes) -> str:
        """The file's text, with `\n` at the end of each line."""
        encoding = next((name for bom, name in BOMS.items() if data.startswith(bom)), None)
        if encoding is None and (nulls := data.count(b"\0")) > len(data) / 5:
            encoding = "UTF-32" if nulls > len(data) * 0.6 else "UTF-16"
        if encoding:
            raise StudyError(f"the config file {self.path} is {encoding}, not UTF-8; save it as UTF-8")
        try:
            text = _with_newlines(data.decode("utf-8"))
        except UnicodeDecodeError as error:
            self.text = _with_newlines(data.decode("utf-8", errors="replace"))
            index = len(_with_newlines(data[: error.start].decode("utf-8")))
            line = self.line(index)
            message = f"not UTF-8: byte 0x{data[error.start]:02x} in line {line}; save the file as UTF-8"
            self._stop([(index, message)])
        if odd := Reader.NON_PRINTABLE.search(text):
            self.text = text
            name = "null byte" if odd.group() == "\0" else f"control character U+{ord(odd.group()):04X}"
            self._stop([(odd.start(), f"a {name}; remove it")])
        return text

    def _loaded(self, loader: "_Loader", as_json: Any) -> tuple[yaml.Node, dict[str, Any]]:
        """The top-level mapping as a node and as a value."""
        value: Any = None
        try:
            node: Any = loader.get_single_node()
            if node is not None and not loader.faults:
                value = loader.construct_document(node)
        except _Fatal:
            pass
        except yaml.MarkedYAMLError as error:
            loader.faults.append(_syntax_fault(error, self.text))
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # such as an escape beyond Unicode
            raise StudyError(f"the config file {self.path} is no valid YAML: {error}") from None
        if loader.faults:
            self._stop(loader.faults)
        value = value if as_json is None else as_json
        if value is None:
            raise StudyError(f"the config file {self.path} is empty; a study needs at least a `study.name`")
        if as_json is None and isinstance(value, dict):
            value = self._templated(value)
        if not isinstance(value, dict):
            raise StudyError(
                f"the config file {self.path} has no keys at its top level; write settings as `key: value`"
            )
        return node, value

    def _templated(self, value: dict[str, Any]) -> Any:
        """The value after YTE, the templates that Snakemake allows in a config with `__use_yte__: true`."""
        if value.get("__use_yte__") is None:
            return value
        if not value.pop("__use_yte__"):
            return value
        import yte  # type: ignore[import-untyped]

        try:
            return yte.process_yaml(self.text, require_use_yte=True)
        except Exception as error:  # from the template's own Python code
            raise StudyError(f"the config file {self.path}: YTE cannot process it: {error}") from None

    def line(self, index: int) -> int:
        """The line of a character, from 1, as editors count: YAML ends lines at more characters than `\n`."""
        return self.text.count("\n", 0, index) + 1

    def _stop(self, faults: list[tuple[int, str]]) -> NoReturn:
        """Raise a StudyError that shows the place of each fault."""
        shown = [self._shown(index, message) for index, message in sorted(faults)[:MAX_FAULTS]]
        if len(faults) > MAX_FAULTS:
            shown.append(f"and {len(faults) - MAX_FAULTS} more")
        raise StudyError("\n".join(shown))

    def _shown(self, index: int, message: str) -> str:
        """A fault with its file, line and column, the line itself, and a caret below the place."""
        index = min(index, len(self.text.rstrip()))
        start = self.text.rfind("\n", 0, index) + 1
        start += self.text.startswith("\ufeff", start)  # a byte order mark takes no column
        column = max(index - start, 0)
        line = self.text[start:].partition("\n")[0]
        cut = max(column - MAX_SHOWN // 2, 0)
        part = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in line[cut : cut + MAX_SHOWN])
        before = ("..." if cut else "") + part[: column - cut]
        number = str(self.line(index))
        return (
            f"{self.path}, line {number}, column {column + 1}: {message}\n"
            f"  {number} | {'...' if cut else ''}{part}{'...' if cut + MAX_SHOWN < len(line) else ''}\n"
            f"  {' ' * len(number)} | {''.join(map(_blank, before))}^"
        )


class _Fatal(Exception):
    """A fault after which a file cannot be read on."""


class _Loader(yaml.FullLoader):  # what Snakemake reads configs with
    """PyYAML's loader with bounds and checks on the nodes as they are composed.

    Attributes:
        faults: Faults as pairs of a character's index in the text and a message.
    """

    def __init__(self, text: str, is_json: bool) -> None:
        super().__init__(text)
        self.text = text
        self.is_json = is_json
        self.faults: list[tuple[int, str]] = []
        self.parents: list[int] = []  # ids of the lists and mappings that are still open
        self.sizes: dict[int, int] = {}  # nodes with all aliases expanded, by id
        self.composed = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node within the bounds on depth and size."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        at = event.start_mark.index
        self.parents.append(id(parent))
        self.composed += 1
        if len(self.parents) > MAX_DEPTH:
            self._fatal(at, f"lists and mappings are nested more than {MAX_DEPTH} deep")
        if self.composed > MAX_NODES:
            self._fatal(at, f"the file has more than {MAX_NODES:,} keys and values")
        if isinstance(event, yaml.AliasEvent) and id(self.anchors.get(event.anchor, self)) in self.parents:
            self._fatal(at, f"*{event.anchor} stands inside &{event.anchor}, its own anchor; remove it")
        node: Any = super().compose_node(parent, index)
        self.parents.pop()
        if id(node) not in self.sizes:
            size = 1
            for child in _children(node):
                size += self.sizes[id(child)]
            if size > MAX_NODES:
                self._fatal(
                    at, f"this has more than {MAX_NODES:,} keys and values, counting aliases as copies"
                )
            self.sizes[id(node)] = size
        return node

    def compose_scalar_node(self, anchor: Any) -> Any:
        """Compose a text, number, truth value or null, and check how YAML 1.1 reads it."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        node = super().compose_scalar_node(anchor)
        if not self.is_json:
            if event.tag not in (None, "!", f"{YAML_TAG}str"):
                self._refuse_tag(node)
            elif message := self._misread(node, plain=event.implicit[0]):
                self.faults.append((node.start_mark.index, message))
        return node

    def compose_sequence_node(self, anchor: Any) -> Any:
        """Compose a list, and check its tag."""
        node = super().compose_sequence_node(anchor)
        if node.tag != f"{YAML_TAG}seq":
            self._refuse_tag(node)
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        """Compose a mapping, and check its tag and keys."""
        before = len(self.faults)
        node = super().compose_mapping_node(anchor)
        if node.tag != f"{YAML_TAG}map":
            self._refuse_tag(node)
        first: dict[tuple[str, str], int] = {}
        faulty = {at for at, _ in self.faults[before:]}
        for key, value in node.value:
            at = key.start_mark.index
            text_or_merge = key.tag in (f"{YAML_TAG}str", f"{YAML_TAG}merge")
            if not isinstance(key, yaml.ScalarNode):
                self.faults.append((at, "a key must be text, not a list or a mapping"))
            elif not (text_or_merge or self.is_json):
                if at not in faulty:
                    name = f"the key {key.value}" if key.value else "an empty key"
                    kind = key.tag.removeprefix(YAML_TAG).replace("int", "number").replace("float", "number")
                    self.faults.append((at, f"{name} is read as a {kind}, not as text; put it in quotes"))
            elif (key.tag, key.value) in first:
                line = self.text.count("\n", 0, first[key.tag, key.value]) + 1
                again = self.text.count("\n", 0, at) + 1
                where = f"line {line} and again in line {again}" if again != line else f"line {line}, twice"
                message = f"the key {key.value!r} is given in {where}; remove or rename one of them"
                self.faults.append((at, message))
            else:
                first[key.tag, key.value] = at
            if key.tag == f"{YAML_TAG}merge" and not _can_be_merged(value):
                self.faults.append((at, "`<<` merges a mapping or a list of mappings, usually an alias"))
        return node

    def _refuse_tag(self, node: yaml.Node) -> None:
        """Add a fault for an explicit tag."""
        tag = node.tag.replace(YAML_TAG, "!!")
        self.faults.append((node.start_mark.index, f"the tag {tag} is not supported; remove it"))

    def _misread(self, node: yaml.ScalarNode, plain: bool) -> str | None:
        """A message if YAML 1.1 reads a value as something other than its characters say."""
        kind, value = node.tag.removeprefix(YAML_TAG), node.value
        if kind == "timestamp":
            return f"{value} is read as a date, not as text; put it in quotes"
        if kind == "value":
            return "a lone = is not text in YAML; put it in quotes"
        if kind == "bool" and value.lower() not in ("true", "false"):
            read = str(self.construct_yaml_bool(node)).lower()
            return f"{value} is read as {read}, not as text; put it in quotes, or write true or false"
        if kind == "int" and len(value) > MAX_DIGITS:
            return f"a whole number of more than {MAX_DIGITS} digits; put it in quotes if it is text"
        if (kind == "int" and not WHOLE_NUMBER.fullmatch(value)) or (
            kind == "float" and not DECIMAL_NUMBER.fullmatch(value)
        ):
            return self._misread_number(node, kind)
        if plain and kind == "str" and (number := _number_in(value)):
            return (
                f"{value} is read as text, not as a number; write {number}, or put it in quotes if it is text"
            )
        return None

    def _misread_number(self, node: yaml.ScalarNode, kind: str) -> str:
        """A message on an octal, binary, hexadecimal or sexagesimal number, or one with underscores."""
        construct = self.construct_yaml_int if kind == "int" else self.construct_yaml_float
        try:
            read = construct(node)
        except (ValueError, OverflowError):
            return f"{node.value} is read as a number, and is none; put it in quotes"
        return f"{node.value} is read as the number {read}; put it in quotes if it is text, or write {read}"

    def _fatal(self, index: int, message: str) -> NoReturn:
        """Add a fault, and end the reading."""
        self.faults.append((index, message))
        raise _Fatal


def _with_newlines(text: str) -> str:
    """The text with each line end of Windows or old Macs as `\n`, as Python opens text files."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _blank(character: str) -> str:
    """Blanks as wide as a character on a terminal; a tab stays one."""
    if character == "\t":
        return "\t"
    if unicodedata.combining(character):
        return ""
    return "  " if unicodedata.east_asian_width(character) in "WF" else " "


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    """The nodes directly inside a node, keys included."""
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        yield from itertools.chain.from_iterable(node.value)


def _can_be_merged(node: yaml.Node) -> bool:
    """Whether a node is a mapping or a list of mappings."""
    several = node.value if isinstance(node, yaml.SequenceNode) else [node]
    return all(isinstance(item, yaml.MappingNode) for item in several)


def _number_in(text: str) -> str | None:
    """The number that a text looks like, in a form that YAML 1.1 reads as a number."""
    if OCTAL_AS_TEXT.fullmatch(text):
        return str(int(text, 8))
    if not (match := NUMBER_AS_TEXT.fullmatch(text)):
        return None
    sign, whole, fraction, only_fraction, exponent_sign, exponent = match.groups()
    whole = (whole or "0").lstrip("0") or "0"
    if fraction is None and only_fraction is None and exponent is None:
        return f"{sign}{whole}"
    decimals = (fraction or only_fraction or ".").removeprefix(".") or "0"
    return f"{sign}{whole}.{decimals}" + (f"e{exponent_sign or '+'}{exponent}" if exponent else "")


def _places(node: yaml.Node, place: str) -> Iterator[tuple[str, int]]:
    """Pairs of a path and a character's index for all keys and list items below a node."""
    if isinstance(node, yaml.SequenceNode):
        for at, item in enumerate(node.value):
            yield f"{place}[{at}]", item.start_mark.index
            yield from _places(item, f"{place}[{at}]")
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inside = f"{place}.{key.value}" if place else key.value
            yield inside, key.start_mark.index
            yield from _places(value, inside)


def _syntax_fault(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    """The place of a syntax error, as a character's index, and a message with its remedy."""
    mark = error.problem_mark or error.context_mark
    at = mark.index if mark else 0
    opened = error.context_mark.index if error.context_mark else at
    line = text.count("\n", 0, opened) + 1
    problem, context = error.problem or "", error.context or ""
    before = text[text.rfind("\n", 0, at) + 1 : at]
    in_braces = context == "while parsing a flow mapping"
    if text.startswith("\t", at):
        return at, "a tab; YAML allows only spaces here" if before.strip() else "a tab; indent with spaces"
    if context.startswith("while scanning a quoted scalar") and "unexpected end" in problem:
        return opened, "this quote is never closed"
    if in_braces or context == "while parsing a flow sequence":
        bracket, closing = "{}" if in_braces else "[]"
        if "<stream end>" in problem:
            return opened, f"this `{bracket}` is never closed; add `{closing}`"
        return at, f"expected `,` or `{closing}` here; the `{bracket}` of line {line} is still open"
    if "expected <block end>" in problem:
        aligned = error.context_mark is not None and len(before) == error.context_mark.column
        if before.strip() or aligned:
            return at, "this does not belong to the value before it; put the whole value in quotes"
        return at, "this indentation matches no line above; align the line with its neighbours"
    if "could not find expected ':'" in problem:
        return opened, "this line is neither `key: value` nor `- item`"
    return at, _explained(problem, text[at : at + 1], line)


def _explained(problem: str, character: str, line: int) -> str:
    """PyYAML's message with a remedy, given the character at its place and the line of its context."""
    for part, message in (
        ("another document", "a second document; a config file holds one, so split the file at this line"),
        (
            "mapping values",
            "a second `: ` in one value; put text in quotes, or correct the indentation",
        ),
        ("cannot start any token", f"no value can begin with {character}; put it in quotes"),
        ("second occurrence", f"this anchor is also defined in line {line}; rename one of them"),
        ("undefined alias", f"{problem}; its anchor must come before it"),
    ):
        if part in problem:
            return message
    return f"no valid YAML: {problem}"
