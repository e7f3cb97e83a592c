"""How Postgres goes about the statements, on tables of thousands of rows: what a key, a page or an index bounds is
never read from end to end, neither in a plan made for the values at hand nor in the one that serves all values."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import random_runs
from change_workload import INSERT_PRODUCT, open_connections, wait_until
from conftest import CreateDatabase, execute_sql
from filled_tables import fill_tables
from golden_documents import GOLDEN_DOCUMENTS, GoldenDocument, GoldenEngine, SentStatement, open_golden_engine
from socket_hub import run_socket_hub

from hub import graph
from hub.demo.load import load
from hub.engine.catalog import build
from hub.engine.catalog.scalars import encode_id
from hub.engine.request import GraphQLRequest
from hub.model.declarations import ToMany
from hub.rights import AccessRule, RoleVersion
from hub.viewer import Role, Viewer

PRODUCTS = """subscription { changes(filter: {types: [PRODUCT]}) {
    __typename
    ... on Change { node { ... on Product { name } } }
    ... on StreamReady { cursor }
} }"""
NO_OTHER_CLIENT = (
    "select count(*) = 1 from pg_stat_activity where datname = current_database() and backend_type = 'client backend'"
)
PARTITION_SCANS = """
select sum(seq_tup_read)::int, sum(idx_scan) > 0 from pg_stat_user_tables where relname ~ '^change_log_\\d{8}$'
"""
CUSTOMERS = 7_500  # with Northwind's, all tables that must not be read as a whole then have more than LARGE rows
LARGE = 7_500
CATALOG = build.build_catalog(graph.declarations())

# Documents that may read a large table from end to end, which ones, and why there is no better way.
ALLOWED: dict[str, tuple[set[str], str]] = {
    "filter-by-figures": ({"orders", "order_items"}, "the figures of all customers and orders are compared"),
    "filter-by-lists": (
        {"orders"},
        "customers without orders, and those of whom all are sent, are known from all orders",
    ),
    "filter-choices-flags-and-ids": ({"customers"}, "most customers meet `ne` and `notIn`"),
    "filter-json-paths": ({"customers", "scores"}, "paths of JSON have no index"),
    "filter-by-links-that-may-be-absent": ({"orders"}, "the interactions of all orders are counted, along their index"),
    "filter-numbers-and-money": ({"order_items"}, "quantities and discounts have no index"),
    "filter-text": ({"contacts", "addresses"}, "titles and regions have no index of their own"),
    "filter-times": ({"orders"}, "most orders meet `ne` and `notIn`; the day of sending has no index"),
    "groups-by-month-in-a-time-zone": ({"orders"}, "all orders are counted"),
    "groups-largest-first": ({"customers"}, "all customers are counted"),
    "order-by-figures": ({"orders", "order_items"}, "the figures of all customers and products are sorted"),
    "stats-inside-a-page": ({"orders"}, "the counts of all customers are sorted"),
    "stats-with-money": ({"orders"}, "the figures of the orders since a day are those of many orders"),
    "type-names-everywhere": ({"orders"}, "all orders are counted"),
    "viewer-of-a-region": ({"orders", "order_items", "interactions"}, "a region holds half of everything"),
}


@dataclass(frozen=True, slots=True)
class PlanInspector:
    """An engine on a large database, and the tables in it that are large."""

    harness: GoldenEngine
    large: frozenset[str]

    async def plans(self, sent: SentStatement) -> list[dict[str, Any]]:
        """The plan for these arguments, run; and, unless the statement is always planned anew, the plan for any."""
        async with self.harness.pool.connection() as connection:
            explained = await connection.fetchval(
                f"explain (analyze, timing off, format json) {sent.text}", *sent.arguments
            )
            explained_plans = [json.loads(explained)[0]["Plan"]]
            if not sent.custom_plan:
                prepared = await connection.prepare(sent.text)
                nulls = ", ".join("null" for _ in prepared.get_parameters())
                execute = f"execute {prepared.get_name()}" + (f" ({nulls})" if nulls else "")
                await connection.execute("set plan_cache_mode = force_generic_plan")
                explained_plans.append(
                    json.loads(await connection.fetchval(f"explain (format json) {execute}"))[0]["Plan"]
                )
                await connection.execute("set plan_cache_mode = auto")
        return explained_plans

    def scanned(self, plan: dict[str, Any]) -> frozenset[str]:
        """The large tables that a plan reads from end to end."""
        scans = (node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan")
        return self.large.intersection(scans)

    def faults(self, plan: dict[str, Any]) -> Iterator[str]:
        """What no page may cost."""
        yield from (f"reads {table} from end to end" for table in self.scanned(plan))
        for node in nodes(plan):
            if node["Node Type"] == "Sort" and (rows := rows_returned(node["Plans"][0])) > LARGE:
                yield f"sorts {rows} rows by {node['Sort Key']}"
            if "Relation Name" in node and (rows := rows_touched(node)) > LARGE:
                yield f"touches {rows} rows of {node['Relation Name']} at a time"

    async def page(self, document: GoldenDocument) -> Any:
        """Asks for a page, which must be found without much reading; gives what it tells of itself."""
        answer, (sent,) = await self.harness.run(document)
        for plan in await self.plans(sent):
            assert list(self.faults(plan)) == [], f"{document.text}\n{sent.text}"
        data = json.loads(answer.body)["data"]
        while "pageInfo" not in data:
            data = next(iter(data.values()))
        return data["pageInfo"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's nodes from the top."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def rows_returned(node: dict[str, Any]) -> float:
    """The rows that a node gave, or is expected to give where the plan was not run."""
    return float(node.get("Actual Rows", node["Plan Rows"]))


def rows_touched(node: dict[str, Any]) -> float:
    """The rows that a scan gave and threw away; 0 where the plan was not run."""
    return float(node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0))


# What no sample data tells of: every customer was asked, has moved, and may be the one made next.
EXTRA_ROWS = """
insert into consents (customer_id, purpose, status, source, given_at)
    select id, 'newsletter', 'GRANTED', 'shop', created_at from customers;
