"""Which source is believed: for each field of a customer, a policy that chooses among what the sources say."""

from hub import model
from hub.model import GLOBAL, Column, Entity, PersonalData, every_unit


class SurvivorshipPolicy(
    Entity,
    prefix="svp",
    owned_by=every_unit,
    plural="survivorshipPolicies",
    table="survivorship_policies",
    permission="customers",
    operations=(),
    order="field",
    sortable=("updated_at",),
):
    """How the value of one field is chosen among those of several sources. Without one, the last value counts."""

    field: Column[str] = model.field(
        "Name of the field of customers: `name`, `bornOn`.",
        unique=GLOBAL,
        upsert_key=False,
        sortable=True,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    criteria: Column[list[str]] = model.field(
        "Criteria in the order in which they decide; what they leave open, the latest word decides.",
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    trusted_sources: Column[list[str]] = model.field(
        "Sources for SOURCE_TRUST, the most trusted first.",
        server_default={},
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
