"""Builds an entity's table from its definition: columns, keys, checks and the indexes that its lists need.

Every list has an index that begins with what it is reached by, goes on with its default order and ends with the id."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from hub.model.columns import (
    DEFAULT_UNIT,
    DENORMALIZED_OWNER,
    DENORMALIZED_UNIT,
    SECRET,
    SOURCED,
    UNIQUE_AMONG_VISIBLE,
    UNLOGGED,
    Ltree,
    code_index,
    enum_column,
    foreign_key,
    metadata,
    search_column,
    search_index,
    sort_expression,
    system_columns,
)
from hub.model.definition import EntityDefinition
from hub.model.fields import (
    GLOBAL,
    UNSET,
    WITHIN_CUSTOMER,
    WITHIN_VISIBLE,
    server_default_sql,
    split_optional,
    sql_type,
)
from hub.model.lasting import lasting_constraints
from hub.model.links import Link, LinkIndex, SubjectLink
from hub.model.personal import PERSONAL, PersonalData, personal_of_field
from hub.model.scopes import Audience

SEARCH_TEXT = "search_text"
SYSTEM_COLUMNS = ("id", "version", "created_at", "updated_at")
# Scopes of tables in which numbers and times are about no person.
NOT_ABOUT_PEOPLE = ("any_key", "every_unit", "unit_itself", "key_owned", "key_or_person")
# Rows that refer to each other get another customer one table after the other, in one transaction that defers the checks.
DEFERRABLE: dict[str, Any] = {"deferrable": True, "initially": "IMMEDIATE"}
TREE_CHECKS = {
    "{label} ~ '^[A-Za-z0-9_]+$'": "{label}_is_a_label",
    "subpath({path}, -1) = {label}::ltree": "{path}_ends_in_{label}",
    "({parent} is null) = (nlevel({path}) = 1)": "root_has_no_parent",
}


def build_table(definition: EntityDefinition) -> sa.Table:
    """The table of an entity, with its constraints and indexes."""
    before, after = system_columns()
    own = [*_owner_columns(definition), *_body_columns(definition)]
    comment = (definition.entity.__doc__ or "").strip()
    items = [*before, *own, *after, *_constraints(definition)]
    table = sa.Table(definition.table_name, metadata, *items, comment=comment)
    for link in definition.all_links.values():
        if _is_composite(definition, link):
            _ensure_unique(link.target.table if link.target is not definition.entity else table, "id", "customer_id")
    _add_indexes(definition, table)
    _add_personal(definition, table)
    return table


# -- columns ------------------------------------------------------------------------------------------------------------


def _owner_columns(definition: EntityDefinition) -> Iterator[sa.schema.SchemaItem]:
    ownership, parent = definition.ownership, definition.parent
    if ownership.carries_subject:
        yield from _subject_owner_columns(ownership.description)
    elif definition.has_customer:
        composite = ownership.carries_unit or definition.is_part
        if composite:
            yield sa.Column("customer_id", sa.Uuid, nullable=False, comment=ownership.description)
        else:
            yield foreign_key("customer_id", "customers.id", ownership.description, ondelete="CASCADE")
    if ownership.carries_unit:
        comment = "The unit that owns the row's customer."
        yield sa.Column("unit_id", sa.Uuid, nullable=False, comment=comment, info={DENORMALIZED_UNIT: True})
        yield _customer_and_unit_key()
        comment = "The member of staff who looks after the row's customer."
        yield sa.Column("owner_id", sa.Uuid, comment=comment, info={DENORMALIZED_OWNER: True})
    if definition.ownership.carries_key:
        yield sa.Column("owner", sa.Text, nullable=False, comment=ownership.description)
    if parent is not None:
        yield from _link_columns(definition, parent)


def _customer_and_unit_key() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["customer_id", "unit_id"],
        ["customers.id", "customers.unit_id"],
        onupdate="CASCADE",
        ondelete="CASCADE",
        **DEFERRABLE,
    )


def _subject_owner_columns(description: str) -> Iterator[sa.schema.SchemaItem]:
    """Whose row the subject is, beside it; foreign keys and triggers keep them right (see hub/model/subjects.py)."""
    yield sa.Column("customer_id", sa.Uuid, comment=description)
    yield foreign_key("unit_id", "org_units.id", "The unit that the subject belongs to.", nullable=True)
    yield _customer_and_unit_key()
    yield sa.CheckConstraint("customer_id is null or unit_id is not null", name="a_customer_has_a_unit")
    comment = "The member of staff whom the subject is about, or who does it."
    yield foreign_key("staff_id", "staff.id", comment, nullable=True, ondelete="CASCADE")
    yield sa.Column("audience", enum_column(Audience), nullable=False, comment="Who sees the row.")


def _subject_columns(subject: SubjectLink) -> Iterator[sa.schema.SchemaItem]:
    comment = "Name of the type of the row that it is about."
    yield sa.Column("entity", sa.Text, nullable=subject.optional, comment=comment)
    yield sa.Column("row_id", sa.Uuid, nullable=subject.optional, comment=subject.description)
    if subject.optional:
        yield sa.CheckConstraint("(entity is null) = (row_id is null)", name="subject_is_whole")


def _body_columns(definition: EntityDefinition) -> Iterator[sa.schema.SchemaItem]:
    for name in definition.members:
        if name in definition.links:
            yield from _link_columns(definition, definition.links[name])
        elif name in definition.subjects:
            yield from _subject_columns(definition.subjects[name])
        else:
            yield _field_column(definition, name)
    if "search" in definition.options:
        yield search_column(definition.options["search"])


def _field_column(definition: EntityDefinition, name: str) -> sa.Column[Any]:
    options = definition.columns[name].options
    python_type, nullable = split_optional(definition.annotations[name])
    types = [split_optional(annotation)[0] for annotation in definition.annotations.values()]
    check_name = name if types.count(python_type) > 1 else None  # the enum's name, unless two columns share it
    generated = [] if options.generated is None else [sa.Computed(options.generated, persisted=True)]
    default = None if options.column_default is UNSET else server_default_sql(options.column_default)
    flags = {SECRET: options.secret, UNLOGGED: options.unlogged, SOURCED: options.sourced}
    return sa.Column(
        name,
        sql_type(python_type, options.precision, check_name),
        *generated,
        nullable=nullable,
        server_default=default,
        comment=options.description,
        info={name: True for name, is_set in flags.items() if is_set},
    )


def _is_composite(definition: EntityDefinition, link: Link) -> bool:
    """Whether both rows of a link belong to a customer, so that the key keeps them to the same one."""
    target = definition if link.target is definition.entity else link.target.definition
    if definition.customer_optional or target.customer_optional:
        return False  # a key with an empty column is not checked at all
    return link.enforced and definition.has_customer and bool(target.has_customer)


def _link_columns(definition: EntityDefinition, link: Link) -> Iterator[sa.schema.SchemaItem]:
    column, on_delete = link.column_name, link.on_delete and link.on_delete.upper()
    own = link.target is definition.entity
    target = definition.table_name if own else link.target.definition.table_name
    if link.enforced and not _is_composite(definition, link):
        default = sa.text(DEFAULT_UNIT) if link.server_filled and column == "unit_id" else None
        yield foreign_key(
            column,
            f"{target}.id",
            link.description,
            nullable=link.optional,
            ondelete=on_delete,
            server_default=default,
        )
    else:
        yield sa.Column(column, sa.Uuid, nullable=link.optional, comment=link.description)
    if _is_composite(definition, link):
        keys = [f"{target}.id", f"{target}.customer_id"]
        yield sa.ForeignKeyConstraint([column, "customer_id"], keys, ondelete=on_delete, **DEFERRABLE)
    if link.tree is not None:
        comment = f"The {link.label}s from the root to the row, joined by dots."
        yield sa.Column(link.tree, Ltree, nullable=False, comment=comment)
        names = {"label": link.label, "path": link.tree, "parent": column}
        for sql, name in TREE_CHECKS.items():
            yield sa.CheckConstraint(sql.format(**names), name=name.format(**names))


def _add_personal(definition: EntityDefinition, table: sa.Table) -> None:
    """Marks what the columns hold of persons; one that its declaration leaves open is marked None."""
    about_people = definition.scope.name not in NOT_ABOUT_PEOPLE
    for column in table.c:
        field = definition.columns.get(column.name)
        if field is None or column.name in SYSTEM_COLUMNS:
            other = PersonalData.COPY if column.name == SEARCH_TEXT else PersonalData.NOT_PERSONAL
            column.info[PERSONAL] = PersonalData.TECHNICAL if column.name == "owner" else other
            continue
        source = field.options.copied_from
        if field.options.normal_form_of:
            source = table.c[field.options.normal_form_of[-1]]
        personal = field.options.personal if source is None else source.info.get(PERSONAL)
        column.info[PERSONAL] = personal_of_field(personal, column.type, about_people=about_people)


# -- constraints --------------------------------------------------------------------------------------------------------


def _constraints(definition: EntityDefinition) -> Iterator[sa.schema.SchemaItem]:
    for name, column in definition.columns.items():
        if column.options.unique in (GLOBAL, WITHIN_VISIBLE):
            yield sa.UniqueConstraint(name)
        elif column.options.unique is WITHIN_CUSTOMER:
            yield sa.UniqueConstraint("customer_id", name)
    for rule in definition.options.get("unique", ()):
        yield sa.UniqueConstraint(*(("customer_id",) if rule.among is WITHIN_VISIBLE else ()), *rule.columns)
    if definition.scope.customer_column == "id":
        yield sa.UniqueConstraint("id", "unit_id")  # rows that carry their customer's unit refer to both
        if "owner" in definition.links:
            yield sa.UniqueConstraint("id", "owner_id")  # a change of it waits for rows that carry it
    for name, sql in definition.options.get("checks", {}).items():
        yield sa.CheckConstraint(sql, name=name)
    if "lasting" in definition.options:
        yield from lasting_constraints(definition.table_name, definition.options["lasting"])
    links = [f"{name}_id" for name in definition.options.get("exactly_one", ())]
    if links:
        yield sa.CheckConstraint(f"num_nonnulls({', '.join(links)}) = 1", name=f"exactly_one_of_{'_or_'.join(links)}")


def _ensure_unique(table: sa.Table, *columns: str) -> None:
    """Gives a table the key that a composite foreign key refers to."""
    keys = (c for c in table.constraints if isinstance(c, sa.UniqueConstraint))
    if not any(tuple(key.columns.keys()) == columns for key in keys):
        table.append_constraint(sa.UniqueConstraint(*columns))


# -- indexes ------------------------------------------------------------------------------------------------------------


def _add_indexes(definition: EntityDefinition, table: sa.Table) -> None:
    for name, null_as in definition.sortable.items():
        column = table.c[name]
        sa.Index(f"ix_{table.name}_{name}_id", sort_expression(column, null_as), table.c.id)
        options = definition.columns[name].options if name in definition.columns else None
        for owner in () if options is None else options.by:
            _add_index(table, [f"{owner}_id", name, "id"])
    _add_key_indexes(definition, table)
    for rule in definition.options.get("unique", ()):
        if rule.among is WITHIN_VISIBLE:
            table.info[UNIQUE_AMONG_VISIBLE] = rule.columns
            _add_index(table, rule.columns)
    for extra in definition.options.get("indexes", ()):
        where = None if extra.where is None else sa.text(extra.where)
        words: dict[str, Any] = {"include": extra.include, "elements": extra.elements, "unique": extra.unique}
        _add_index(table, extra.columns, name=extra.name, where=where, **words)
    for link in definition.links.values():
        if link.tree is not None:
            sa.Index(f"ix_{table.name}_{link.tree}", table.c[link.tree], postgresql_using="gist")
            sa.Index(f"uq_{table.name}_{link.tree}", table.c[link.tree], unique=True)
    if "superseding" in definition.options:
        _add_current_index(definition, table)
    if "search" in definition.options:
        search_index(table)
    if "identifies" in definition.options:
        code_index(table, definition.options["identifies"])


def _add_key_indexes(definition: EntityDefinition, table: sa.Table) -> None:
    """The indexes of lists that are reached by a key: the owner's, the unit's, and those of inverse links."""
    if definition.has_customer:
        _add_link_index(definition, table, "customer_id", () if definition.is_part else definition.ownership.index)
    for subject in definition.subjects.values():
        _add_link_index(definition, table, "row_id", "not null" if subject.optional else True)
    if definition.ownership.carries_subject:
        _add_link_index(definition, table, "unit_id", "not null")
        _add_link_index(definition, table, "staff_id", "not null")
    if definition.ownership.carries_unit:
        _add_link_index(definition, table, "unit_id", True)
        _add_link_index(definition, table, "owner_id", "not null")
    for link in definition.all_links.values():
        _add_link_index(definition, table, link.column_name, link.index)


def _add_link_index(definition: EntityDefinition, table: sa.Table, key: str, spec: LinkIndex) -> None:
    if spec is False:
        return
    following = spec if isinstance(spec, tuple) else (definition.order[0], "id")
    # Where most rows have no key, an index that lists only the others costs an insert less.
    where = table.c[key].is_not(None) if spec == "not null" else None
    _add_index(table, [key, *following], where=where)


def _add_index(
    table: sa.Table,
    columns: Sequence[str],
    *,
    name: str | None = None,
    include: Sequence[str] = (),
    where: "sa.ColumnElement[bool] | sa.TextClause | None" = None,
    elements: bool = False,
    unique: bool = False,
) -> None:
    options: dict[str, Any] = {} if where is None else {"postgresql_where": where}
    if elements:
        options["postgresql_using"] = "gin"
    if include:
        options["postgresql_include"] = list(include)
    prefix = "uq" if unique else "ix"
    keys = (table.c[column] for column in columns)
    sa.Index(f"{prefix}_{table.name}_{name or '_'.join(columns)}", *keys, unique=unique, **options)


def _add_current_index(definition: EntityDefinition, table: sa.Table) -> None:
    """At most one current row for each customer and what it is current by; null counts as a value."""
    names = definition.options["superseding"].columns
    columns = [table.c[name] for name in names]
    expressions = [sa.func.coalesce(column, "") if column.nullable else column for column in columns]
    sa.Index(
        f"uq_{table.name}_customer_id_{'_'.join(names)}_current",
        table.c.customer_id,
        *expressions,
        unique=True,
        postgresql_where=table.c.superseded_at.is_(None),
    )
