"""Compiles searches: which rows match, and their rank.

A word matches a row's own text, if that contains it or has a word of similar spelling, or a code of a row that identifies
it. With codes, the keys of the rows that match are read from all the indexes first, and then joined."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.plan.list_nodes import SearchTerms
from hub.engine.plan.parameters import Parameter
from hub.engine.sql.conditions import visibility
from hub.engine.sql.expressions import AliasGenerator, Condition, SelectSource, Value, fold, param, pattern, sql_literal
from hub.model.columns import code_text

SPACE = sql_literal("' '")
ZERO = sql_literal("0")
# Ranks of matching rows, 0 for the best.
WHOLE = sql_literal("0")  # a column or a code is the searched text
BEGINS = sql_literal("1")  # a column begins with it
WORD_BEGINS = sql_literal("2")  # a word does
CONTAINED = sql_literal("3")  # it is contained, also in a code
EVERY_WORD = sql_literal("4")  # every word is contained
SIMILAR = sql_literal("5")  # some word has a similar spelling only


def search_condition(search: SearchTerms, entity: CatalogEntity, source: SelectSource) -> Condition:
    """Whether a row matches every word, or one of its codes the whole text; may add a join to the source."""
    if not search.sources:
        return sa.and_(*(_matches(source.row, word) for word in search.words))
    aliases = source.aliases
    ranked = _code_owners(search, aliases, search.text, _code_rank(search.text))
    if len(search.words) == 1:
        row = aliases.for_table(entity.table)
        own = sa.select(row.c.id.label("id"), SIMILAR.label("rank")).select_from(row)
        ranked.append(own.where(_matches(row, search.words[0])).correlate(None))
    else:
        ranked.append(_word_matches(search, entity, aliases))
    keys = sa.union_all(*ranked).subquery(aliases.next())
    best = sa.select(keys.c.id, sa.func.min(keys.c.rank).label("rank")).group_by(keys.c.id)
    source.matches = best.correlate(None).subquery(aliases.next())
    source.joins.append((source.matches, source.matches.c.id == source.row.c.id))
    return source.matches.c.id.is_not(None)


def _matches(row: sa.FromClause, word: Parameter) -> Condition:
    """Whether the row's own text contains a word, or has one of similar spelling."""
    # `%>>` and not its commutator `<<%`: the index supports this form, so Postgres does not recheck every row.
    similar = row.c.search_text.op("%>>", is_comparison=True)(sa.func.hub_spelling(param(word)))
    return sa.or_(_contains(row, word), similar)


def _contains(row: sa.FromClause, word: Parameter) -> Condition:
    return row.c.search_text.like(pattern(param(word)))


def _word_matches(search: SearchTerms, entity: CatalogEntity, aliases: AliasGenerator) -> sa.Select[Any]:
    """The keys of rows that match every word, each with its rank."""
    selects: list[sa.Select[Any]] = []
    for index, word in enumerate(search.words):
        row, number = aliases.for_table(entity.table), sql_literal(str(index)).label("word")
        own = sa.select(row.c.id.label("id"), number, _contains(row, word).label("contained")).select_from(row)
        selects.append(own.where(_matches(row, word)).correlate(None))
        selects += _code_owners(search, aliases, word, number, sa.true().label("contained"))
    matches = sa.union_all(*selects).subquery(aliases.next())
    contained = sa.func.bool_or(matches.c.contained).label("contained")
    words = sa.select(matches.c.id, matches.c.word, contained).group_by(matches.c.id, matches.c.word)
    by_word = words.correlate(None).subquery(aliases.next())
    rank = sa.case((sa.func.bool_and(by_word.c.contained), EVERY_WORD), else_=SIMILAR).label("rank")
    select = sa.select(by_word.c.id, rank).group_by(by_word.c.id)
    return select.having(sa.func.count() == sql_literal(str(len(search.words)))).correlate(None)


def _code_rank(text: Parameter) -> Value:
    """The rank of a code, named `code`, that contains the text."""
    code = sa.func.nullif(sa.func.hub_code(param(text)), sql_literal("'  '"))  # punctuation alone is no code
    whole = sql_literal("'%'").concat(code).concat(sql_literal("'%'"))
    return sa.case((sa.column("code", sa.Text).like(whole), WHOLE), else_=CONTAINED).label("rank")


def _code_owners(
    search: SearchTerms, aliases: AliasGenerator, word: Parameter, *columns: Value
) -> list[sa.Select[Any]]:
    """By each source, the keys of the rows that have a visible code with the word in it, and further columns."""
    selects: list[sa.Select[Any]] = []
    for code_source in search.sources:
        row = aliases.for_table(code_source.join.entity.table)
        code = code_text(row, code_source.columns)
        matches = code.like(sa.func.hub_code_pattern(param(word)))
        key = row.c[code_source.join.their_column].label("id")
        inner = sa.select(key, code.label("code")).select_from(row)
        inner = inner.where(matches, *visibility(aliases, code_source.join, row)).correlate(None)
        owners = inner.subquery(aliases.next())
        selects.append(sa.select(owners.c.id, *columns).select_from(owners).correlate(None))
    return selects


def search_rank(search: SearchTerms, source: SelectSource) -> sa.ColumnElement[int]:
    """The rank of a matching row: that of its own text or of its codes, whichever is better."""
    text, searched = source.row.c.search_text, fold(param(search.text))
    tests: Sequence[tuple[Condition, Value]] = (
        (_holds(_between_columns(text), _between_columns(searched)), WHOLE),
        (_holds(SPACE.concat(text), SPACE.concat(sa.func.rtrim(searched))), BEGINS),
        (_holds(text, sa.func.rtrim(searched)), WORD_BEGINS),
        (_holds(text, sa.func.btrim(searched)), CONTAINED),
    )
    if source.matches is not None:
        return sa.func.least(source.matches.c.rank, sa.case(*tests, else_=SIMILAR))
    if len(search.words) > 1:
        tests = (*tests, (sa.and_(*(_contains(source.row, word) for word in search.words)), EVERY_WORD))
    return sa.case(*tests, else_=SIMILAR)


def _between_columns(text: Value) -> Value:
    """Folded text with the two spaces at both ends that stand between columns."""
    return SPACE.concat(text).concat(SPACE)


def _holds(text: Value, part: Value) -> Condition:
    return sa.func.strpos(text, part) > ZERO


def similarity(search: SearchTerms, row: sa.FromClause) -> sa.ColumnElement[float]:
    """The negative similarity of the row's words to the searched text, so that the best match sorts first."""
    searched = sa.func.btrim(fold(param(search.text)))
    return -sa.func.strict_word_similarity(searched, row.c.search_text, type_=sa.REAL())
