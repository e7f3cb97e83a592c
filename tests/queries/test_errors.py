"""Every bad call gets its own code and a message that names the argument, under a status below 500, and no data."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx2
import pytest
from asgi_client import post_query
from bad_requests import BAD_REQUESTS, CUS, BadRequest
from bad_writes import BAD_WRITES, BadWrite
from conftest import RunQuery, create_api_key
from writer_client import HubClient

from hub.app import lifespan
from hub.domain.access import api_keys
from hub.domain.access.api_keys import NewKey
from hub.errors import CODES
from hub.settings import Settings
from hub.viewer import ADMIN, Role

JSON = {"content-type": "application/json"}
NOW = datetime.now(UTC)

# Codes without a bad call here: who tests them, or why no client can cause them.
ELSEWHERE = {
    **dict.fromkeys(("MERGE_BLOCKED", "MERGE_CHANGED", "MERGE_SUPERSEDED", "MERGE_EXPIRED"), "test_merge.py"),
    **dict.fromkeys(("SCORE_MODEL_INVALID", "SCORE_MODEL_REFUSED", "SCORE_COMPUTED"), "test_score_models.py"),
    **dict.fromkeys(("SEGMENT_INVALID", "SEGMENT_UNBOUNDED", "SEGMENT_IN_USE"), "test_segments.py"),
    **dict.fromkeys(("WEBHOOK_INVALID", "WEBHOOK_LOOP"), "test_lifecycle.py"),
    "HEADERS_TOO_LARGE": "needs a socket: test_http_limits.py",
    **dict.fromkeys(("STREAM_LIMIT", "SOCKET_LIMIT"), "needs a socket: test_socket_limits.py"),
    "STREAM_TRANSPORT": "needs a subscription: test_sse.py",
    "HANDSHAKE_INVALID": "needs a socket: test_protocol.py",
    "REQUEST_TIMEOUT": "needs a socket: test_http_limits.py",
    "KEY_ROTATED": "needs a rotated key: test_keys_in_graph.py",
    "KEY_STAFF_LEFT": "needs a person's key: test_people.py",
    "KEY_NETWORK": "needs a key with networks: test_key_networks.py",
    "FORBIDDEN": "a reader that writes: test_writes.py",
    "IN_USE": "needs a row that is named: test_writes.py",
    "IDEMPOTENCY_RIGHTS_CHANGED": "needs two operations: test_conflict_states.py",
    "IDEMPOTENCY_KEY_REUSED": "needs two operations: test_idempotency.py",
    "LIVE_LIMIT": "of streams: test_change_streams.py",
    "STREAM_ENDED": "of streams: test_change_streams.py",
    "CURSOR_EXPIRED": "of changes: test_cursors.py",
    "CURSOR_AHEAD": "of changes: test_cursors.py",
    "CURSOR_FORKED": "of changes: test_cursors.py",
    "RESOLVER_FAILED": "a fault of ours",
    "UNAVAILABLE": "the database is away: faults/",
    "INTERNAL": "a fault of ours",
    "LINK_INVALID": "of links: test_transport_sessions.py",
    "PERSISTED_QUERY_INVALID": "of hashes: test_transport_persisted_queries.py",
    "PERSISTED_QUERY_NOT_FOUND": "of hashes: test_transport_persisted_queries.py",
    "PERSISTED_QUERY_NOT_SUPPORTED": "of hashes: test_transport_persisted_queries.py",
    "HTTP_VERSION_UNSUPPORTED": "needs a socket: test_transport_http.py",
    "OPERATION_LIMIT": "needs many operations at once: test_fairness.py",
    "WEBHOOK_LIMIT": "needs many webhooks: test_fairness.py",
    "DISK_FULL": "the disk is full: test_customer_keys.py",
    "SETTING_INVALID": "the keeper's: test_settings.py",
    "PORT_IN_USE": "the keeper's: test_cli.py",
    "DATA_DIR_UNUSABLE": "the keeper's: test_embedded_postgres.py",
    "DATABASE_UNREACHABLE": "the keeper's: test_doctor.py",
    "DATABASE_UNFIT": "the keeper's: test_doctor.py",
    "POSTGRES_FAILED": "the keeper's: test_embedded_postgres.py",
    "COLLISION_LIMIT": "needs many refusals: test_x4_identifiers_across_units.py",
    "COST_ABOVE_BUDGET": "of budgets: test_budgets.py",
    "THROTTLED": "of budgets: test_budgets.py",
    "DOCUMENT_UNKNOWN": "of trusted documents: test_trusted_documents.py",
    "DOCUMENT_UNTRUSTED": "of trusted documents: test_trusted_documents.py",
    "MANIFEST_INVALID": "of trusted documents: test_trusted_documents.py",
    "KEY_REQUIRED": "of tokens: test_token_viewers.py",
    "TOKEN_STAFF_LEFT": "of tokens: test_token_viewers.py",
    "TOKEN_UNMAPPED": "of tokens: test_token_viewers.py",
    "TOKEN_ALGORITHM_FORBIDDEN": "of tokens: test_tokens.py",
    "TOKEN_AUDIENCE_WRONG": "of tokens: test_tokens.py",
    "TOKEN_ENCRYPTED": "of tokens: test_tokens.py",
    "TOKEN_EXPIRED": "of tokens: test_tokens.py",
    "TOKEN_EXPIRY_MISSING": "of tokens: test_tokens.py",
    "TOKEN_HEADER_UNSUPPORTED": "of tokens: test_tokens.py",
    "TOKEN_ISSUER_UNAVAILABLE": "of tokens: test_tokens.py",
    "TOKEN_ISSUER_UNKNOWN": "of tokens: test_tokens.py",
    "TOKEN_KEY_UNKNOWN": "of tokens: test_tokens.py",
    "TOKEN_MALFORMED": "of tokens: test_tokens.py",
    "TOKEN_NOT_YET_VALID": "of tokens: test_tokens.py",
    "TOKEN_SIGNATURE_INVALID": "of tokens: test_tokens.py",
    "TOKEN_TOO_LARGE": "of tokens: test_tokens.py",
    "AUTHORITY_LIMIT": "of steps: test_work_steps.py",
    "CALENDAR_EMPTY": "of calendars: test_calendars.py",
    "CALENDAR_HORIZON": "of calendars: test_calendars.py",
    "CLOCK_NOT_TEST": "of the test clock: test_test_clock.py",
    "CLOCK_NOT_REACHED": "of the test clock: test_test_clock.py",
    "CODE_EXHAUSTED": "of codes: test_codes.py",
    "CODE_INVALID": "of codes: test_codes.py",
    "CRITERIA_UNMET": "of steps: test_work_steps.py",
    "DEPENDENCY_CYCLE": "of work items: test_work_items.py",
    "DUAL_CONTROL": "of dual control: test_dual_control.py",
    "HOSPITALITY_LIMIT": "of disclosures: test_claims.py",
    "LOCKED": "of assignments: test_assignments.py",
    "MOVE_INVALID": "of moves: test_moves.py",
    "OVERLAP": "of validity: test_job_roles.py",
    "PROCESS_INVALID": "of processes: test_processes.py",
    "REPORT_FACTS_MISSING": "of reports: test_reports.py",
    "REPORT_LIMIT": "of reports: test_reports.py",
    "RETURN_LIMIT": "of work items: test_work_items.py",
    "UNVERIFIED": "of steps: test_work_steps.py",
    "ROLE_INVALID": "of roles: test_roles.py",
    "ROLE_LAST_ADMIN": "of roles: test_roles.py",
    "ROLE_SHIPPED": "of roles: test_roles.py",
    "ROLE_UNBOUNDED": "of roles: test_role_changes.py",
    "CUSTOMER_ERASED": "of erasures: test_erased_dump.py",
    "EDITED_SINCE": "of imports: test_import.py",
    "EXPORT_EXPIRED": "of exports: test_exports.py",
    "EXPORT_FORMAT_UNAVAILABLE": "of exports: test_exports.py",
    "EXPORT_INCOMPLETE": "of files: test_export_faults.py",
    "EXPORT_INVALID": "of exports: test_exports.py",
    "EXPORT_LIMIT": "of exports: test_exports.py",
    "EXPORT_NOT_READY": "of exports: test_export_faults.py",
    "EXPORT_RIGHTS_CHANGED": "of exports: test_exports.py",
    "FILE_INVALID": "the keeper's: test_change_files.py",
    "FILE_LIMIT": "of files: test_import_files.py",
    "FILE_UNREADABLE": "of files: test_import_files.py",
    "MAPPING_INVALID": "of imports: test_import.py",
    "UNDO_IMPOSSIBLE": "of imports: test_import.py",
    "UPLOAD_COUNT_LIMIT": "of uploads: test_uploads.py",
    "UPLOAD_OFFSET": "of uploads: test_uploads.py",
}


def error_of(response: httpx2.Response) -> Any:
    """The first error of an answer that has no data."""
    answer = response.json()
    assert set(answer) == {"errors"}
    return answer["errors"][0]


async def send_call(
    http_client: httpx2.AsyncClient, key: str, call: BadRequest, accept: str = "application/json"
) -> httpx2.Response:
    body = f'{{"query": {json.dumps(call.query)}, "variables": {call.variables or "null"}}}'
    headers = {**JSON, "accept": accept, "authorization": f"Bearer {key}"}
    return await http_client.post("/graphql", content=body.encode(), headers=headers)


@pytest.mark.parametrize("call", BAD_REQUESTS, ids=lambda call: f"{call.code} {call.query[:60]}")
async def test_a_bad_call_is_refused_with_its_code_and_argument(
    http_client: httpx2.AsyncClient, admin_key: str, call: BadRequest
) -> None:
    response = await send_call(http_client, admin_key, call)
    error = error_of(response)
    assert (response.status_code, error["extensions"]["code"]) == (200, call.code)
    assert call.message_part in error["message"]
    assert len(error["message"]) < 500


async def test_under_the_newer_media_type_a_bad_call_has_status_400(
    http_client: httpx2.AsyncClient, admin_key: str
) -> None:
    for call in BAD_REQUESTS:
        response = await send_call(http_client, admin_key, call, "application/graphql-response+json")
        assert (response.status_code, error_of(response)["extensions"]["code"]) == (400, call.code), call


@pytest.mark.parametrize(
    ("query", "argument", "path", "message"),
    [
        (
            f'{{ customer(id: "{CUS.replace("cus", "ord")}") {{ id }} }}',
            "id",
            ["customer"],
            f"id: {CUS.replace('cus', 'ord')} is the id of Order; give the id of a Customer, cus_…",
        ),
        (
            '{ customers { nodes { orders(after: "x") { nodes { id } } } } }',
            "after",
            ["customers", "nodes", "orders"],
            "after: 'x' is not a cursor of this hub; send a cursor of an earlier page unchanged.",
        ),
        (
            "{ customers { nodes { orders(first: 101) { nodes { id } } } } }",
            "first",
            ["customers", "nodes", "orders"],
            "first: 101 rows are more than a page holds; give at most 100, then read the next page.",
        ),
        (
            "{ orders(filter: { net: { gt: null } }) { totalCount } }",
            "filter.net.gt",
            ["orders"],
            "filter.net.gt: null is not allowed here; leave it out, or use isNull.",
        ),
        (
            "{ customers { nodes { nme } } }",
            None,
            None,
            "Cannot query field 'nme' on type 'Customer'. Did you mean 'name'?",
        ),
    ],
)
async def test_an_error_says_what_where_and_what_to_do(
    expect_error: RunQuery, query: str, argument: str | None, path: list[str] | None, message: str
) -> None:
    error = await expect_error(query)
    assert (error["extensions"].get("argument"), error.get("path"), error["message"]) == (argument, path, message)


# -- cursors ------------------------------------------------------------------------------------------------------------

CURSOR = "{ %s(first: 1, orderBy: %s) { pageInfo { endCursor } } }"


async def cursor(run_query: RunQuery, root: str = "customers", order: str = "{ field: NAME }") -> str:
    data = await run_query(CURSOR % (root, order))
    return str(data[root]["pageInfo"]["endCursor"])


@pytest.mark.parametrize(
    "list_",
    [
        "contacts(after: $at)",
        "customers(after: $at, orderBy: { field: CREATED_AT })",
        "customers(before: $at, orderBy: { field: NAME, direction: DESC })",
        "customers(after: $at, orderBy: [{ field: NAME }, { field: COUNTRY }])",
        'customers(after: $at, search: "a")',
        f'customer(id: "{CUS}") {{ orders(after: $at)',
        f'customer(id: "{CUS}") {{ timeline(after: $at)',
    ],
)
async def test_a_cursor_is_good_for_its_own_list_and_order_only(
    run_query: RunQuery, expect_error: RunQuery, list_: str
) -> None:
    after = await cursor(run_query)
    closed = " }" if list_.startswith("customer(") else ""
    error = await expect_error(f"query($at: Cursor) {{ {list_} {{ nodes {{ id }} }}{closed} }}", {"at": after})
    assert error["extensions"]["code"] == "CURSOR_WRONG_LIST"
    assert error["message"].startswith(
        f"{'before' if 'before' in list_ else 'after'}: the cursor comes from another list"
    )


async def test_a_cursor_of_one_search_is_no_good_for_another(run_query: RunQuery, expect_error: RunQuery) -> None:
    query = "query($text: String, $at: Cursor) { customers(search: $text, first: 1, after: $at) { pageInfo { endCursor } } }"
    data = await run_query(query, {"text": "a"})
    error = await expect_error(query, {"text": "o", "at": data["customers"]["pageInfo"]["endCursor"]})
    assert error["extensions"]["code"] == "CURSOR_WRONG_LIST"


async def test_a_cursor_that_was_tampered_with_is_malformed(run_query: RunQuery, expect_error: RunQuery) -> None:
    after = await cursor(run_query)
    for index in range(0, len(after), 7):
        changed = after[:index] + ("A" if after[index] != "A" else "B") + after[index + 1 :]
        error = await expect_error("query($at: Cursor) { customers(after: $at) { nodes { id } } }", {"at": changed})
        assert error["extensions"]["code"] == "CURSOR_MALFORMED"


# -- keys ---------------------------------------------------------------------------------------------------------------


async def create_key(dsn: str, *, expires: datetime | None = None, revoked: bool = False) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        long_ago = NOW - timedelta(days=30)
        key = await api_keys.create(connection, ADMIN, NewKey("test", Role.READER, expires_at=expires), now=long_ago)
        if revoked:
            await api_keys.revoke(connection, ADMIN, str(api_keys.extract_public_id(key)), now=NOW)
    finally:
        await connection.close()
    return key


async def test_every_bad_key_has_its_own_code(http_client: httpx2.AsyncClient, demo_dsn: str, admin_key: str) -> None:
    revoked, expired = (
        await create_key(demo_dsn, revoked=True),
        await create_key(demo_dsn, expires=NOW - timedelta(days=1)),
    )
    headers = {
        "UNAUTHENTICATED": {},
        "KEY_UNKNOWN": {"authorization": f"Bearer {admin_key[:-1]}{'A' if admin_key[-1] != 'A' else 'B'}"},
        "KEY_REVOKED": {"authorization": f"Bearer {revoked}"},
        "KEY_EXPIRED": {"authorization": f"Bearer {expired}"},
    }
    for code, header in headers.items():
        response = await http_client.post("/graphql", json={"query": "{ customers { totalCount } }"}, headers=header)
        assert (response.status_code, error_of(response)["extensions"]["code"]) == (401, code)
        assert "Authorization: Bearer hub_" in error_of(response)["message"]


async def test_a_key_bound_to_a_customer_may_not_read_the_schema(
    run_query: RunQuery, expect_error: RunQuery, demo_dsn: str
) -> None:
    connection = await asyncpg.connect(demo_dsn)
    customer = await connection.fetchval("select id from customers limit 1")
    await connection.close()
    key = await create_api_key(demo_dsn, Role.READER, customer_id=customer)
    for query in ("{ __schema { types { name } } }", '{ __type(name: "Customer") { name } }'):
        assert (await expect_error(query, key=key))["extensions"]["code"] == "INTROSPECTION_FORBIDDEN"
    assert await run_query("{ __typename customers { __typename } }", key=key) == {
        "__typename": "Query",
        "customers": {"__typename": "CustomerConnection"},
    }


# -- requests -----------------------------------------------------------------------------------------------------------

QUERY = b'{"query": "{ customers { totalCount } }"'


@pytest.mark.parametrize(
    ("status", "code", "named", "body"),
    [
        (400, "BODY_MALFORMED", "JSON", b""),
        (400, "BODY_MALFORMED", "JSON", QUERY),
        (400, "BODY_MALFORMED", "UTF-8", b'{"query": "\xff"}'),
        (400, "BODY_MALFORMED", "UTF-8", b'{"query": "\\ud800"}'),
        (400, "BODY_MALFORMED", "UTF-8", QUERY + b', "variables": {"x": "\\ud800"}}'),
        (400, "BODY_MALFORMED", "JSON", QUERY + b', "variables": {"x": 1e400}}'),
        (400, "BODY_MALFORMED", "nested", QUERY + b', "variables": {"x": ' + b"[" * 300 + b"]" * 300 + b"}}"),
        (400, "BODY_MALFORMED", "depth", QUERY + b', "variables": {"x": ' + b"[" * 9_999 + b"]" * 9_999 + b"}}"),
        (400, "BODY_MALFORMED", "'x' occurs twice", QUERY + b', "variables": {"x": 1, "x": 2}}'),
        (400, "BODY_MALFORMED", "query", b'{"variables": {}}'),
        (400, "BODY_MALFORMED", "query", b'{"query": 3}'),
        (400, "BODY_MALFORMED", "variables", QUERY + b', "variables": []}'),
        (400, "BODY_MALFORMED", "operationName", QUERY + b', "operationName": 3}'),
        (400, "BODY_MALFORMED", "extensions", QUERY + b', "extensions": "x"}'),
        (400, "BATCH_UNSUPPORTED", "list", b"[" + QUERY + b"}]"),
        (413, "BODY_TOO_LARGE", "262144", QUERY + b"}" + b" " * 262_144),
        (200, "OPERATION_UNKNOWN", "'Other'", QUERY + b', "operationName": "Other"}'),
    ],
)
async def test_a_bad_body_is_refused_with_the_reason(
    http_client: httpx2.AsyncClient, admin_key: str, status: int, code: str, named: str, body: bytes
) -> None:
    response = await http_client.post(
        "/graphql", content=body, headers={**JSON, "authorization": f"Bearer {admin_key}"}
    )
    error = error_of(response)
    assert (response.status_code, error["extensions"]["code"]) == (status, code)
    assert named in error["message"]


@pytest.mark.parametrize(
    ("method", "headers", "status", "code"),
    [
        ("PUT", {}, 405, "METHOD_NOT_ALLOWED"),
        ("POST", {"content-type": "text/plain"}, 415, "MEDIA_TYPE_UNSUPPORTED"),
        ("POST", {"accept": "text/html"}, 406, "NOT_ACCEPTABLE"),
    ],
)
async def test_a_bad_request_has_its_status(
    http_client: httpx2.AsyncClient, admin_key: str, method: str, headers: dict[str, str], status: int, code: str
) -> None:
    all_headers = {**JSON, "authorization": f"Bearer {admin_key}", **headers}
    response = await http_client.request(method, "/graphql", content=QUERY + b"}", headers=all_headers)
    assert (response.status_code, error_of(response)["extensions"]["code"]) == (status, code)


async def test_a_statement_that_takes_too_long_is_ended(database_dsn: str) -> None:
    key = await create_api_key(database_dsn)
    blocker = await asyncpg.connect(database_dsn)
    async with lifespan(Settings(statement_timeout=0.2), database_dsn) as app, blocker.transaction():
        await blocker.execute("lock table products")
        answer = await post_query(app, "{ products { totalCount } }", None, key)
    await blocker.close()
    (error,) = answer["errors"]
    assert answer["data"] is None
    assert error["extensions"]["code"] == "STATEMENT_TIMEOUT"
    assert error["message"] == "A database statement exceeded its timeout; request less, or filter by indexed fields."


@pytest.mark.parametrize("call", BAD_WRITES, ids=lambda call: f"{call.code}-{call.root}-{call.argument}")
async def test_a_bad_write_is_refused_and_leaves_no_trace(northwind_client: HubClient, call: BadWrite) -> None:
    before = await trace_counts(northwind_client)
    error = await northwind_client.error(call.document, {"input": call.input, "key": call.key})
    assert (error["code"], error["argument"], error["path"]) == (call.code, call.argument, [call.root])
    assert error["message"].startswith(f"{call.argument}: ") or call.code == "BULK_REJECTED"
    assert await trace_counts(northwind_client) == before


async def trace_counts(hub_client: HubClient) -> object:
    """How much the log of changes and the kept answers hold."""
    connection = await asyncpg.connect(hub_client.dsn)
    try:
        return await connection.fetchrow(
            "select (select count(*) from change_log), (select count(*) from idempotency_records)"
        )
    finally:
        await connection.close()


def test_every_code_that_a_client_can_cause_is_caused() -> None:
    caused = {call.code for call in BAD_REQUESTS} | {
        "CURSOR_WRONG_LIST",
        "INTROSPECTION_FORBIDDEN",
        "STATEMENT_TIMEOUT",
    }
    caused |= {"UNAUTHENTICATED", "KEY_UNKNOWN", "KEY_REVOKED", "KEY_EXPIRED"}
    caused |= {call.code for call in BAD_WRITES}
    caused |= {"BODY_MALFORMED", "BATCH_UNSUPPORTED", "BODY_TOO_LARGE"}
    caused |= {"METHOD_NOT_ALLOWED", "MEDIA_TYPE_UNSUPPORTED", "NOT_ACCEPTABLE"}
    assert caused & ELSEWHERE.keys() == set()
    assert caused | ELSEWHERE.keys() == CODES.keys()
