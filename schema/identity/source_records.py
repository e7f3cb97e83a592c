"""What each source says of a customer. hub/model/provenance.py writes it, beside the values themselves."""

from datetime import datetime

from hub.model import WITHIN_CUSTOMER, Column, Entity, Json, PersonalData, field, inside, unique, unite

# Of each fact the one that was said later.
_LATER_FACTS = """(
    select coalesce(jsonb_object_agg(key, value), '{}') from (
        select distinct on (key) key, value from (
            select key, value from jsonb_each(t.facts) union all select key, value from jsonb_each(twin.facts)
        ) as said order by key, (value ->> 1)::timestamp desc, value
    ) as later
)"""


class SourceRecord(
    Entity,
    prefix="src",
    owned_by=inside("The customer."),
    captured=False,
    derived=True,
    permission="customers",
    writable_by=("unit",),
    operations=(),
    order="source",
    unique=(unique("customer_id", "source", among=WITHIN_CUSTOMER),),
    merge=unite("source", taken={"facts": _LATER_FACTS, "observed_at": "greatest(t.observed_at, twin.observed_at)"}),
    checks={"facts_are_an_object": "jsonb_typeof(facts) = 'object'"},
):
    """What a source says of a customer: a system, or a person (`manual`)."""

    source: Column[str] = field(
        "The source: of a key, of an import, of `identify`; `manual` for people, `api` for keys without one.",
        sortable=True,
        writable="command",
        personal=PersonalData.TECHNICAL,
    )
    facts: Column[Json] = field(
        "By field, the value and when the source said it last; `Customer.fieldSources` shows them field by field.",
        server_default={},
        hidden=True,
        personal=PersonalData.COPY,
    )
    observed_at: Column[datetime] = field(
        "Time at which the source last said something.", writable="command", personal=PersonalData.BEHAVIOUR
    )
