"""Reads mappings: TOML that says which columns of a file make which fields of which rows. docs/import.md describes them.

Every fault names the place in the mapping, and the names that exist there."""

import codecs
import tomllib
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from enum import Enum
from string import Formatter
from typing import Any, NamedTuple, NoReturn, TypeVar
from zoneinfo import ZoneInfo

from hub.domain.customers.customers import SOURCE_SCOPED
from hub.domain.exchange.mapping_types import (
    FieldSource,
    FileFormat,
    IdentifierSource,
    ImportMapping,
    ImportMode,
    JsonSource,
    LinkSource,
    RowSource,
    ValueSource,
)
from hub.errors import BadInput
from hub.model import validators
from hub.model.entity import Entity, declared_entities
from hub.model.validators import source_name
from hub.model.writer import writer_of
from hub.schema.customers.customers import Customer, IdentifierKind
from hub.text_case import camel_case

MAX_CHARACTERS = 100_000
MAX_ROWS = 50
VALUE_WORDS = ("column", "value", "template", "values", "default", "filled", "format", "decimal", "empty", "invalid")
LINK_WORDS = ("row", "find", "identifier", "source", "country", *VALUE_WORDS)
FILE_WORDS = ("encoding", "delimiter", "columns", "decimal", "date_format", "timezone")
ROW_WORDS = ("entity", "name", "match", "mode", "when", "invalid", "fields", "identifiers")
IDENTIFIER_WORDS = ("kind", "source", "verified", "country", *VALUE_WORDS)
IDENTIFIERS = "identifiers"
T = TypeVar("T", bound=Enum)


class WritableLink(NamedTuple):
    """A link that an import writes: where it leads, and its column."""

    target: type[Any]
    column_name: str


def _refuse(path: str, message: str) -> NoReturn:
    raise BadInput(f"mapping: {path}: {message}", code="MAPPING_INVALID", argument="mapping")


def parse_mapping(text: str) -> ImportMapping:
    """Reads a mapping; raises BadInput MAPPING_INVALID, with the place, for one that cannot be."""
    if len(text) > MAX_CHARACTERS:
        _refuse("the whole", f"it has {len(text):,} characters; give at most {MAX_CHARACTERS:,}")
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        _refuse("it is no TOML", f"{error}")
    _require_words(document, ("source", "file", "values", "rows"), "the top")
    tables = _table(document.get("values", {}), "values")
    named_values = {name: _table(values, f"values.{name}") for name, values in tables.items()}
    rows = document.get("rows")
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_ROWS:
        _refuse("rows", f"give 1 to {MAX_ROWS} tables [[rows]], one for each row that a line makes")
    reader = _RowReader(named_values)
    sources = tuple(reader.read(row) for row in rows)
    return ImportMapping(_file_format(document.get("file", {})), sources, _source_of_lines(document, sources))


def _source_of_lines(document: Mapping[str, Any], rows: Sequence[RowSource]) -> str | None:
    """Who says what the lines say: the mapping's `source`, else that of its identifiers if it is one alone."""
    if (text := _text(document, "source", "the top")) is None:
        named = {identifier.source for row in rows for identifier in row.identifiers}
        return named.pop() if len(named) == 1 else None
    try:
        return source_name(text)
    except ValueError as fault:
        _refuse("source", f"{fault}")


def _file_format(value: Any) -> FileFormat:
    table = _table(value, "file")
    _require_words(table, FILE_WORDS, "file")
    encoding = _text(table, "encoding", "file")
    if encoding is not None:
        try:
            encoding = codecs.lookup(encoding).name
        except LookupError:
            _refuse("file.encoding", f"{encoding!r} is no encoding; give utf-8, cp1252 or latin-1, or leave it out")
    delimiter = _text(table, "delimiter", "file")
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        _refuse("file.delimiter", "give one character, such as , or ;")
    columns = table.get("columns")
    if columns is not None and not (isinstance(columns, list) and all(isinstance(name, str) for name in columns)):
        _refuse("file.columns", "give a list of names, for a file without a header")
    decimal = _decimal(table, "file")
    timezone = _text(table, "timezone", "file") or "UTC"
    try:
        ZoneInfo(timezone)
    except Exception:
        _refuse("file.timezone", f"{timezone[:60]!r} is no time zone; give one like Europe/Berlin")
    names = None if columns is None else tuple(columns)
    return FileFormat(encoding, delimiter, names, decimal, _text(table, "date_format", "file"), timezone)