insert into stage_moves (customer_id, from_stage, to_stage, reason, moved_at)
    select id, 'PROSPECT', 'ACTIVE', 'ordered', created_at + n * interval '1 day' from customers, generate_series(1, 2) as n;
insert into identity_reviews (customer_id, other_id, reason, updated_at)
    select id, other, 'the same name', created_at
    from (select id, created_at, lead(id) over (order by id) as other from customers) as pairs
    where other is not null;
insert into webhooks (owner, name, url, query, status, created_at)
    select 'nobody', n::text, 'https://receiver.example/', 'subscription { changes { __typename } }', 'PAUSED',
        now() - n * interval '1 minute' from generate_series(1, 8000) as n;
insert into webhook_deliveries (owner, webhook_id, cursor, status, created_at)
    select owner, id, name, 'DELIVERED', created_at from webhooks, generate_series(1, 2);
insert into webhook_attempts (owner, delivery_id, number, milliseconds, created_at)
    select owner, id, n, 1, created_at from webhook_deliveries, generate_series(1, 2) as n;
insert into roles (name, digest, created_at)
    select 'role-' || n, n::text, now() - n * interval '1 minute' from generate_series(1, 8000) as n;
insert into role_rules (role_id, entity, verbs)
    select id, entity, '{read}' from roles, unnest('{Customer,Order}'::text[]) as entity;
insert into role_budgets (role_id, capacity, refill_per_second, created_at) select id, 1000, 10, created_at from roles;
insert into api_keys (public_id, hash, name, role, created_at)
    select lpad(n::text, 16, '0'), sha256(n::text::bytea), n::text, 'reader', now() - n * interval '1 minute'
    from generate_series(1, 8000) as n;
insert into role_assignments (role_id, key_id, created_at)
    select roles.id, api_keys.id, api_keys.created_at
    from api_keys join roles on roles.name in ('role-' || api_keys.name, 'role-1');
insert into audit_entries (kind, root_fields, requests, times, last_at, created_at)
    select 'READ', '{customers}', '{}', 1, now(), now() - n * interval '1 minute' from generate_series(1, 8000) as n;
insert into audit_targets (entry_id, entity, row_ids, operation, fields, times, ordinal, created_at)
    select id, 'Customer', array['cus_' || n], 'READ', '{name}', 1, n, created_at from audit_entries, generate_series(1, 2) as n;
