"""All error classes and error codes. web/ maps them to HTTP statuses, cli.py to exit codes.

HubError
├── BadInput           the request is invalid
│   └── LimitExceeded  the request is valid, but exceeds a limit
├── Unauthenticated    no API key or token, or an invalid one
├── Forbidden          a valid key without the permission
├── NotFound           absent or hidden: the same answer
├── Throttled          the key's budget is used up; a retry after the stated time succeeds
├── Unavailable        the hub cannot answer now; a retry may succeed
├── Misconfigured      the operator must correct a setting or the machine
└── Internal           a bug in the hub; the client sees only a request id
"""

from collections.abc import Mapping
from types import MappingProxyType

CODES: dict[str, str] = {
    # the document
    "GRAPHQL_SYNTAX": "The document is not valid GraphQL syntax; `locations` says where parsing failed.",
    "GRAPHQL_INVALID": "The document violates a GraphQL validation rule that has no code of its own.",
    "FIELD_UNKNOWN": "The type has no field of this name.",
    "ARGUMENT_UNKNOWN": "The field, directive or input object takes no argument of this name.",
    "ARGUMENT_MISSING": "A required argument or input field is missing.",
    "VALUE_INVALID": "A value in the document does not fit its type.",
    "VARIABLE_INVALID": "A variable is missing, has the wrong type, or its value does not fit the type.",
    "OVERLAP_LIMIT": "Too many fields share a response key; comparing them would take too long.",
    "VARIABLE_LIMIT": "The variables contain too many objects.",
    "OPERATION_UNKNOWN": "The document has no operation (of this name), or has several and the request names none.",
    "INTROSPECTION_FORBIDDEN": "This key may not read the schema.",
    # the limits; HUB_<code> is the setting
    "DEPTH_LIMIT": "The selection is nested too deeply.",
    "COST_LIMIT": "The estimated cost of the operation is too high: it could read too many rows.",
    "ALIAS_LIMIT": "The operation has too many aliases.",
    "FIELD_LIMIT": "The operation selects too many fields.",
    "TOKEN_LIMIT": "The document has too many tokens.",
    "ROOT_FIELD_LIMIT": "The operation has too many root fields.",
    "DIRECTIVE_LIMIT": "The operation has too many directives.",
    "PAGE_LIMIT": "The requested page is too large.",
    "ALIAS_TOO_LONG": "A response key is longer than 63 bytes.",
    "OPERATION_LIMIT": "The API key has too many operations in progress; wait for some of them.",
    "STREAM_LIMIT": "The WebSocket has too many operations open.",
    "SOCKET_LIMIT": "The API key has too many WebSockets and streams open.",
    # the budget
    "THROTTLED": "The budget of the API key is used up; `retryAfter` says after how many seconds there is enough again.",
    "COST_ABOVE_BUDGET": "The operation costs more than the budget of the API key can ever hold.",
    # arguments shared by many fields
    "PAGE_ARGUMENTS": "`first`, `last`, `after` and `before` cannot be combined this way.",
    "ID_MALFORMED": "The text is not an id of this hub.",
    "ID_WRONG_TYPE": "The id is well formed, but belongs to another type than the argument expects.",
    "CURSOR_MALFORMED": "The text is not a cursor of this hub.",
    "CURSOR_WRONG_LIST": "The cursor belongs to another list, sort order or search.",
    "CURSOR_EXPIRED": "The changes after the cursor have expired.",
    "CURSOR_AHEAD": "The cursor is after the last change.",
    "CURSOR_FORKED": "The cursor points to a change that the database has lost, because it was restored or failed over.",
    "AS_OF_LINK": "A link cannot be read as of a past time; select the present row to follow it.",
    "AS_OF_EXPIRED": "The time is beyond what the change log keeps: HUB_CHANGE_RETENTION days.",
    "FILTER_INVALID": "The filter cannot be applied as written.",
    "FILTER_LIMIT": "The filter has too many conditions, or is nested too deeply.",
    "ORDER_INVALID": "The sort order cannot be applied as written.",
    "CURRENCY_REQUIRED": "An aggregate of money in a filter or a sort order must name one currency.",
    "GROUP_INVALID": "The rows cannot be grouped as written.",
    "SEARCH_EMPTY": "The search text contains no word.",
    "SEARCH_TOO_LONG": "The search text has too many words.",
    "TIMEZONE_UNKNOWN": "The text is not the name of an IANA time zone.",
    # mutations
    "ALREADY_EXISTS": "Another row already has a value that must be unique.",
    "COLLISION_LIMIT": "A key that sees a part gave too many values that are taken; `retryAfter` says when it may write again.",
    "IN_USE": "Other rows refer to this row, so it cannot be deleted.",
    "VERSION_CONFLICT": "The fields were changed after `expectedVersion`.",
    "UPSERT_AMBIGUOUS": "An upsert must name exactly one key of the row; this one names none or several.",
    "BULK_LIMIT": "The mutation has more rows than one mutation accepts.",
    "BULK_REJECTED": "Some rows were rejected, so none was written; `rows` lists them with their errors.",
    "IDEMPOTENCY_KEY_INVALID": "The idempotency key is empty or too long, or the operation has several.",
    "IDEMPOTENCY_RIGHTS_CHANGED": "The operation ran already; its response is not repeated, since the key's rights have changed.",
    "IDEMPOTENCY_KEY_REUSED": "The idempotency key was already used for another operation.",
    "IDENTIFIER_JUNK": "The identifier is a placeholder value, not one of a single customer.",
    "IDENTIFIER_LIMIT": "The input has no identifier, or too many.",
    "STAGE_MOVE_INVALID": "The customer cannot move from its current stage to this stage.",
    "LOCKED": "The row is locked until a moment; until then only an administrator changes it, with a reason.",
    "MOVE_INVALID": "The row cannot move to this state now; the error's `allowedMoves` lists the possible ones.",
    "STATUS_MOVE_INVALID": "The row cannot move to this status now; `allowedMoves` lists the possible ones.",
    # merges
    "MERGE_BLOCKED": "Something speaks against the merge; `reasons` lists what.",
    "MERGE_CHANGED": "The customers are not as they were in the dry run whose fingerprint this is; look at a new one.",
    "MERGE_SUPERSEDED": "A later merge or split of one of the customers must be undone first; `merge` names it.",
    "MERGE_EXPIRED": "The merge is too old to be undone, or was undone already.",
    # score models
    "SCORE_MODEL_INVALID": "The definition of a score model is wrong; the message names the part and what can stand there.",
    "SCORE_MODEL_REFUSED": "The score model cannot be activated; `problems` says why, as its preview does.",
    "SCORE_COMPUTED": "The hub computes the scores of this model, so that nobody records them; `scoreOverride` sets one.",
    # segments
    "SEGMENT_INVALID": "The segment cannot be: its filter names what it must not, or its kind does not suit the change.",
    "SEGMENT_UNBOUNDED": "The segment's filter would read too much for each customer; `entries` says how much.",
    "SEGMENT_IN_USE": "Others name the segment, so that it cannot be given up; `usedBy` lists them.",
    # imports
    "MAPPING_INVALID": "The mapping of the import is wrong; the message names the place and what can stand there.",
    "FILE_UNREADABLE": "The file is not what it should be: its encoding, its compression, or a line of it.",
    "FILE_LIMIT": "The file, its decompressed contents, a line or the number of columns is too large.",
    "UPLOAD_OFFSET": "The part does not begin where the stored bytes of the file end; `received` says where that is.",
    "EDITED_SINCE": "The row was changed since, so that undoing an import leaves it as it is.",
    "UNDO_IMPOSSIBLE": "It cannot be undone: it wrote nothing, was undone already, or what it needs is gone.",
    "CUSTOMER_ERASED": "The job's input named a customer who was erased since, so it was deleted.",
    # roles
    "ROLE_INVALID": "A part of the role is wrong: an unknown type, field, mask or command, or a rule that grants nothing.",
    "ROLE_UNBOUNDED": "A list of the role's holders would read a large part of a table; `plans` says which.",
    "ROLE_SHIPPED": "The role comes with the hub and cannot be changed or removed; a copy of it can.",
    "ROLE_LAST_ADMIN": "Nobody could administer the hub any more.",
    # the clock
    "CLOCK_NOT_TEST": "The hub runs with the real time; only a test clock (`HUB_CLOCK=test`) can be advanced.",
    "CLOCK_NOT_REACHED": "The test clock is still on its way; the error names the timer that is next. The same request goes on.",
    # working time
    "CALENDAR_HORIZON": "The moment, or the end of so much working time, lies outside what the calendar covers.",
    "CALENDAR_EMPTY": "The calendar would have no working time at all.",
    # codes
    "CODE_INVALID": "The text is no code of the rule, or the pattern or its values are wrong.",
    "CODE_EXHAUSTED": "Too few numbers are left: all were drawn, and none may be used again yet.",
    # reports
    "REPORT_LIMIT": "The report's answer is too large, it has too many subjects, or the key has too many reports.",
    "REPORT_FACTS_MISSING": "The facts of the report are not read yet, or could not be read; `fault` says why.",
    # processes
    "CRITERIA_UNMET": "The row is not yet as the step's exit criteria demand.",
    "RETURN_LIMIT": "The item is in the last round of its process, so that nothing goes back.",
    "DEPENDENCY_CYCLE": "Items would wait for one another in a circle.",
    "PROCESS_INVALID": "The process cannot be described this way: a step contradicts itself, or leads nowhere.",
    # people and their work
    "OVERLAP": "Another row of this sort counts at that time, and only one may.",
    "AUTHORITY_LIMIT": "The person has no credential that lets it decide this amount now.",
    "DUAL_CONTROL": "Two people must do this: whoever began it, or is the one whom it is about, cannot finish it.",
    "UNVERIFIED": "Another person must confirm these facts first; `columns` lists them.",
    "HOSPITALITY_LIMIT": "The hospitality costs more for each person than the limit allows.",
    # webhooks
    "WEBHOOK_INVALID": "The webhook cannot be created or changed this way.",
    "WEBHOOK_LIMIT": "The API key already has the maximum of webhooks.",
    "WEBHOOK_LOOP": "A webhook cannot subscribe to webhooks, deliveries or attempts: each delivery would cause more.",
    # streams
    "LIVE_LIMIT": "The process, or the API key on it, already has the maximum of different live queries and unselective streams.",
    "STREAM_ENDED": "The hub closed the stream; `reason` says why. Subscribe again.",
    # the key
    "UNAUTHENTICATED": "The request carries no API key.",
    "KEY_UNKNOWN": "The API key is malformed or does not exist. Expired keys of customers are deleted after a week.",
    "KEY_REVOKED": "The API key was revoked.",
    "KEY_EXPIRED": "The API key has expired.",
    "KEY_ROTATED": "The API key has been given a new text, and the overlap in which the old one was valid too is over.",
    "KEY_STAFF_LEFT": "The member of staff whose API key it is has left.",
    "KEY_NETWORK": "The API key may not be used from the client's address: it is outside the key's `allowedNetworks`.",
    "KEY_INVALID": "An API key with these properties cannot be created, or this one cannot be changed this way.",
    "EXPORT_INVALID": "The query is no single list of rows, so it cannot be exported.",
    "EXPORT_FORMAT_UNAVAILABLE": "The hub is installed without the library of this file format.",
    "UPLOAD_COUNT_LIMIT": "The key has too many files that wait for an import or are imported.",
    "EXPORT_LIMIT": "The key has too many exports that run or have a file.",
    "EXPORT_NOT_READY": "The export has not written its file, or failed.",
    "EXPORT_EXPIRED": "The file of the export has been deleted.",
    "EXPORT_RIGHTS_CHANGED": "The key's rights have changed since the file was written.",
    "EXPORT_INCOMPLETE": "The file was cut off or changed, or no export wrote it.",
    "FILE_INVALID": "The file cannot be written or read there.",
    "KEY_REQUIRED": "What this does outlives a token; only an API key may do it.",
    # the token
    "TOKEN_MALFORMED": "The token is not a signed JWT with the claims `iss`, `sub`, `aud` and `exp`.",
    "TOKEN_TOO_LARGE": "The token is larger than 16 KiB.",
    "TOKEN_ENCRYPTED": "The token is encrypted (JWE); the hub accepts signed ones (JWS).",
    "TOKEN_ALGORITHM_FORBIDDEN": "The token's algorithm is none, symmetric, not allowed for its issuer, or not that of its key.",
    "TOKEN_HEADER_UNSUPPORTED": "The token's header has a `crit` that the hub does not understand.",
    "TOKEN_ISSUER_UNKNOWN": "No issuer in `HUB_TOKEN_ISSUERS` has this `iss`.",
    "TOKEN_AUDIENCE_WRONG": "The token is for another audience (`aud`).",
    "TOKEN_KEY_UNKNOWN": "The issuer publishes no such key (`kid`), or has withdrawn it.",
    "TOKEN_SIGNATURE_INVALID": "The signature is not that of the issuer's key.",
    "TOKEN_EXPIRY_MISSING": "The token never expires; the hub accepts only tokens with `exp`.",
    "TOKEN_EXPIRED": "The token has expired.",
    "TOKEN_NOT_YET_VALID": "The token is not valid yet (`nbf` or `iat`).",
    "TOKEN_STAFF_LEFT": "The token is valid, but the member of staff whom it stands for has left.",
    "TOKEN_UNMAPPED": "The token is valid, but stands for nobody here: no member of staff, no customer, no role.",
    "TOKEN_ISSUER_UNAVAILABLE": "The token's key is unknown, and its issuer's keys cannot be read now; try again.",
    "LINK_INVALID": "The login link was used already, has expired, or belongs to another hub.",
    "PERSON_NEEDED": "Only a member of staff does this, or is `ME`, and none is behind this API key.",
    "FORBIDDEN": "The API key does not have this permission.",
    "NOT_FOUND": "It does not exist, or this API key may not see it.",
    # HTTP
    "BATCH_UNSUPPORTED": "One request carries one operation; lists of operations are not accepted.",
    "BODY_MALFORMED": "The request is not a GraphQL request in JSON or in query parameters.",
    "BODY_TOO_LARGE": "The body or the query string is too large.",
    "HEADERS_TOO_LARGE": "The request line and headers are too large.",
    "HTTP_VERSION_UNSUPPORTED": "The request line names another version than HTTP/1.1 or 1.0.",
    "MEDIA_TYPE_UNSUPPORTED": "The body is not application/json in UTF-8.",
    "METHOD_NOT_ALLOWED": "The HTTP method is not allowed here.",
    "NOT_ACCEPTABLE": "The hub can produce none of the requested media types.",
    "PERSISTED_QUERY_INVALID": "The extension `persistedQuery` is malformed, or its hash is not that of the document.",
    "PERSISTED_QUERY_NOT_FOUND": "The API key has not registered a document with this hash here; send it with the hash.",
    "PERSISTED_QUERY_NOT_SUPPORTED": "This hub does not store documents; send the document without a hash.",
    "DOCUMENT_UNKNOWN": "No loaded manifest has a document with this id.",
    "DOCUMENT_UNTRUSTED": "The API key runs only documents of a manifest, and this is none of them.",
    "REQUEST_TIMEOUT": "The request was not received or answered within the request timeout.",
    # streams
    "STREAM_TRANSPORT": "A subscription needs a WebSocket or server-sent events.",
    "HANDSHAKE_INVALID": "The request cannot open a WebSocket.",
    # execution
    "RESOLVER_FAILED": "A resolver field failed; the rest of the response is valid.",
    "STATEMENT_TIMEOUT": "A database statement exceeded its timeout.",
    "DISK_FULL": "The database's disk is full, so nothing can be written; it works again once there is space.",
    "UNAVAILABLE": "The hub cannot reach its database, or is stopping; try again.",
    "INTERNAL": "The hub failed; give the operator the request id.",
    # running the hub
    "SETTING_INVALID": "A setting has a value that cannot be used.",
    "MANIFEST_INVALID": "The manifest of trusted documents cannot be loaded as it is.",
    "PORT_IN_USE": "Another process already listens on this address.",
    "DATA_DIR_UNUSABLE": "The data directory is not writable, or holds something else.",
    "DATABASE_UNREACHABLE": "The database does not answer.",
    "DATABASE_UNFIT": "The database is too old, is not migrated to this version, or lacks an extension or setting.",
    "POSTGRES_FAILED": "The embedded Postgres could not be found, created or started.",
}