class _RowReader:
    """Reads the rows of one mapping, each of which may name the ones before it."""

    def __init__(self, named_values: Mapping[str, Mapping[str, Any]]) -> None:
        self._named_values = named_values
        self._previous: dict[str, RowSource] = {}

    def read(self, value: Any) -> RowSource:
        path = f"rows[{len(self._previous)}]"
        table = _table(value, path)
        _require_words(table, ROW_WORDS, path)
        entity = _entity(table, path)
        name = _text(table, "name", path) or camel_case(entity.__name__[0].lower() + entity.__name__[1:])
        if name in self._previous:
            _refuse(f"{path}.name", f"two rows are called {name!r}; give each another name")
        fields = self._fields(entity, _table(table.get("fields", {}), f"{path}.fields"), f"{path}.fields")
        self._link_to_owners(entity, fields)
        fields = _in_order(entity, fields)
        identifiers = self._identifiers(entity, table.get(IDENTIFIERS, []), f"{path}.{IDENTIFIERS}")
        mode = _member(table, "mode", ImportMode, path)
        skips_invalid = _choice(table, "invalid", {"reject": False, "skip": True}, path)
        match, by_identifiers = self._match(entity, table.get("match", []), fields, bool(identifiers), path)
        row = RowSource(
            entity, name, fields, match, identifiers, by_identifiers, _text(table, "when", path), mode, skips_invalid
        )
        self._previous[name] = row
        return row

    def _fields(self, entity: type[Entity], table: Mapping[str, Any], path: str) -> dict[str, FieldSource]:
        columns, links = writable_columns(entity), writable_links(entity)
        fields: dict[str, FieldSource] = {}
        for name, value in table.items():
            here = f"{path}.{name}"
            if name in links:
                link = links[name]
                fields[link.column_name] = self._link(link.target, value, here)
            elif name in columns:
                fields[columns[name]] = self._value(value, here)
            else:
                _refuse_name(name, [*columns, *links], here, f"a field of {entity.__name__} that an import writes")
        return fields

    def _link_to_owners(self, entity: type[Entity], fields: dict[str, FieldSource]) -> None:
        """Fills in links to the customer and the row that it is part of, if earlier rows of the line are such."""
        definition = entity.definition
        owners: dict[str, type[Any]] = {}
        if "customer_id" in definition.creatable():
            owners["customer_id"] = Customer
        if definition.parent is not None:
            owners[definition.parent.column_name] = definition.parent.target
        for column, owner in owners.items():
            rows = [row.name for row in self._previous.values() if row.entity is owner]
            if column not in fields and rows:
                fields[column] = LinkSource(owner, row=rows[-1])

    def _link(self, target: type[Any], value: Any, path: str) -> LinkSource:
        table = _table(value, path)
        _require_words(table, LINK_WORDS, path)
        if "row" in table:
            name = _text(table, "row", path)
            rows = {row.name: row.entity for row in self._previous.values()}
            if name not in rows or rows[name] is not target:
                suitable = [row for row, entity in rows.items() if entity is target]
                _refuse_name(str(name), suitable, f"{path}.row", f"an earlier row of {target.__name__}")
            return LinkSource(target, row=name)
        if "identifier" in table:
            if target is not Customer:
                _refuse(f"{path}.identifier", "only customers are found by identifiers; use `find`")
            words = {key: word for key, word in table.items() if key != "identifier"} | {"kind": table["identifier"]}
            return LinkSource(target, identifier=self._identifier(words, path, of_any_source=True))
        find = _text(table, "find", path)
        columns = {camel_case(name): name for name in ("id", *unique_columns(target), *customer_columns(target))}
        if find is None or find not in columns:
            _refuse_name(str(find), list(columns), f"{path}.find", f"a column that finds a {target.__name__}")
        words = {key: word for key, word in table.items() if key != "find"}
        source = self._value(words, path)
        if not isinstance(source, ValueSource):
            _refuse(path, "give a column, a template or a value")
        return LinkSource(target, find=columns[find], value=source)

    def _value(self, value: Any, path: str) -> "ValueSource | JsonSource":
        if isinstance(value, str):
            return ValueSource(column=value)
        table = _table(value, path)
        if set(table) == {"object"}:
            members = _table(table["object"], f"{path}.object")
            return JsonSource({name: self._value(member, f"{path}.object.{name}") for name, member in members.items()})
        _require_words(table, VALUE_WORDS, path)
        sources = [word for word in ("column", "template", "value") if word in table]
        if len(sources) != 1:
            _refuse(path, "give exactly one of column, template, value and object")
        template = _text(table, "template", path)
        if template is not None:
            _require_template(template, path)
        values = table.get("values")
        if isinstance(values, str):
            if values not in self._named_values:
                _refuse_name(values, list(self._named_values), f"{path}.values", "a table [values.…]")
            values = self._named_values[values]
        if values is not None:
            values = _table(values, f"{path}.values")
        return ValueSource(
            _text(table, "column", path),
            template,
            table.get("value"),
            values,
            table.get("default"),
            table.get("filled"),
            _text(table, "format", path),
            _decimal(table, path),
            clears=_choice(table, "empty", {"leave": False, "clear": True}, path),
            skips_invalid=_choice(table, "invalid", {"reject": False, "skip": True}, path),
        )

    def _identifiers(self, entity: type[Entity], value: Any, path: str) -> tuple[IdentifierSource, ...]:
        if value and entity is not Customer:
            _refuse(path, "only a customer has identifiers")
        if not isinstance(value, list):
            _refuse(path, "give a list of tables with kind, source and a column")
        return tuple(self._identifier(item, f"{path}[{index}]") for index, item in enumerate(value))

    def _identifier(self, value: Any, path: str, *, of_any_source: bool = False) -> IdentifierSource:
        table = _table(value, path)
        _require_words(table, IDENTIFIER_WORDS, path)
        identifier_kind = _member(table, "kind", IdentifierKind, path)
        if identifier_kind is None:
            _refuse(f"{path}.kind", f"give one of {', '.join(IdentifierKind)}")
        words = {key: word for key, word in table.items() if key in VALUE_WORDS}
        source = self._value(words, path)
        assert isinstance(source, ValueSource)
        verified = table.get("verified", False)
        if not isinstance(verified, bool):
            _refuse(f"{path}.verified", "give true or false")
        country = self._value(table["country"], f"{path}.country") if "country" in table else None
        if isinstance(country, JsonSource):
            _refuse(f"{path}.country", "give a column or a value")
        system = _source(table, path)
        if system is None and not (of_any_source and identifier_kind not in SOURCE_SCOPED):
            _refuse(
                f"{path}.source",
                'say which system it is of, such as source = "shop"; it is found again within that system alone',
            )
        return IdentifierSource(identifier_kind, source, system, verified, country)

    def _match(
        self, entity: type[Entity], value: Any, fields: Mapping[str, FieldSource], has_identifiers: bool, path: str
    ) -> tuple[tuple[str, ...], bool]:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            _refuse(f"{path}.match", 'give the fields that find an existing row, like match = ["number"]')
        if names == [IDENTIFIERS]:
            if not has_identifiers:
                _refuse(f"{path}.match", "the row has no identifiers; list them")
            return (), True
        columns = {camel_case(name): name for name in fields} | {
            name: link.column_name for name, link in writable_links(entity).items() if link.column_name in fields
        }
        for name in names:
            if name not in columns:
                _refuse_name(name, list(columns), f"{path}.match", "a field of the row")
        match = tuple(columns[name] for name in names)
        owner = next((name for name in ("customer_id", *_parents(entity)) if name in fields), None)
        if match and owner is not None and owner not in match and not set(match) & set(unique_columns(entity)):
            match = (owner, *match)
        return match, False