analyze;
"""
SMALL = {"org_units", "staff", "products"}


@pytest.fixture(scope="session")
async def large_dsn(create_database: CreateDatabase, empty_dsn: str) -> str:
    """Northwind and a synthetic set beside it; to be read, not written to."""
    dsn = await create_database("migrated")
    await load(dsn, CUSTOMERS)
    await execute_sql(dsn, EXTRA_ROWS)
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("select relname, reltuples from pg_class where relkind = 'r'")
    finally:
        await connection.close()
    tables = [entity.table for entity in CATALOG.entities.values() if entity.table.name not in SMALL]
    counts = {row["relname"]: row["reltuples"] for row in rows}
    await fill_tables(dsn, [table for table in tables if counts[table.name] < LARGE], 8_000)
    await execute_sql(dsn, "analyze")
    return dsn


@pytest.fixture(scope="module")
async def inspector(large_dsn: str) -> AsyncIterator[PlanInspector]:
    async with open_golden_engine(large_dsn) as harness:
        async with harness.pool.connection() as connection:
            counts = await connection.fetch(f"select relname from pg_class where relkind = 'r' and reltuples > {LARGE}")
        yield PlanInspector(harness, frozenset(name for (name,) in counts))


async def test_the_tables_are_large(inspector: PlanInspector) -> None:
    assert {entity.table.name for entity in CATALOG.entities.values()} - inspector.large == SMALL


@pytest.mark.parametrize("document", GOLDEN_DOCUMENTS, ids=lambda document: document.name)
async def test_a_document_reads_no_large_table_from_end_to_end(
    inspector: PlanInspector, document: GoldenDocument
) -> None:
    _, sent = await inspector.harness.run(document)
    allowed, _ = ALLOWED.get(document.name, (set(), ""))
    for statement in sent:
        for plan in await inspector.plans(statement):
            assert inspector.scanned(plan) <= allowed, statement.text


def test_only_documents_that_exist_are_excepted() -> None:
    assert set(ALLOWED) <= {document.name for document in GOLDEN_DOCUMENTS}


PAGE_SELECTION = "{ nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"
# A list is walked from both ends, so that its index is read both ways: the other direction tells little more.
DIRECTIONS = pytest.mark.parametrize("direction", ["ASC", pytest.param("DESC", marks=pytest.mark.soak)])
ROOTS = [(entity.name, key) for entity in CATALOG.entities.values() for key in entity.sort_keys]
LINKS = [
    (entity.name, name, key)
    for entity in CATALOG.entities.values()
    for name, link in entity.links.items()
    if isinstance(link, ToMany)
    for key in CATALOG.target(link.target).sort_keys
]


async def walk_list(inspector: PlanInspector, listed: str, order: str) -> None:
    """Both ends of a list, and from near both ends both ways on; `%s` stands for the list's arguments."""

    async def page(arguments: str) -> Any:
        return await inspector.page(GoldenDocument("", listed % f"{arguments}, orderBy: {order}"))

    near = (await page("first: 50"))["endCursor"]
    far = (await page("last: 50"))["startCursor"]
    for cursor in (near, far):
        await page(f'first: 20, after: "{cursor}"')
        await page(f'last: 20, before: "{cursor}"')


@DIRECTIONS
@random_runs.share("name,key", ROOTS, "percent of the lists whose plans are read")
async def test_a_page_of_a_root_list_is_read_by_an_index(
    inspector: PlanInspector, name: str, key: str, direction: str
) -> None:
    listed = f"{{ {CATALOG.entities[name].declaration.plural}(%s) {PAGE_SELECTION} }}"
    await walk_list(inspector, listed, f"{{ field: {key}, direction: {direction} }}")


@DIRECTIONS
@random_runs.share("name,link,key", LINKS, "percent of the lists whose plans are read")
async def test_a_page_of_a_linked_list_is_read_by_an_index(
    inspector: PlanInspector, name: str, link: str, key: str, direction: str
) -> None:
    entity = CATALOG.entities[name]
    relation = entity.links[link]
    assert isinstance(relation, ToMany)
    by = CATALOG.column(entity, relation)
    async with inspector.harness.pool.connection() as connection:
        about = f"where entity = '{name}'" if by.name == "row_id" else ""
        largest = await connection.fetchval(
            f"select {by.name} from {by.table.name} {about} group by {by.name} order by count({by.name}) desc limit 1"
        )
    order = f"{{ field: {key}, direction: {direction} }}"
    one = f'{entity.declaration.singular}(id: "{encode_id(entity.declaration.prefix, largest)}")'
    await walk_list(inspector, f"{{ {one} {{ {link}(%s) {PAGE_SELECTION} }} }}", order)
    for end in ("first", "last"):
        inner = f"{link}({end}: 3, orderBy: {order}) {PAGE_SELECTION}"
        await inspector.page(
            GoldenDocument(
                "", f"{{ {entity.declaration.plural}(first: 20) {{ pageInfo {{ endCursor }} nodes {{ {inner} }} }} }}"
            )
        )


