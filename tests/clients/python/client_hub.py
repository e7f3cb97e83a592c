"""The hub that the Python clients call, and the operations that they send."""

import os
from uuid import uuid4

URL = os.environ["HUB_URL"]
SOCKET_URL = URL.replace("http", "ws", 1)
AUTHORIZATION = f"Bearer {os.environ['HUB_KEY']}"
HEADERS = {"Authorization": AUTHORIZATION}
NOBODY = "cus_00000000000000000000000000000000"
ATTRIBUTES = {"loyal": True, "spend": 12.5, "tags": ["ü", None, {"deep": []}]}

CARD = "fragment CustomerCard on Customer { id name version attributes createdAt }"
CUSTOMERS = f"""query Customers($filter: CustomerFilter, $first: Int, $after: Cursor) {{
    customers(filter: $filter, orderBy: [{{field: NAME}}], first: $first, after: $after) {{
        totalCount nodes {{ ...CustomerCard }} pageInfo {{ hasNextPage endCursor }}
    }}
}} {CARD}"""
CREATE = f"""mutation Create($input: CustomerCreateInput!) {{
    customerCreate(input: $input) {{ customer {{ ...CustomerCard }} }}
}} {CARD}"""
UPDATE = (
    "mutation Update($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { id name version } } }"
)
CHANGES = """subscription Changes($name: String!, $after: Cursor) {
    changes(after: $after, filter: {customer: {name: {startsWith: $name}}}) {
        __typename
        ... on StreamReady { cursor }
        ... on StreamProgress { cursor }
        ... on Change { cursor operation node { ... on Customer { id name } } }
    }
}"""


def unique_name(client: str) -> str:
    """A name that no other customer has."""
    return f"{client} {uuid4()}"