def _in_order(entity: type[Entity], fields: Mapping[str, FieldSource]) -> dict[str, FieldSource]:
    """The fields in the order of the mutations' inputs: of several faults of a line, both name the same one first."""
    writer = writer_of(entity)
    names = dict.fromkeys((*writer.creatable, *writer.updatable, *fields))
    return {name: fields[name] for name in names if name in fields}


def _parents(entity: type[Entity]) -> tuple[str, ...]:
    parent = entity.definition.parent
    return () if parent is None else (parent.column_name,)


def importable_entities() -> dict[str, type[Entity]]:
    """The entities whose rows an import writes: those that callers create or update in the usual way."""
    writers = {entity: writer_of(entity) for entity in declared_entities()}
    return {entity.__name__: entity for entity, writer in writers.items() if writer.creatable or writer.updatable}


def writable_columns(entity: type[Entity]) -> dict[str, str]:
    """The columns that an import writes, by the API's name, but links."""
    writer, links = writer_of(entity), {link.column_name for link in writable_links(entity).values()}
    return {camel_case(name): name for name in (*writer.creatable, *writer.updatable) if name not in links}


def writable_links(entity: type[Entity]) -> dict[str, WritableLink]:
    """The links that an import writes, by name, with the customer's and the parent's."""
    writer = writer_of(entity)
    names = {*writer.creatable, *writer.updatable}
    links = {
        camel_case(name): WritableLink(link.target, link.column_name)
        for name, link in entity.definition.all_links.items()
        if link.column_name in names
    }
    return ({"customer": WritableLink(Customer, "customer_id")} if "customer_id" in names else {}) | links


