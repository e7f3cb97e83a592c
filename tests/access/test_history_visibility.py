"""What was is cut as what is: `asOf` and `history` of every type, asked as each kind of viewer, against plain rules over the log.

Rows are edited, moved to other customers and units, deleted and made again, all from a seed."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import random_runs
from conftest import CreateDatabase, create_api_key
from edited_past import CATALOG, DECIDE_NOTHING, EditedDatabase, LoggedImage, create_history
from oracle import edge_rows
from oracle.data import is_internal
from oracle.past import with_keys
from writer_client import open_hub_client

from hub.domain.access import api_keys
from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.catalog.scalars import encode_id
from hub.viewer import Role, Viewer

CUSTOMERS = CATALOG.customer_type.table.name
UNEDITED_CUSTOMER = "Stray"  # a customer whom no random edit touches
NOT_OF_CUSTOMERS = frozenset({"administered", "key_or_person", "key_owned", "person", "role_itself", "role_owned"})


@pytest.fixture(scope="module", params=random_runs.params("rounds of edits"))
async def edited_database(
    request: pytest.FixtureRequest, create_database: CreateDatabase, demo_dsn: str
) -> AsyncIterator[EditedDatabase]:
    dsn = await create_database("northwind")
    await edge_rows.add(dsn)
    connection = await asyncpg.connect(dsn)
    await connection.execute(DECIDE_NOTHING)
    owner = await connection.fetchval("select id from customers where name = 'Around the Horn'")
    async with open_hub_client(dsn) as hub:
        leaf = await connection.fetchval("select id from org_units where code = '20852'")
        edited = EditedDatabase(hub, connection, random.Random(f"{random_runs.seed()} past"), owner, leaf)
        await create_history(edited, request.param)
        add = "insert into customers (kind, status, stage, tier, name, unit_id)"
        add += " values ('PERSON', 'ACTIVE', 'PROSPECT', 'GOLD', $1, $2)"
        await connection.execute(add, UNEDITED_CUSTOMER, leaf)
        yield edited
    await connection.close()


# -- the rules, plainly -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HistoryRules:
    """What a viewer may see of the past."""

    world: EditedDatabase
    viewer: Viewer

    def in_bound_units(self, unit: Any) -> bool:
        """Whether a unit is among the viewer's."""
        return UUID(str(unit)) in self.viewer.unit_ids

    def sees_customer(self, key: Any) -> bool:
        """Whether the viewer sees a customer, or saw it when it was deleted."""
        assert self.world.data is not None
        customer = self.world.data.get(CATALOG.customer_type.name, UUID(str(key)))
        deleted_images = [change.before for change in self.world.log[UUID(str(key))] if change.operation == "DELETE"]
        return (customer is not None and self.in_bound_units(customer["unit_id"])) or any(
            self.in_bound_units(image["unit_id"]) for image in deleted_images if image
        )

    def sees(self, entity: CatalogEntity, image: LoggedImage) -> bool:
        """Whether the viewer may see a row that was like this."""
        if image is None:
            return False
        scope = entity.declaration.scope
        if scope.name == "any_key":
            return True
        assert self.world.data is not None
        if scope.name in (of_work := self.world.data.image_visibility(self.viewer)):
            return of_work[scope.name](with_keys(entity, image))
        if scope.name in NOT_OF_CUSTOMERS:
            return self.sees_own(scope.name, image)
        if self.viewer.binding == "unrestricted":
            return True
        if self.viewer.binding == "customer":
            own = scope.customer_column and str(image[scope.customer_column]) == str(self.viewer.customer_id)
            internal = scope.name == "shared" and is_internal({"$type": entity.name, **image})
            return bool(own) and scope.name not in ("inside", "pair") and not internal
        if scope.name == "pair":
            return self.sees_customer(image["customer_id"]) and self.sees_customer(image["other_id"])
        if "unit_id" in image:
            return self.in_bound_units(image["unit_id"])
        return (
            self.in_bound_units(image["id"])
            if scope.name == "unit_itself"
            else self.sees_customer(image["customer_id"])
        )

    def sees_own(self, scope: str, image: dict[str, Any]) -> bool:
        """Whether the viewer may see an image of what belongs to keys, roles and people."""
        assert self.world.data is not None
        if self.viewer.binding == "customer":
            return False
        if scope == "person":
            person = self.world.data.get("Staff", UUID(str(image["staff_id"])))
            in_reach = self.viewer.binding == "unrestricted" or (person and self.in_bound_units(person["unit_id"]))
            return self.viewer.staff_id == UUID(str(image["staff_id"])) or bool(self.viewer.reads_people and in_reach)
        if self.viewer.administers:
            return True
        if scope in ("key_owned", "key_or_person"):
            is_of_person = scope != "key_owned" and str(self.viewer.staff_id) == str(image["staff_id"] or "nobody")
            return is_of_person or bool(image["owner"] == self.viewer.key_public_id)
        own_roles = [role for role in self.world.data.rows["AccessRole"] if role["name"] in self.viewer.role_names]
        if scope == "role_itself":
            return image["name"] in self.viewer.role_names
        return scope == "role_owned" and image["role_id"] in {str(role["id"]) for role in own_roles}

    def sees_today(self, entity: CatalogEntity, key: UUID) -> bool:
        """Whether the viewer sees the row; one that is gone, by what it was at last."""
        assert self.world.data is not None
        if self.world.data.get(entity.name, key) is not None:
            return self.world.data.visible_to(self.viewer).get(entity.name, key) is not None
        return self.sees(entity, self.world.log[key][-1].before)

    def expected_image(self, entity: CatalogEntity, key: UUID, moment: datetime) -> LoggedImage:
        """The row as the viewer may see it at a moment."""
        assert self.world.data is not None
        changes = self.world.log[key]
        past = [change.after for change in changes if change.logged_at <= moment]
        future = [change.before for change in changes if change.logged_at > moment]
        image = past[-1] if past else future[0] if future else self.world.data.get(entity.name, key)
        if image is None or datetime.fromisoformat(str(image["created_at"])) > moment:
            return None
        return image if self.sees_today(entity, key) and self.sees(entity, image) else None

    def expected_history(self, entity: CatalogEntity, key: UUID) -> Iterator[dict[str, Any]]:
        """What the viewer is told of the row's changes."""
        for change in reversed(self.world.log[key]):
            before, after = (image if self.sees(entity, image) else None for image in (change.before, change.after))
            if before is None and after is None:
                continue
            moved = "ENTER" if before is None else "LEAVE"
            operation = "UPDATE" if before and after else moved if change.operation == "UPDATE" else change.operation
            yield {
                "operation": operation,
                "version": change.version,
                "before": before and {"version": before["version"]},
                "after": after and {"version": after["version"]},
            }


