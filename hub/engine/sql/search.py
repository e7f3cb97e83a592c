"""Compiles searches: which rows match, and their rank.

A word matches a row's own text, if that contains it or has a word of similar spelling, or a code of a row that identifies
it. Rows are found by sets of keys, one for each word, so that every index is used whatever else the list asks for."""

from collections.abc import Sequence

import sqlalchemy as sa

from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.plan.list_nodes import SearchTerms
from hub.engine.plan.parameters import Parameter
from hub.engine.sql.conditions import visibility
from hub.engine.sql.expressions import AliasGenerator, Condition, SelectSource, Value, fold, param, pattern, sql_literal
from hub.model.columns import code_text

Keys = sa.Select[tuple[object]] | sa.CompoundSelect[tuple[object]]

# From this similarity of whole words a search accepts another spelling. A word of four letters may have another last one;
# two common first letters are not enough.
SIMILARITY_THRESHOLD = 0.4
SPACE = sql_literal("' '")
ZERO = sql_literal("0")


def search_condition(search: SearchTerms, entity: CatalogEntity, source: SelectSource) -> Condition:
    """Whether a row matches every word, or one of its codes the whole text."""
    if not search.sources:
        return sa.and_(*(_matches(source.row, word) for word in search.words))

    def keys(word: Parameter) -> list[Keys]:
        row = source.aliases.for_table(entity.table)
        own = sa.select(row.c.id).select_from(row).where(_matches(row, word)).correlate(None)
        return [own, *_code_owners(search, source.aliases, _contains_code(word))]

    first, *others = search.words
    if not others:
        return source.row.c.id.in_(sa.union_all(*keys(first)))
    by_word = sa.intersect(*(sa.union_all(*keys(word)) for word in search.words))
    return source.row.c.id.in_(
        sa.union_all(*_code_owners(search, source.aliases, _contains_code(search.text)), by_word)
    )


def _matches(row: sa.FromClause, word: Parameter) -> Condition:
    """Whether the row's own text contains a word, or has one of similar spelling."""
    # `%>>` and not its commutator `<<%`: the index supports this form, so Postgres does not recheck every row.
    similar = row.c.search_text.op("%>>", is_comparison=True)(sa.func.hub_spelling(param(word)))
    return sa.or_(row.c.search_text.like(pattern(param(word))), similar)


def _contains_code(text: Parameter) -> Value:
    return sa.func.hub_code_pattern(param(text))


def _whole_code(text: Parameter) -> Value:
    code = sa.func.nullif(sa.func.hub_code(param(text)), sql_literal("'  '"))  # punctuation alone is no code
    return sql_literal("'%'").concat(code).concat(sql_literal("'%'"))


def _code_owners(search: SearchTerms, aliases: AliasGenerator, code_pattern: Value) -> list[Keys]:
    """By each source, the keys of the rows that have a visible code like the pattern."""
    selects: list[Keys] = []
    for code_source in search.sources:
        row = aliases.for_table(code_source.join.entity.table)
        matches = code_text(row, code_source.columns).like(code_pattern)
        select = sa.select(row.c[code_source.join.their_column]).select_from(row)
        selects.append(select.where(matches, *visibility(aliases, code_source.join, row)).correlate(None))
    return selects


def _has_code(search: SearchTerms, source: SelectSource, code_pattern: Value) -> list[Condition]:
    owners = _code_owners(search, source.aliases, code_pattern)
    return [source.row.c.id.in_(sa.union_all(*owners))] if owners else []


def search_rank(search: SearchTerms, source: SelectSource) -> sa.ColumnElement[int]:
    """The rank of a matching row, 0 for the best.

    0: a column or a code is the searched text. 1: a column begins with it. 2: a word does. 3: it is contained, also in a code.
    4: every word is contained. 5: some word is only similar."""
    text, searched = source.row.c.search_text, fold(param(search.text))
    ranks: Sequence[Sequence[Condition]] = (
        [
            _holds(_between_columns(text), _between_columns(searched)),
            *_has_code(search, source, _whole_code(search.text)),
        ],
        [_holds(SPACE.concat(text), SPACE.concat(sa.func.rtrim(searched)))],
        [_holds(text, sa.func.rtrim(searched))],
        [_holds(text, sa.func.btrim(searched)), *_has_code(search, source, _contains_code(search.text))],
        [sa.and_(*(_contains(search, source, word) for word in search.words))] if len(search.words) > 1 else [],
    )
    cases = [(sa.or_(*conditions), sql_literal(str(rank))) for rank, conditions in enumerate(ranks) if conditions]
    return sa.case(*cases, else_=sql_literal("5"))


def _between_columns(text: Value) -> Value:
    """Folded text with the two spaces at both ends that stand between columns."""
    return SPACE.concat(text).concat(SPACE)


def _holds(text: Value, part: Value) -> Condition:
    return sa.func.strpos(text, part) > ZERO


def _contains(search: SearchTerms, source: SelectSource, word: Parameter) -> Condition:
    own = source.row.c.search_text.like(pattern(param(word)))
    return sa.or_(own, *_has_code(search, source, _contains_code(word)))


def similarity(search: SearchTerms, row: sa.FromClause) -> sa.ColumnElement[float]:
    """The negative similarity of the row's words to the searched text, so that the best match sorts first."""
    searched = sa.func.btrim(fold(param(search.text)))
    return -sa.func.strict_word_similarity(searched, row.c.search_text, type_=sa.REAL())
