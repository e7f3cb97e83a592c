"""Plans are data: they print in full, and hold no value of a variable, so that one plan may serve every execution."""

import re

import pytest
from golden_documents import GOLDEN_DOCUMENTS, GoldenDocument

from hub.engine.document.documents import DocumentStore
from hub.engine.document.limits import Limits
from hub.engine.document.variables import coerce_variables
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.plan.operations import OperationPlanner
from hub.graph import build
from hub.rights import rights_of


@pytest.fixture(scope="module")
def graph() -> Schema:
    return build()


@pytest.mark.parametrize("document", GOLDEN_DOCUMENTS, ids=lambda document: document.name)
def test_a_plan_prints_and_holds_no_variable(graph: Schema, document: GoldenDocument) -> None:
    operation = DocumentStore(graph.core, Limits(), 1_000_000).get(document.text).operation(document.operation)
    variables = coerce_variables(graph.core, operation, document.variables, 5)
    planner = OperationPlanner(graph, variables, operation.fragments, Limits(), rights_of("unrestricted"))
    printed = repr(planner.plan_query(operation.node.selection_set))
    assert not re.search(r"<function|<lambda>| object at 0x", printed)
    texts = [value for value in document.variables.values() if isinstance(value, str) and len(value) > 8]
    assert not [text for text in texts if text in printed]
