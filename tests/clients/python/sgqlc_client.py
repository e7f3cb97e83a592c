"""sgqlc: operations built from the module that it generated of the introspected schema."""

import unittest
from typing import Any

import sgqlc_schema
from client_hub import ATTRIBUTES, HEADERS, NOBODY, URL, unique_name
from sgqlc.endpoint.http import HTTPEndpoint
from sgqlc.operation import Operation
from sgqlc.types import Variable, non_null

schema = sgqlc_schema.sgqlc_schema
ENDPOINT = HTTPEndpoint(URL, HEADERS)


def list_customers(**arguments: Any) -> Any:
    """A page of German customers as sgqlc's objects."""
    operation = Operation(schema.Query)
    german = {"country": {"eq": "DE"}}
    customers = operation.customers(filter=german, order_by=[{"field": "NAME"}], first=6, **arguments)
    customers.total_count()
    customers.nodes.__fields__("id", "name", "created_at", "attributes")
    customers.page_info.__fields__("has_next_page", "end_cursor")
    return (operation + ENDPOINT(operation)).customers


class SgqlcTests(unittest.TestCase):
    """sgqlc"""

    def test_two_pages(self) -> None:
        first = list_customers()
        rest = list_customers(after=first.page_info.end_cursor)
        names = {node.name for node in (*first.nodes, *rest.nodes)}
        assert (len(names), rest.page_info.has_next_page) == (first.total_count, False)

    def test_a_mutation_and_a_node(self) -> None:
        name = unique_name("sgqlc")
        operation = Operation(schema.Mutation, variables={"input": non_null(schema.CustomerCreateInput)})
        created = operation.customer_create(input=Variable("input"))
        created.customer.__fields__("id", "name", "created_at", "attributes")
        variables = {"input": {"kind": "PERSON", "name": name, "attributes": ATTRIBUTES}}
        customer = (operation + ENDPOINT(operation, variables)).customer_create.customer
        assert (customer.name, customer.attributes) == (name, ATTRIBUTES)
        operation = Operation(schema.Query)
        operation.node(id=customer.id).__as__(schema.Customer).name()
        assert (operation + ENDPOINT(operation)).node.name == name

    def test_an_error_has_its_code(self) -> None:
        operation = Operation(schema.Mutation)
        operation.customer_update(input={"id": NOBODY, "name": "nobody"}).customer.id()
        (error,) = ENDPOINT(operation)["errors"]
        assert error["extensions"]["code"] == "NOT_FOUND"