# -- the two compared ---------------------------------------------------------------------------------------------------

CHANGES = "totalCount nodes { operation version before { version } after { version } }"
VERSIONS = " ".join(f"... on {name} {{ version }}" for name in (entity.name for entity in CATALOG.with_past_rows))
NODE = f"query ($id: ID!, $at: DateTime!) {{ nodeAsOf(id: $id, at: $at) {{ {VERSIONS} }} }}"


def history_document(entity: CatalogEntity, moments: int) -> str:
    """A document that asks for a row at some moments, and for its history."""
    one = f"{entity.declaration.singular}(id: $id"
    then = " ".join(f"at{n}: {one}, asOf: $at{n}) {{ version }}" for n in range(moments))
    declared = " ".join(f"$at{n}: DateTime" for n in range(moments))
    return f"query ($id: ID!, {declared}) {{ {then} now: {one}) {{ history(first: 100) {{ {CHANGES} }} }} }}"


async def compare_row(
    edited_database: EditedDatabase, rules: HistoryRules, key: str, entity: CatalogEntity, row_id: UUID
) -> Counter[str]:
    """Asks for one row's past, and compares; counts what was met."""
    moments, id = (
        [edited_database.moments[0], *edited_database.rng.sample(edited_database.moments[1:], 4)],
        encode_id(entity.declaration.prefix, row_id),
    )
    past_images = [rules.expected_image(entity, row_id, moment) for moment in moments]
    sent = {f"at{n}": moment.isoformat() for n, moment in enumerate(moments)}
    data = await edited_database.hub.query(history_document(entity, len(moments)), {"id": id, **sent}, key=key)
    expected: dict[str, Any] = {
        f"at{n}": image and {"version": image["version"]} for n, image in enumerate(past_images)
    }
    assert edited_database.data is not None
    here = edited_database.data.get(entity.name, row_id) is not None
    history = list(rules.expected_history(entity, row_id))
    is_visible = here and rules.sees_today(entity, row_id)
    expected["now"] = {"history": {"totalCount": len(history), "nodes": history}} if is_visible else None
    assert data == expected, (entity.name, id, sent)
    (node,) = (await edited_database.hub.query(NODE, {"id": id, "at": sent["at2"]}, key=key)).values()
    assert node == expected["at2"], (entity.name, id, sent["at2"])
    changes = len(edited_database.log[row_id])
    return Counter(
        visible=sum(image is not None for image in past_images),
        gone=sum(image is not None for image in past_images if not here),
        cut=is_visible and len(history) < changes,
        hidden=not is_visible and changes > 0,
    )


async def unit_key(edited_database: EditedDatabase, code: str) -> str:
    """A key that is bound to a unit."""
    unit = await edited_database.connection.fetchval("select id from org_units where code = $1", code)
    return await create_api_key(edited_database.hub.dsn, Role.READER, unit_id=unit)


