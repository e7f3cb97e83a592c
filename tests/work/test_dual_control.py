"""Dual control through the front door: what one person writes, another confirms; and the ways around it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from conftest import CreateDatabase
from staff_keys import START, Organisation, StaffKey, open_organisation

from hub.domain.access import api_keys
from hub.viewer import ADMIN

CUSTOMER = "customer { id version annualRevenue annualRevenueCurrency unverified }"
CREATE = f"mutation ($input: CustomerCreateInput!) {{ customerCreate(input: $input) {{ {CUSTOMER} }} }}"
UPDATE = f"mutation ($input: CustomerUpdateInput!) {{ customerUpdate(input: $input) {{ {CUSTOMER} }} }}"
UPSERT = f"mutation ($input: CustomerUpsertInput!) {{ customerUpsert(input: $input) {{ {CUSTOMER} }} }}"
VERIFICATION = "verification { status note verifiedBy { name } }"
CONFIRM = f"""mutation ($id: ID!, $note: String) {{
    verificationConfirm(input: {{id: $id, note: $note}}) {{ {VERIFICATION} }} }}"""
REFUTE = f"""mutation ($id: ID!, $note: String = "The statement says 2 million.") {{
    verificationRefute(input: {{id: $id, note: $note}}) {{ {VERIFICATION} }} }}"""
CLAIMS = """query ($id: ID!) { customer(id: $id) { annualRevenue unverified verifications {
    nodes { id status columns rowVersion claimedBy { name } verifiedBy { name } evidence } } } }"""
REVENUE = {"annualRevenue": "1000000", "annualRevenueCurrency": "CNY"}
BOTH = ["annualRevenue", "annualRevenueCurrency"]


@pytest.fixture(scope="module")
async def bank(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[Organisation]:
    async with open_organisation(await create_database("migrated")) as organisation:
        yield organisation


@pytest.fixture(scope="module")
async def zhang(bank: Organisation) -> StaffKey:
    """A manager who writes."""
    return await bank.hire("Zhang")


@pytest.fixture(scope="module")
async def wang(bank: Organisation) -> StaffKey:
    """A manager of the same branch who confirms."""
    return await bank.hire("Wang")


async def _create(bank: Organisation, person: StaffKey, **values: Any) -> Any:
    columns = {"name": "Linhai Paper", **REVENUE, **values}
    return (await bank.client.query(CREATE, {"input": columns}, key=person.key))["customerCreate"]["customer"]


async def _update(bank: Organisation, key: str, customer: str, **values: Any) -> Any:
    return (await bank.client.query(UPDATE, {"input": {"id": customer, **values}}, key=key))["customerUpdate"][
        "customer"
    ]


async def _claims(bank: Organisation, customer: str) -> list[Any]:
    """The verifications of a customer, the earliest first."""
    claims = (await bank.client.query(CLAIMS, {"id": customer}))["customer"]["verifications"]["nodes"]
    return sorted(claims, key=lambda claim: claim["id"])


async def _pending(bank: Organisation, customer: str) -> str:
    (claim,) = [claim for claim in await _claims(bank, customer) if claim["status"] == "PENDING"]
    return str(claim["id"])


async def _refused(bank: Organisation, key: str, verification: str, document: str = CONFIRM) -> str:
    return str((await bank.client.error(document, {"id": verification}, key=key))["code"])


async def test_a_fact_stands_as_unverified_until_another_person_confirms_it(
    bank: Organisation, zhang: StaffKey, wang: StaffKey
) -> None:
    customer = await _create(bank, zhang)
    assert customer == {
        "id": customer["id"], "version": 1, "annualRevenue": "1000000.0000", "annualRevenueCurrency": "CNY", "unverified": BOTH,
    }  # fmt: skip
    (claim,) = await _claims(bank, customer["id"])
    assert claim == {
        "id": claim["id"], "status": "PENDING", "columns": BOTH, "rowVersion": 1, "claimedBy": {"name": "Zhang"},
        "verifiedBy": None, "evidence": {},
    }  # fmt: skip
    confirmed = await bank.client.query(CONFIRM, {"id": claim["id"], "note": "Seen the books."}, key=wang.key)
    assert confirmed["verificationConfirm"]["verification"] == {
        "status": "CONFIRMED", "note": "Seen the books.", "verifiedBy": {"name": "Wang"},
    }  # fmt: skip
    shown = await bank.client.query(CLAIMS, {"id": customer["id"]})
    assert (shown["customer"]["annualRevenue"], shown["customer"]["unverified"]) == ("1000000.0000", [])
    assert await _refused(bank, wang.key, claim["id"]) == "MOVE_INVALID"


async def test_nobody_confirms_their_own(bank: Organisation, zhang: StaffKey, wang: StaffKey) -> None:
    customer = await _create(bank, zhang)
    claim = await _pending(bank, customer["id"])
    twin = await bank.issue_key(zhang.uuid, "admin")
    machine = await bank.issue_key(None, "admin")
    for key, code in ((zhang.key, "DUAL_CONTROL"), (twin, "DUAL_CONTROL"), (machine, "PERSON_NEEDED")):
        assert await _refused(bank, key, claim) == code
        assert await _refused(bank, key, claim, REFUTE) == code
    hand_over = "update api_keys set staff_id = $1 where staff_id = $2 and unit_id is not null"
    await bank.connection.execute(
        hand_over, wang.uuid, zhang.uuid
    )  # the key with which it was written is another person's now
    try:
        assert await _refused(bank, zhang.key, claim) == "DUAL_CONTROL"
    finally:
        undo = "update api_keys set staff_id = $1 where public_id = $2"
        await bank.connection.execute(undo, zhang.uuid, zhang.key[4:20])


async def test_who_may_confirm(bank: Organisation, zhang: StaffKey) -> None:
    customer = await _create(bank, zhang)
    claim = await _pending(bank, customer["id"])
    reader, stranger = await bank.hire("Reader", role="reader"), await bank.hire("Stranger", unit="JUNAN")
    assert await _refused(bank, reader.key, claim) == "FORBIDDEN"
    assert await _refused(bank, stranger.key, claim) == "NOT_FOUND"
    nobody = await bank.client.query("{ verifications { totalCount } }", key=stranger.key)
    assert nobody == {"verifications": {"totalCount": 0}}
    writer = await bank.hire("Writer", role="writer")
    confirmed = await bank.client.query(CONFIRM, {"id": claim}, key=writer.key)
    assert confirmed["verificationConfirm"]["verification"]["status"] == "CONFIRMED"


async def test_a_change_makes_it_stale_and_is_claimed_anew(bank: Organisation, zhang: StaffKey, wang: StaffKey) -> None:
    customer = (await _create(bank, zhang))["id"]
    changed = await _update(bank, wang.key, customer, annualRevenue="2000000")
    assert changed["unverified"] == BOTH
    first, other, anew = await _claims(bank, customer)
    assert (first["status"], first["columns"], first["claimedBy"]["name"]) == ("STALE", BOTH, "Zhang")
    # The other value is still the first claimant's, who must not confirm it.
    assert (other["status"], other["columns"], other["claimedBy"]["name"]) == ("PENDING", BOTH[1:], "Zhang")
    assert (anew["status"], anew["columns"], anew["claimedBy"]["name"]) == ("PENDING", BOTH[:1], "Wang")
    assert await _refused(bank, zhang.key, other["id"]) == "DUAL_CONTROL"
    assert await _refused(bank, wang.key, anew["id"]) == "DUAL_CONTROL"
    assert await _refused(bank, wang.key, first["id"]) == "MOVE_INVALID"
    await bank.client.query(CONFIRM, {"id": anew["id"]}, key=zhang.key)
    await bank.client.query(CONFIRM, {"id": other["id"]}, key=wang.key)
    assert (await bank.client.query(CLAIMS, {"id": customer}))["customer"]["unverified"] == []
    later = await _update(bank, zhang.key, customer, annualRevenue="3000000")
    assert later["unverified"] == ["annualRevenue"]
    cleared = await _update(bank, zhang.key, customer, annualRevenue=None, annualRevenueCurrency=None)
    assert cleared["unverified"] == BOTH


POLICY = """mutation { slaPolicyUpsert(input: {code: "claims", name: "Claims", entity: "Verification",
    terms: [{clock: "VERIFY", goalSeconds: 3600}]}) { created } }"""
DECLARE = """mutation { disclosureDeclare(input: {type: GIFT_RECEIVED, counterparty: "Paper", matter: "A watch", value: "%s",
    currency: "CNY", occurredOn: "2026-03-01"}) { disclosure { id declaredAt } } }"""
CLEAR = 'mutation ($id: ID!) { disclosureClear(input: {id: $id, reason: "Returned."}) { disclosure { status } } }'
GIFT_LIMIT = """mutation { disclosureLimitUpsert(input: {
    type: GIFT_RECEIVED, currency: "CNY", validFrom: "2026-01-01", perPerson: "200"}) { created } }"""
GIFTS = """mutation { slaPolicyUpsert(input: {code: "gifts", name: "Gifts", entity: "Disclosure",
    terms: [{clock: "HAND_IN", goalSeconds: 3600}]}) { created } }"""
SHOW_GIFT = "query ($id: ID!) { disclosure(id: $id) { handInDueAt clocks { nodes { status } } } }"
CLOCKS = (
    """query ($id: ID!) { customer(id: $id) { verifications { nodes { status clocks { nodes { name status } } } } } }"""
)


async def test_a_claim_has_a_clock_until_somebody_looks_at_it(
    bank: Organisation, zhang: StaffKey, wang: StaffKey
) -> None:
    async def clocks(customer: str) -> dict[str, list[str]]:
        nodes = (await bank.client.query(CLOCKS, {"id": customer}))["customer"]["verifications"]["nodes"]
        return {node["status"]: [clock["status"] for clock in node["clocks"]["nodes"]] for node in nodes}

    early = (await _create(bank, zhang))["id"]
    assert await clocks(early) == {"PENDING": []}
    await bank.client.query(POLICY)
    customer = (await _create(bank, zhang))["id"]
    assert await clocks(customer) == {"PENDING": ["RUNNING"]}
    await _update(bank, zhang.key, customer, annualRevenue="5", annualRevenueCurrency="EUR")
    assert await clocks(customer) == {"STALE": ["VOID"], "PENDING": ["RUNNING"]}
    await bank.client.query(CONFIRM, {"id": await _pending(bank, customer)}, key=wang.key)
    assert await clocks(customer) == {"STALE": ["VOID"], "CONFIRMED": ["MET"]}
    await bank.advance("2026-03-02T01:00:01Z")
    assert await clocks(early) == {"PENDING": ["RUNNING"]}  # from when the policy came


async def test_a_gift_that_was_declared_before_its_policy_is_due_when_that_comes(bank: Organisation) -> None:
    person = await bank.hire("Gu")
    gifts = [(await bank.client.query(DECLARE % value, key=person.key))["disclosureDeclare"]["disclosure"]
             for value in ("500", "20", "30")]  # fmt: skip
    await bank.client.query(CLEAR, {"id": gifts[2]["id"]}, key=(await bank.hire("Hua")).key)
    await bank.client.query(GIFT_LIMIT)
    await bank.client.query(GIFTS)
    now = datetime.fromisoformat(gifts[0]["declaredAt"])
    await bank.advance((now + timedelta(seconds=1)).isoformat())
    shown = [(await bank.client.query(SHOW_GIFT, {"id": gift["id"]}))["disclosure"] for gift in gifts]
    due = (now + timedelta(hours=1)).isoformat()[:19]
    assert [(gift["handInDueAt"] or "")[:19] for gift in shown] == [due, "", ""]
    assert [[clock["status"] for clock in gift["clocks"]["nodes"]] for gift in shown] == [["RUNNING"], [], []]


async def test_an_equal_value_claims_nothing(bank: Organisation, zhang: StaffKey, wang: StaffKey) -> None:
    customer = (await _create(bank, zhang))["id"]
    again = await _update(bank, wang.key, customer, annualRevenue="1000000.00", name="Linhai Paper Ltd")
    assert (again["version"], [claim["status"] for claim in await _claims(bank, customer)]) == (2, ["PENDING"])
    claim = await _pending(bank, customer)
    assert await _refused(bank, zhang.key, claim) == "DUAL_CONTROL"
    await bank.client.query(CONFIRM, {"id": claim}, key=wang.key)  # the name changed since, and not the values
    settled = await _update(bank, await bank.issue_key(None, "admin"), customer, **REVENUE)
    assert settled["unverified"] == []


async def test_a_refuted_value_stays_unverified_until_it_is_written_anew(
    bank: Organisation, zhang: StaffKey, wang: StaffKey
) -> None:
    customer = (await _create(bank, zhang))["id"]
    claim = await _pending(bank, customer)
    missing = await bank.client.error(REFUTE, {"id": claim, "note": None}, key=wang.key)
    assert missing["code"] in ("VARIABLE_INVALID", "VALUE_INVALID", "ARGUMENT_MISSING")
    refuted = await bank.client.query(REFUTE, {"id": claim}, key=wang.key)
    assert refuted["verificationRefute"]["verification"] == {
        "status": "REFUTED", "note": "The statement says 2 million.", "verifiedBy": {"name": "Wang"},
    }  # fmt: skip
    assert (await bank.client.query(CLAIMS, {"id": customer}))["customer"]["unverified"] == BOTH
    assert await _refused(bank, wang.key, claim) == "MOVE_INVALID"
    await _update(bank, zhang.key, customer, **REVENUE)  # the same values, claimed once more
    second = await _pending(bank, customer)
    await bank.client.query(CONFIRM, {"id": second}, key=wang.key)
    assert (await bank.client.query(CLAIMS, {"id": customer}))["customer"]["unverified"] == []


async def test_keys_without_a_person_do_not_write_such_values(bank: Organisation, zhang: StaffKey) -> None:
    machine = await bank.issue_key(None, "admin")
    customer = (await _create(bank, zhang))["id"]
    values = {"name": "Machine", **REVENUE}
    for document, variables, argument in (
        (CREATE, values, "input.annualRevenue"),
        (UPDATE, {"id": customer, "annualRevenue": "5"}, "input.annualRevenue"),
        (UPDATE, {"id": customer, "annualRevenue": None, "annualRevenueCurrency": None}, "input.annualRevenue"),
        (UPSERT, {"by": {"id": customer}, "name": "Machine", "annualRevenue": "5"}, "input.annualRevenue"),
    ):
        error = await bank.client.error(document, {"input": variables}, key=machine)
        assert (error["code"], error["argument"]) == ("PERSON_NEEDED", argument)
    bulk = """mutation ($rows: [CustomerUpdateInput!]!) { customersUpdate(input: {rows: $rows}) {
        results { customer { id } } } }"""
    rows = [{"id": customer, "name": "Fine"}, {"id": customer, "annualRevenue": "5"}]
    rejected = await bank.client.error(bulk, {"rows": rows}, key=machine)
    assert [(row["row"], row["code"]) for row in rejected["rows"]] == [(1, "PERSON_NEEDED")]
    named = (await bank.client.query(CREATE, {"input": {"name": "Machine"}}, key=machine))["customerCreate"]["customer"]
    assert named["unverified"] == []


async def test_nobody_writes_the_mark_itself(bank: Organisation, zhang: StaffKey) -> None:
    for document in (CREATE, UPDATE):
        error = await bank.client.error(document, {"input": {"id": "cus_" + "0" * 32, "unverified": []}}, key=zhang.key)
        assert error["code"] in ("VARIABLE_INVALID", "FIELD_UNKNOWN")


async def test_amounts_and_currencies_stand_together(bank: Organisation, zhang: StaffKey) -> None:
    for values in (
        {"annualRevenue": "5"},
        {"annualRevenueCurrency": "CNY"},
        {"annualRevenue": "-5", "annualRevenueCurrency": "CNY"},
    ):
        error = await bank.client.error(CREATE, {"input": {"name": "Half", **values}}, key=zhang.key)
        assert error["code"] == "VALUE_INVALID"


async def test_unverified_facts_are_a_filter(bank: Organisation, zhang: StaffKey, wang: StaffKey) -> None:
    names = {}
    for name in ("Open", "Settled"):
        names[name] = (await _create(bank, zhang, name=f"Filter {name}"))["id"]
    await bank.client.query(CONFIRM, {"id": await _pending(bank, names["Settled"])}, key=wang.key)
    query = """query ($empty: Boolean!) { customers(filter: {name: {startsWith: "Filter"}, unverified: {isEmpty: $empty}}) {
        nodes { name } stats { sum { annualRevenue { amount currency } } } } }"""
    lists = [(await bank.client.query(query, {"empty": empty}, key=wang.key))["customers"] for empty in (True, False)]
    total = {"sum": {"annualRevenue": [{"amount": "1000000.0000", "currency": "CNY"}]}}
    assert lists == [
        {"nodes": [{"name": "Filter Settled"}], "stats": total},
        {"nodes": [{"name": "Filter Open"}], "stats": total},
    ]


async def _role(bank: Organisation, name: str, **customer: Any) -> str:
    """A key of a new person with a role that reads and confirms; `customer` narrows its rule of customers."""
    rules = [
        {"entity": "Customer", "verbs": ["READ", "UPDATE"], **customer},
        {"entity": "Verification", "verbs": ["READ", "UPDATE"]},
    ]
    document = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
    await bank.client.query(document, {"input": {"name": name, "rules": rules}})
    return (await bank.hire(name, role=name)).key


async def test_who_does_not_read_a_value_neither_confirms_it_nor_learns_of_it(
    bank: Organisation, zhang: StaffKey
) -> None:
    customer = (await _create(bank, zhang))["id"]
    claim = await _pending(bank, customer)
    blind = await _role(bank, "blind", fields=["name", "unverified", "verifications"])
    masking = await _role(bank, "masking", masks=[{"field": "annualRevenue", "mask": "NULL"}])
    seeing = await _role(bank, "seeing")
    bare = "mutation ($id: ID!) { verificationConfirm(input: {id: $id}) { verification { status } } }"
    assert await _refused(bank, blind, claim, bare) == "FORBIDDEN"
    assert await _refused(bank, masking, claim, bare) == "FORBIDDEN"
    for document in (
        "{ customers { nodes { unverified } } }",
        "{ customers(filter: {unverified: {isEmpty: false}}) { totalCount } }",
        "{ verifications { nodes { columns } } }",
        "{ verifications { nodes { note } } }",
        "{ verifications { nodes { evidence } } }",
    ):
        error = await bank.client.execute(document, key=blind)
        assert error["errors"][0]["extensions"]["code"] in ("FIELD_UNKNOWN", "ARGUMENT_UNKNOWN"), document
    shown = "query ($id: ID!) { customer(id: $id) { annualRevenue unverified } }"
    masked = await bank.client.query(shown, {"id": customer}, key=masking)
    assert masked == {"customer": {"annualRevenue": None, "unverified": BOTH}}
    confirmed = await bank.client.query(bare, {"id": claim}, key=seeing)
    assert confirmed["verificationConfirm"]["verification"]["status"] == "CONFIRMED"


async def test_a_customer_does_not_learn_of_it(bank: Organisation, zhang: StaffKey) -> None:
    customer = (await _create(bank, zhang))["id"]
    new_key = api_keys.NewKey(name="own", role="customer", customer_id=UUID(customer[4:]))
    key = await api_keys.create(bank.connection, ADMIN, new_key, now=START)
    assert await bank.client.query("{ customers { nodes { id } } }", key=key) == {
        "customers": {"nodes": [{"id": customer}]}
    }
    own = await bank.client.query("{ customers { nodes { verifications { totalCount } } } }", key=key)
    assert own == {"customers": {"nodes": [{"verifications": {"totalCount": 0}}]}}
    for name in ("annualRevenue", "unverified"):
        response = await bank.client.execute(f"{{ customers {{ nodes {{ {name} }} }} }}", key=key)
        assert response["errors"][0]["extensions"]["code"] == "FIELD_UNKNOWN"
    refused = await bank.client.execute(UPDATE, {"input": {"id": customer, **REVENUE}}, key=key)
    assert refused.get("data") is None
    assert refused["errors"]


async def test_a_confirmation_and_a_change_at_once(bank: Organisation, zhang: StaffKey, wang: StaffKey) -> None:
    customer = (await _create(bank, zhang))["id"]
    for number in range(12):
        for pending in [claim for claim in await _claims(bank, customer) if claim["status"] == "PENDING"]:
            confirming = bank.client.execute(CONFIRM, {"id": pending["id"]}, key=wang.key)
            change = {"id": customer, "annualRevenue": str(2_000_000 + number)}
            changing = bank.client.execute(UPDATE, {"input": change}, key=zhang.key)
            confirmed, changed = await asyncio.gather(confirming, changing)
            assert "errors" not in changed
            # Either it was confirmed before it changed, or nothing is left to confirm: never is the new value verified.
            if "errors" in confirmed:
                assert confirmed["errors"][0]["extensions"]["code"] == "MOVE_INVALID"
        state = (await bank.client.query(CLAIMS, {"id": customer}))["customer"]
        pending_names = [n for c in state["verifications"]["nodes"] if c["status"] == "PENDING" for n in c["columns"]]
        assert sorted(pending_names) == sorted(state["unverified"])
        assert "annualRevenue" in state["unverified"]


async def test_a_change_beside_the_hub_is_not_confirmed(bank: Organisation, zhang: StaffKey, wang: StaffKey) -> None:
    customer = (await _create(bank, zhang))["id"]
    claim = await _pending(bank, customer)
    await bank.connection.execute("update customers set annual_revenue = 7 where id = $1", UUID(customer[4:]))
    answered = await bank.client.query(CONFIRM, {"id": claim}, key=wang.key)
    assert answered["verificationConfirm"]["verification"]["status"] == "STALE"
    assert (await bank.client.query(CLAIMS, {"id": customer}))["customer"]["unverified"] == BOTH


async def test_the_post_of_the_one_who_confirms_is_not_the_claimants(bank: Organisation) -> None:
    former, present = await bank.hire("Former", unit="JUNAN"), await bank.hire("Present", unit="JUNAN")
    await bank.appoint(former)
    await bank.connection.execute("update job_roles set from_at = from_at - interval '1 day'")
    await bank.appoint(present)
    claim = await _pending(bank, (await _create(bank, present))["id"])
    assert await _refused(bank, former.key, claim) == "DUAL_CONTROL"


async def test_the_claimant_adds_proof_and_the_past_keeps_what_was(
    bank: Organisation, zhang: StaffKey, wang: StaffKey
) -> None:
    customer = (await _create(bank, zhang))["id"]
    claim = await _pending(bank, customer)
    document = """mutation ($id: ID!) { verificationEvidenceSet(input: {id: $id, evidence: {page: 3}}) {
        verification { evidence } } }"""
    assert (await bank.client.error(document, {"id": claim}, key=wang.key))["code"] == "DUAL_CONTROL"
    stored = await bank.client.query(document, {"id": claim}, key=zhang.key)
    assert stored["verificationEvidenceSet"]["verification"] == {"evidence": {"page": 3}}
    await bank.client.query(CONFIRM, {"id": claim}, key=wang.key)
    history = """query ($id: ID!) { customer(id: $id) { history { nodes {
        before { unverified } after { unverified annualRevenue } } } } }"""
    nodes = (await bank.client.query(history, {"id": customer}))["customer"]["history"]["nodes"]
    changes = [(node["before"] and node["before"]["unverified"], node["after"]["unverified"]) for node in nodes]
    assert sorted(changes, key=str) == sorted([(BOTH, []), (None, BOTH)], key=str)