def unique_columns(entity: type[Any]) -> list[str]:
    """The columns of which each finds one row of the entity."""
    return [name for name, column in entity.definition.columns.items() if column.options.unique is not None]


def customer_columns(entity: type[Any]) -> list[str]:
    """The texts that find a row among those of its customer."""
    if not entity.definition.has_customer or entity.definition.customer_optional:
        return []
    return [
        n
        for n, c in entity.definition.columns.items()
        if entity.definition.annotations[n] is str and not c.options.is_hidden
    ]


def _entity(table: Mapping[str, Any], path: str) -> type[Entity]:
    name, entities = _text(table, "entity", path), importable_entities()
    if name not in entities:
        _refuse_name(str(name), list(entities), f"{path}.entity", "a type whose rows an import writes")
    return entities[name]


def _require_template(template: str, path: str) -> None:
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        _refuse(f"{path}.template", f"{error}; write columns in braces: NW-{{product_id}}")
    for _, name, _, conversion in parts:
        if name is not None and (not name or conversion or any(sign in name for sign in ".[]!")):
            _refuse(f"{path}.template", "name a column between the braces, and nothing else but a width: {id:0>3}")


def _table(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse(path, "give a table")
    return value


def _text(table: Mapping[str, Any], word: str, path: str) -> str | None:
    value = table.get(word)
    if value is None or isinstance(value, str):
        return value
    _refuse(f"{path}.{word}", "give a text")


def _source(table: Mapping[str, Any], path: str) -> str | None:
    text = _text(table, "source", path)
    try:
        return None if text is None else validators.single_line(text)
    except ValueError as fault:
        _refuse(f"{path}.source", str(fault))


def _decimal(table: Mapping[str, Any], path: str) -> str | None:
    decimal = _text(table, "decimal", path)
    if decimal not in (None, ".", ","):
        _refuse(f"{path}.decimal", "give the decimal separator, . or ,")
    return decimal


def _choice(table: Mapping[str, Any], word: str, choices: Mapping[str, bool], path: str) -> bool:
    if (value := table.get(word, next(iter(choices)))) not in choices:
        _refuse(f"{path}.{word}", f"give {' or '.join(choices)}")
    return choices[value]


def _member(table: Mapping[str, Any], word: str, choices: type[T], path: str) -> T | None:
    value = _text(table, word, path)
    members: dict[str, T] = {str(member.value): member for member in choices}
    if value is not None and value not in members:
        _refuse_name(value, list(members), f"{path}.{word}", "one of its values")
    return None if value is None else members[value]


def _require_words(table: Mapping[str, Any], words: Sequence[str], path: str) -> None:
    for word in [word for word in table if word not in words]:
        _refuse_name(word, words, path, "a word of it")


def _refuse_name(name: str, names: Collection[str], path: str, sort: str) -> NoReturn:
    near = get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"give one of {', '.join(sorted(names)[:40]) or 'none'}"
    _refuse(path, f"{name[:60]!r} is not {sort}; {hint}")