async def test_a_partition_that_was_empty_when_analysed_is_not_scanned(database_dsn: str) -> None:
    async with run_socket_hub(database_dsn) as hub, hub.subscribe(PRODUCTS) as subscription:
        await hub.connection.execute("analyze")
        assert (await subscription.next_root())["__typename"] == "StreamReady"
        for name in ("one", "two", "three"):
            await hub.connection.fetchval(INSERT_PRODUCT, name)
            assert (await subscription.next_root())["node"] == {"name": name}
    async with open_connections(database_dsn, 1) as (connection,):

        async def no_other_client() -> bool:
            is_alone: bool = await connection.fetchval(NO_OTHER_CLIENT)  # who goes writes down what it has read
            return is_alone

        await wait_until(no_other_client)
        read = await connection.fetch(PARTITION_SCANS)
    assert [tuple(row) for row in read] == [(0, True)]


NEWEST_ORDERS = (
    "{ orders(first: 50, orderBy: {field: PLACED_AT, direction: DESC}) { nodes { id placedAt customer { name } } } }"
)
OF_MINE = '{"customer": {"owner": {"id": {"eq": "$staff"}}}}'
AGENT_RULES = (
    AccessRule("Customer", row_filter='{"owner": {"id": {"eq": "$staff"}}}'),
    AccessRule("Order", row_filter=OF_MINE),
)
AGENT = RoleVersion("agent", 1, {rule.entity: rule for rule in AGENT_RULES})
OWNERS = """
select c.owner_id, c.unit_id, u.path::text as path from customers as c join org_units as u on u.id = c.unit_id
where c.owner_id is not null group by 1, 2, 3 order by count(*) desc, 1
"""


def index_entries(plan: dict[str, Any]) -> float:
    """The entries of indexes, and the rows of tables, that a plan read."""
    read = float(plan["Actual Rows"]) + float(plan.get("Rows Removed by Filter", 0))
    scans = plan["Node Type"].endswith("Scan") and plan["Node Type"] not in ("Subquery Scan", "CTE Scan")
    own = read * float(plan["Actual Loops"]) if scans else 0.0
    return own + sum(map(index_entries, plan.get("Plans", ())))


@pytest.mark.parametrize("binding", ["unrestricted", "single_unit", "unit_subtree"])
async def test_an_agents_newest_orders_read_few_entries_of_indexes(inspector: PlanInspector, binding: str) -> None:
    async with inspector.harness.pool.connection() as connection:
        owners = await connection.fetch(OWNERS)
        # A key that is bound to a unit in which its person has few customers reads past those in other units.
        some = (owners[0], owners[len(owners) // 2], owners[-1])
        for owner in some if binding == "unrestricted" else some[:1]:
            units = (owner["unit_id"], *([UUID(int=0)] if binding == "unit_subtree" else []))
            bound = {} if binding == "unrestricted" else {"unit_path": owner["path"], "unit_ids": units}
            agent = Viewer(None, Role.READER, staff_id=owner["owner_id"], roles=(AGENT,), **bound)
            text, arguments = inspector.harness.engine.explain(GraphQLRequest(NEWEST_ORDERS, None, None), agent)
            for mode in ("auto", "force_generic_plan") if agent.rights.binding != "unit_subtree" else ("auto",):
                await connection.execute(f"set plan_cache_mode = {mode}")
                explained = await connection.fetchval(f"explain (analyze, timing off, format json) {text}", *arguments)
                assert index_entries(json.loads(explained)[0]["Plan"]) <= 200, text
            await connection.execute("set plan_cache_mode = auto")


async def test_every_table_of_owners_and_units_has_statistics_of_both(inspector: PlanInspector) -> None:
    both = {
        entity.table.name
        for entity in CATALOG.entities.values()
        if {"owner_id", "unit_id"} <= set(entity.table.c.keys())
    }
    async with inspector.harness.pool.connection() as connection:
        known = await connection.fetch("select stxname from pg_statistic_ext")
    assert {f"st_{table}_owner_id_unit_id" for table in both} == {name for (name,) in known}