async def bound_key(edited_database: EditedDatabase, binding: str) -> tuple[str, Viewer]:
    """A key of a binding, and its viewer."""
    code = {"unit_subtree": "eastern", "single_unit": "20852"}.get(binding)
    customer = edited_database.bound_customer if binding == "customer" else None
    key = (
        await unit_key(edited_database, code)
        if code
        else await create_api_key(edited_database.hub.dsn, Role.READER, customer_id=customer)
    )
    stored_key = await api_keys.find_key(edited_database.connection, str(api_keys.extract_public_id(key)))
    assert stored_key is not None
    assert stored_key.viewer.binding == binding
    return key, stored_key.viewer


@pytest.mark.parametrize("binding", ["unrestricted", "unit_subtree", "single_unit", "customer"])
async def test_history_shows_no_hidden_image(edited_database: EditedDatabase, binding: str) -> None:
    key, viewer = await bound_key(edited_database, binding)
    rules, met = HistoryRules(edited_database, viewer), Counter[str]()
    for entity in CATALOG.with_past_rows:
        for row_id in edited_database.touched[entity.name]:
            met += await compare_row(edited_database, rules, key, entity, row_id)
    assert met["visible"] > 20, met
    if binding != "unrestricted":
        assert min(met["hidden"], met["cut"]) > 0, met
    if binding == "unrestricted":
        assert met["gone"] > 0, met


# -- told by cases ------------------------------------------------------------------------------------------------------

PAST = "query ($id: ID!, $at: DateTime) { %s(id: $id, asOf: $at) { %s } }"


async def move_customer(edited_database: EditedDatabase, name: str, code: str) -> tuple[UUID, datetime]:
    """Moves a customer to a unit; gives the customer, and the moment before."""
    before = await edited_database.connection.fetchval("select clock_timestamp()")
    unit = "(select id from org_units where code = $2)"
    move = f"update customers set unit_id = {unit} where name = $1 returning id"
    return await edited_database.connection.fetchval(move, name, code), before


async def test_who_gets_a_customer_sees_its_past_from_then_on(edited_database: EditedDatabase) -> None:
    here, there = [await unit_key(edited_database, code) for code in ("20852", "northern")]
    await move_customer(edited_database, UNEDITED_CUSTOMER, "20852")
    key, before_move = await move_customer(edited_database, UNEDITED_CUSTOMER, "northern")
    query = """query ($id: ID!, $at: DateTime) {
        then: customer(id: $id, asOf: $at) { name }
        now: customer(id: $id) { history(first: 1) { nodes { operation before { name } after { name } } } }
    }"""
    sent = {"id": encode_id("cus", key), "at": before_move.isoformat()}
    entered = {"operation": "ENTER", "before": None, "after": {"name": UNEDITED_CUSTOMER}}
    assert await edited_database.hub.query(query, sent, key=here) == {"then": None, "now": None}
    assert await edited_database.hub.query(query, sent, key=there) == {
        "then": None,
        "now": {"history": {"nodes": [entered]}},
    }
    updated = entered | {"operation": "UPDATE", "before": {"name": UNEDITED_CUSTOMER}}
    assert await edited_database.hub.query(query, sent) == {
        "then": {"name": UNEDITED_CUSTOMER},
        "now": {"history": {"nodes": [updated]}},
    }


async def test_the_past_of_a_deleted_row_goes_with_its_customer(edited_database: EditedDatabase) -> None:
    here, there = [await unit_key(edited_database, code) for code in ("20852", "northern")]
    customer, _ = await move_customer(edited_database, UNEDITED_CUSTOMER, "20852")
    add = "insert into consents (customer_id, purpose, status, source, given_at) values ($1, 'past', 'GRANTED', 'shop', now())"
    consent_id = await edited_database.connection.fetchval(f"{add} returning id", customer)
    before_delete = await edited_database.connection.fetchval("select clock_timestamp()")
    await edited_database.connection.execute("delete from consents where id = $1", consent_id)
    sent = {"id": encode_id("cns", consent_id), "at": before_delete.isoformat()}

    async def visible_to() -> list[bool]:
        query = PAST % ("consent", "purpose")
        answers = [
            await edited_database.hub.query(query, sent, key=key) for key in (here, there, edited_database.hub.key)
        ]
        return [answer == {"consent": {"purpose": "past"}} for answer in answers]

    assert await visible_to() == [True, False, True]
    await move_customer(edited_database, UNEDITED_CUSTOMER, "northern")
    assert await visible_to() == [False, True, True]
    await edited_database.connection.execute("delete from customers where id = $1", customer)
    assert await visible_to() == [False, True, True]