def markdown() -> str:
    """Returns the page docs/errors.md, generated from the table above."""
    lines = [
        "# Errors",
        "",
        "Every error has one of these codes. In a response it is `extensions.code`, next to a `message` that names the",
        "argument, the fault and the remedy, and to `extensions.argument`, `path` and `locations` where they are known.",
        "The command line prints the message and exits with 1, or with 2 for wrong usage.",
        "Generated by `hub errors`; edit `hub/errors.py` instead.",
        "| Code | Meaning |",
        "|---|---|",
        *(f"| `{code}` | {meaning} |" for code, meaning in CODES.items()),
    ]
    return "\n".join(lines) + "\n"


class HubError(Exception):
    """An error for the client: the message names the argument, the fault and the remedy."""

    code = "INTERNAL"
    extensions: Mapping[str, object]
    path: tuple[str | int, ...] | None = None  # of the field in the response; set where it is known
    locations: tuple[tuple[int, int], ...] = ()  # lines and columns in the document, likewise

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        argument: str | None = None,
        extensions: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.argument = argument
        self.extensions = extensions
        if code is not None:
            self.code = code

    def to_graphql(self) -> dict[str, object]:
        """Returns the error as it appears in a GraphQL response."""
        extensions: dict[str, object] = {"code": self.code}
        if self.argument is not None:
            extensions["argument"] = self.argument
        error: dict[str, object] = {"message": self.message}
        if self.locations:
            error["locations"] = [{"line": line, "column": column} for line, column in self.locations]
        if self.path is not None:
            error["path"] = list(self.path)
        return error | {"extensions": extensions | dict(self.extensions)}


class BadInput(HubError):
    code = "VALUE_INVALID"


class LimitExceeded(BadInput):
    code = "COST_LIMIT"


class Unauthenticated(HubError):
    code = "UNAUTHENTICATED"


class Forbidden(HubError):
    code = "FORBIDDEN"


class NotFound(HubError):
    code = "NOT_FOUND"


class Throttled(HubError):
    code = "THROTTLED"


class Unavailable(HubError):
    code = "UNAVAILABLE"


class Misconfigured(HubError):
    code = "SETTING_INVALID"


class Internal(HubError):
    code = "INTERNAL"
