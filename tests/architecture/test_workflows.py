"""The declaration of a workflow: its states, their moves, guards and reasons."""

import pytest

from hub import schema
from hub.model import Column, Entity, Workflow, customer_owned, field, move, state
from hub.model.declarations import InvalidDeclaration
from hub.model.declare import declare
from hub.model.move_commands import move_commands
from hub.model.rules import guards
from hub.model.workflows import faults_of

pytestmark = pytest.mark.usefixtures("declared_entities")


def test_a_guarded_move_needs_a_guard() -> None:
    class SwarmStatus(Workflow, initial=("HOME",)):
        HOME = "HOME", state("In the hive.", to=move("GONE", guarded=True))
        GONE = "GONE", state("Somewhere else.")

    class Swarm(Entity, prefix="swm", owned_by=customer_owned, order="created_at"):
        """A swarm of bees."""

        status: Column[SwarmStatus] = field("Where the swarm is.", default=SwarmStatus.HOME)

    with pytest.raises(InvalidDeclaration, match=r"Swarm\.status: moves to GONE are guarded, but no rule guards them"):
        declare([*schema.entities(), Swarm])
    guards(Swarm, "status", "GONE")(lambda write: None)
    declare([*schema.entities(), Swarm])


def test_a_reason_needs_a_history_that_stores_it() -> None:
    class HiveStatus(Workflow, initial=("IN_USE",)):
        IN_USE = "IN_USE", state("Bees live in it.", to=move("EMPTY", reason=True))
        EMPTY = "EMPTY", state("No bees live in it.")

    class OldHive(Entity, prefix="ohv", owned_by=customer_owned, order="created_at"):
        """A hive that may be empty."""

        status: Column[HiveStatus] = field("Whether bees live in it.", default=HiveStatus.IN_USE)

    with pytest.raises(TypeError, match="HiveStatus: reason=True needs history=True, which stores the reason"):
        list(move_commands([*schema.entities(), OldHive]))


def test_a_workflow_leads_to_states_and_to_all_of_them() -> None:
    class Lost(Workflow, initial=("A",)):
        A = "A", state("First.", to=("C",))
        B = "B", state("Second.")

    class Unreached(Workflow, initial=("A",)):
        A = "A", state("First.")
        B = "B", state("Second.", to=("A",))

    assert faults_of(Lost) == ["Lost.A: a move leads to C, which is no state"]
    assert faults_of(Unreached) == ["Unreached.B: no move leads to it"]
