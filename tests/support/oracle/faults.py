"""What the oracle answers when an operation cannot be: an error with the code that the API promises."""

from graphql import GraphQLError


class OracleError(GraphQLError):
    """An error of the API; comparisons look at its code and at where it happened."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code, extensions={"code": code})
