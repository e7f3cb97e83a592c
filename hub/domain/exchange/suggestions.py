"""Begins a mapping from the header of a file: guesses the fields by the columns' names, and lists the other columns."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from hub.domain.exchange.mapping import unique_columns, writable_columns
from hub.domain.exchange.mapping_types import FileFormat
from hub.model.entity import Entity
from hub.model.writer import writer_of
from hub.schema.customers.customers import Customer
from hub.text_case import camel_case

LIKENESS = 0.85
# What columns are called in files, in small letters without signs, and the field or the identifier that they mean.
SYNONYMS: Mapping[str, str] = {
    "company": "name",
    "companyname": "name",
    "customer": "name",
    "customername": "name",
    "fullname": "name",
    "firma": "name",
    "kunde": "name",
    "land": "country",
    "countrycode": "country",
    "sprache": "language",
    "waehrung": "currency",
    "zip": "postalCode",
    "zipcode": "postalCode",
    "postcode": "postalCode",
    "plz": "postalCode",
    "address": "street",
    "strasse": "street",
    "ort": "city",
    "town": "city",
    "state": "region",
    "price": "unitPrice",
    "ordernumber": "number",
    "orderid": "number",
    "orderno": "number",
    "orderdate": "placedAt",
    "articlenumber": "sku",
    "productname": "name",
    "jobtitle": "title",
}
IDENTIFIERS: Mapping[str, str] = {
    **dict.fromkeys(("email", "mail", "emailaddress"), "EMAIL"),
    **dict.fromkeys(("phone", "telephone", "tel", "telefon", "mobile", "phonenumber"), "PHONE"),
    "fax": "FAX",
    **dict.fromkeys(("taxid", "vat", "vatid", "vatnumber", "ustid"), "TAX_ID"),
    **dict.fromkeys(("id", "customerid", "customernumber", "customerno", "externalid", "number"), "EXTERNAL_ID"),
    **dict.fromkeys(("kundennummer", "kundennr", "kundenid", "kdnr", "nummer"), "EXTERNAL_ID"),
}


def suggest_mapping(entity: type[Entity], columns: Sequence[str], file: FileFormat, name: str) -> str:
    """A mapping for a file of a name with these columns; it is valid, and comments say what is left to do."""
    return "\n".join([*_file_lines(file), "", *_row_lines(entity, columns, _source_of(name))]) + "\n"


def _source_of(name: str) -> str:
    """What the system that wrote a file may be called, by the file's name: nobody else knows it."""
    return re.sub(r"\W+", "-", name.lower().split(".")[0]).strip("-") or "file"


def _file_lines(file: FileFormat) -> Iterator[str]:
    yield "# How the file is written; the hub finds out what is left out."
    yield "[file]"
    for name in ("encoding", "delimiter", "decimal"):
        value = getattr(file, name)
        if value is not None:
            yield f"{name} = {_quoted(value)}"


def _row_lines(entity: type[Entity], columns: Sequence[str], source: str) -> Iterator[str]:
    fields, identifiers, others = _assign(entity, columns)
    unique = [camel_case(name) for name in unique_columns(entity) if camel_case(name) in fields]
    yield "# One row of each line. Add more [[rows]] for contacts, addresses, orders: they follow the customer's row."
    yield "[[rows]]"
    yield f'entity = "{entity.__name__}"'
    match = "identifiers" if identifiers else next(iter(unique), next(iter(fields), None))
    if match is not None:
        yield f'match = "{match}"  # what finds a row that exists'
    if identifiers:
        yield "# The source is the system that gives the identifiers out: customers are found again within it. Name the one"
        yield "# under which the hub has them, if it has them already, and the same for all files of the system."
        yield "identifiers = ["
        for column, identifier in identifiers.items():
            yield f'    {{ kind = "{identifier}", column = {_quoted(column)}, source = {_quoted(source)} }},'
        yield "]"
    for name, column in fields.items():
        yield f"fields.{name} = {_quoted(column)}"
    for name in writer_of(entity).creatable:
        if camel_case(name) not in fields and _is_required(entity, name):
            yield f'# fields.{camel_case(name)} = {{ value = "…" }}  # a new row needs it'
    if others:
        yield f"# Columns without a field: {', '.join(_quoted(column) for column in others)}"


def _is_required(entity: type[Entity], name: str) -> bool:
    column = entity.table.c[name]
    return not column.nullable and column.server_default is None and name not in writer_of(entity).optional_columns


def _assign(entity: type[Entity], columns: Sequence[str]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """The columns of fields, those of identifiers with their kinds, and the others."""
    free = list(writable_columns(entity))
    fields: dict[str, str] = {}
    identifiers: dict[str, str] = {}
    others: list[str] = []
    for column in columns:
        plain = re.sub(r"[\W_]", "", column.rpartition(".")[2].lower())  # of a column of JSON Lines, its own name
        if entity is Customer and plain in IDENTIFIERS and IDENTIFIERS[plain] not in identifiers.values():
            identifiers[column] = IDENTIFIERS[plain]
            continue
        best = max(free, key=lambda name: _likeness(plain, name), default=None)
        if best is not None and _likeness(plain, best) >= LIKENESS:
            fields[best] = column
            free.remove(best)
        else:
            others.append(column)
    return fields, identifiers, others


def _likeness(plain: str, name: str) -> float:
    return 1.0 if SYNONYMS.get(plain) == name else SequenceMatcher(None, plain, name.lower()).ratio()


def _quoted(text: str) -> str:
    """A TOML string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return f'"{escaped}"'
