"""Runs the documents of reports with the rights and the limits of the key that owns them, like a request of that key."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from hub.domain.access.trusted_documents import TrustedDocuments
from hub.engine.engine import Engine
from hub.engine.request import GraphQLRequest
from hub.errors import BadInput, LimitExceeded, Unavailable
from hub.model import exact_json
from hub.schema.work.reports import ReportPer
from hub.viewer import Viewer

MAX_DOCUMENT_LENGTH = 65_536  # characters
MAX_FACTS_BYTES = 262_144
MAX_SUBJECTS = 10_000
PAGE = 100
# After these a later attempt may succeed.
PASSING = frozenset(("UNAVAILABLE", "THROTTLED", "OPERATION_LIMIT", "STATEMENT_TIMEOUT", "DISK_FULL", "INTERNAL"))
_SUBJECTS = """query ReportSubjects($filter: {type}Filter, $after: Cursor) {{
    subjects: {root}(filter: $filter, first: {page}, after: $after) {{ nodes {{ id }} pageInfo {{ endCursor hasNextPage }} }}
}}"""
_ROOTS = {
    ReportPer.STAFF: ("Staff", "staffMembers"),
    ReportPer.TEAM: ("Team", "teams"),
    ReportPer.UNIT: ("OrgUnit", "orgUnits"),
}


class ReportRunner:
    """Runs documents on one engine; commands and timers get it as `report_runner`."""

    def __init__(self, engine: Engine, trusted_documents: TrustedDocuments | None = None) -> None:
        self._engine = engine
        self._trusted_documents = trusted_documents or TrustedDocuments()

    async def check(
        self, viewer: Viewer, document: str, operation_name: str | None, variables: Mapping[str, Any], now: datetime
    ) -> None:
        """Runs a document once; raises BadInput, with the argument `document`, for one that no report can use."""
        if len(document) > MAX_DOCUMENT_LENGTH:
            message = f"document: give at most {MAX_DOCUMENT_LENGTH:,} characters."
            raise BadInput(message, argument="document")
        self._trusted_documents.require(viewer, document)
        await self.run(viewer, document, operation_name, variables, now)

    async def run(
        self, viewer: Viewer, document: str, operation_name: str | None, variables: Mapping[str, Any], now: datetime
    ) -> Any:
        """The data of a query; raises BadInput for one that fails, Unavailable if it may succeed later."""
        request = GraphQLRequest(
            document, dict(variables), operation_name, read_only=True, now=now, request_id="report"
        )
        body = (await self._engine.execute(request, viewer)).body
        if len(body) > MAX_FACTS_BYTES:
            message = (
                f"document: its answer has {len(body):,} bytes, and a report holds {MAX_FACTS_BYTES:,}; select less."
            )
            raise LimitExceeded(message, code="REPORT_LIMIT", argument="document")
        response = exact_json.loads(body)
        for error in response.get("errors") or ():
            code, message = error["extensions"]["code"], f"document: {error['message']}"
            if code in PASSING:
                raise Unavailable(message, code=code)
            raise BadInput(message, code=code, argument="document")
        return response["data"]

    async def subjects(
        self, viewer: Viewer, per: ReportPer, row_filter: Any, first_day: date, last_day: date, now: datetime
    ) -> Sequence[UUID]:
        """The keys of the rows that a report is issued for in a period: those that match the filter and the viewer sees.

        People who did not work in the period are left out. Raises LimitExceeded for more than 10,000."""
        type_name, root = _ROOTS[per]
        document = _SUBJECTS.format(type=type_name, root=root, page=PAGE)
        conditions = [row_filter] if row_filter else []
        if per is ReportPer.STAFF:
            conditions.append({"or": [{"leftOn": {"isNull": True}}, {"leftOn": {"gte": first_day.isoformat()}}]})
            conditions.append({"or": [{"hiredOn": {"isNull": True}}, {"hiredOn": {"lte": last_day.isoformat()}}]})
        variables: dict[str, Any] = {"filter": {"and": conditions} if conditions else None}
        keys: list[UUID] = []
        while True:
            page = (await self.run(viewer, document, None, variables, now))["subjects"]
            keys += [UUID(node["id"].partition("_")[2]) for node in page["nodes"]]
            if len(keys) > MAX_SUBJECTS:
                message = f"subjects: a report has at most {MAX_SUBJECTS:,} subjects; narrow its filter."
                raise LimitExceeded(message, code="REPORT_LIMIT", argument="subjects")
            if not page["pageInfo"]["hasNextPage"]:
                return keys
            variables["after"] = page["pageInfo"]["endCursor"]
