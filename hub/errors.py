"""The one tree of errors and the one table of codes. Which status or exit code one becomes is for web/ and cli.py.

HubError
├── BadInput           what the caller wrote cannot be used as it stands
│   └── LimitExceeded  it could be, but costs more than one request may
├── Unauthenticated    no key, or not a living one
├── Forbidden          a living key, without the right
├── NotFound           absent, or hidden: the same answer
├── Unavailable        the hub is well, but cannot answer now; trying again may help
├── Misconfigured      a setting or the machine must be mended by whoever runs the hub
└── Internal           a fault of ours; the caller is told a request id and nothing else
"""

from collections.abc import Mapping
from types import MappingProxyType

CODES: dict[str, str] = {
    # the document
    "GRAPHQL_SYNTAX": "The document is not GraphQL; the location says where it breaks.",
    "GRAPHQL_INVALID": "The document is GraphQL, but breaks a validation rule that has no code of its own.",
    "FIELD_UNKNOWN": "The type has no field of this name.",
    "ARGUMENT_UNKNOWN": "The field, directive or input object takes no argument of this name.",
    "ARGUMENT_MISSING": "A required argument or input field is missing.",
    "VALUE_INVALID": "A value written in the document does not fit its type.",
    "VARIABLE_INVALID": "A variable is missing, of the wrong type, or its value does not fit.",
    "OVERLAP_LIMIT": "Too many fields share a response key; comparing them all would take too long.",
    "VARIABLE_LIMIT": "The variables hold too many objects.",
    "OPERATION_UNKNOWN": "The document has no operation, none of this name, or several and no name was given.",
    "INTROSPECTION_FORBIDDEN": "This key may not read the schema.",
    # the limits; HUB_<code> is the setting
    "DEPTH_LIMIT": "The selection is nested too deeply.",
    "COST_LIMIT": "The operation could touch too many rows.",
    "ALIAS_LIMIT": "The operation has too many aliases.",
    "FIELD_LIMIT": "The operation selects too many fields.",
    "TOKEN_LIMIT": "The document has too many tokens.",
    "ROOT_FIELD_LIMIT": "The operation has too many root fields.",
    "DIRECTIVE_LIMIT": "The operation has too many directives.",
    "PAGE_LIMIT": "The page asked for is too large.",
    "ALIAS_TOO_LONG": "A response key is longer than 63 bytes.",
    "STREAM_LIMIT": "The socket has too many operations open.",
    "SOCKET_LIMIT": "The key holds too many sockets and streams open.",
    # arguments that many fields share
    "PAGE_ARGUMENTS": "first, last, after and before do not go together this way.",
    "ID_MALFORMED": "The text is not an id of this hub.",
    "ID_WRONG_TYPE": "The id is well formed, but belongs to another type than the argument wants.",
    "CURSOR_MALFORMED": "The text is not a cursor of this hub.",
    "CURSOR_WRONG_LIST": "The cursor comes from another list, order or search.",
    "CURSOR_EXPIRED": "The changes after the cursor are no longer kept.",
    "CURSOR_AHEAD": "The cursor is beyond the last change.",
    "CURSOR_FORKED": "The cursor comes from a time that the database has lost: it was restored, or another took over.",
    "AS_OF_LINK": "A link cannot be read as it was; ask for the row as it is beside it.",
    "AS_OF_EXPIRED": "The moment lies before what the log of changes still keeps.",
    "FILTER_INVALID": "The filter cannot be applied as written.",
    "FILTER_LIMIT": "The filter has too many conditions, or is nested too deeply.",
    "ORDER_INVALID": "The order cannot be applied as written.",
    "CURRENCY_REQUIRED": "An aggregate of money in a filter or an order must name one currency.",
    "GROUP_INVALID": "The rows cannot be grouped as written.",
    "SEARCH_EMPTY": "The text to search for has no word.",
    "SEARCH_TOO_LONG": "The text to search for has too many words.",
    "TIMEZONE_UNKNOWN": "The text is not the name of an IANA time zone.",
    # writing
    "ALREADY_EXISTS": "Another row has a value that only one may have.",
    "IN_USE": "Other rows name this one, so it is not deleted.",
    "VERSION_CONFLICT": "The fields were changed after the version that the edit is based on.",
    "UPSERT_AMBIGUOUS": "An upsert names nothing, or several things, to find the row by.",
    "BULK_LIMIT": "More rows were given than one mutation takes.",
    "BULK_REJECTED": "Rows were refused, so none of them was written; `rows` says which, and why.",
    "IDEMPOTENCY_KEY_INVALID": "The idempotency key is empty, too long, or the operation names several.",
    "IDEMPOTENCY_KEY_REUSED": "The idempotency key was used for another operation.",
    "IDENTIFIER_JUNK": "The identifier is a placeholder that many share.",
    "IDENTIFIER_LIMIT": "No identifier was given, or too many.",
    "STAGE_MOVE_INVALID": "The customer cannot move to this stage.",
    "STATUS_MOVE_INVALID": "The order cannot take this status now.",
    # webhooks
    "WEBHOOK_INVALID": "The webhook cannot be made, or changed, this way.",
    "WEBHOOK_LOOP": "A webhook is not told of webhooks: each delivery would make others.",
    # streams
    "LIVE_LIMIT": "Too many different live answers or streams of whole tables are told here already.",
    "STREAM_ENDED": "The hub ended the stream; `reason` says why. Subscribe again.",
    # the key
    "UNAUTHENTICATED": "The request carries no API key.",
    "KEY_UNKNOWN": "The API key is malformed, was never issued, or is forgotten: a customer's, a week after its end.",
    "KEY_REVOKED": "The API key was revoked.",
    "KEY_EXPIRED": "The API key has expired.",
    "KEY_INVALID": "An API key with these properties cannot be made.",
    "FORBIDDEN": "The API key does not have this right.",
    "NOT_FOUND": "There is no such thing, or this key may not see it.",
    # HTTP
    "BATCH_UNSUPPORTED": "One request carries one operation; lists of operations are not accepted.",
    "BODY_MALFORMED": "The request is not a GraphQL request in JSON or in query parameters.",
    "BODY_TOO_LARGE": "The body or the query string is larger than one request may be.",
    "HEADERS_TOO_LARGE": "The request's line and headers are larger than they may be.",
    "MEDIA_TYPE_UNSUPPORTED": "The body is not application/json in UTF-8.",
    "METHOD_NOT_ALLOWED": "This method is not possible here.",
    "NOT_ACCEPTABLE": "None of the media types asked for can be produced.",
    "REQUEST_TIMEOUT": "The request was not received, or not answered, in the time one request may take.",
    # streams
    "STREAM_TRANSPORT": "A subscription needs a WebSocket or server-sent events.",
    "HANDSHAKE_INVALID": "The request cannot open a WebSocket.",
    # while answering
    "RESOLVER_FAILED": "A field that is computed could not be; the rest of the answer stands.",
    "STATEMENT_TIMEOUT": "The database needed longer than one statement may take.",
    "UNAVAILABLE": "The hub cannot reach its database, or is stopping; try again.",
    "INTERNAL": "The hub failed; tell its keeper the request id.",
    # running the hub
    "SETTING_INVALID": "A setting has a value that cannot be used.",
    "PORT_IN_USE": "Another process listens on this address.",
    "DATA_DIR_UNUSABLE": "The data directory cannot be written, or belongs to something else.",
    "DATABASE_UNREACHABLE": "The database does not answer.",
    "DATABASE_UNFIT": "The database answers, but is too old, behind in its migrations or lacks something needed.",
    "POSTGRES_FAILED": "The embedded Postgres could not be found, made or started.",
}


def markdown() -> str:
    """The page docs/errors.md: every code, made from the table above."""
    lines = [
        "# Errors",
        "",
        "Every error carries one of these codes: in an answer as `extensions.code`, beside a `message` that names the",
        "argument, the fault and the remedy, and where it can be said `extensions.argument`, `path` and `locations`.",
        "The command line prints the message and ends with 1, or with 2 when it was used wrongly.",
        "Made by `hub errors`; edit `hub/errors.py` instead.",
        "",
        "| Code | Meaning |",
        "|---|---|",
        *(f"| `{code}` | {meaning} |" for code, meaning in CODES.items()),
    ]
    return "\n".join(lines) + "\n"


class HubError(Exception):
    """Something a caller is told: the message names the argument, the fault and the remedy."""

    code = "INTERNAL"
    extensions: Mapping[str, object]
    path: tuple[str | int, ...] | None = None  # of the field in the response; filled in by whoever knows
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
        """The error as it stands in a response."""
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


class Unavailable(HubError):
    code = "UNAVAILABLE"


class Misconfigured(HubError):
    code = "SETTING_INVALID"


class Internal(HubError):
    code = "INTERNAL"
