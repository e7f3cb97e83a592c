"""The declarations: one package per context, one file per entity with its parts. A new entity is one line in MODULES."""

from functools import cache
from importlib import import_module

from hub.model import Entity, RootGroup

# The files that declare entities, in the order in which the API lists their types.
MODULES = (
    "customers.customers",
    "customers.stage_moves",
    "customers.contacts",
    "customers.addresses",
    "organisation.units",
    "organisation.staff",
    "sales.products",
    "sales.orders",
    "engagement.interactions",
    "scoring.scores",
    "scoring.score_models",
    "privacy.consents",
    "customers.identity_reviews",
    "webhooks.webhooks",
    "access.api_keys",
    "access.roles",
    "audit.audit_log",
    "work.calendars",
    "work.code_rules",
    "work.processes",
    "work.work_items",
    "work.sla_policies",
    "work.clocks",
    "work.notifications",
    "work.teams",
    "work.job_roles",
    "work.assignments",
    "work.moves",
    "work.milestones",
    "work.tasks",
    "work.reports",
    "work.me",
    "work.credentials",
    "work.verifications",
    "work.claims",
    "work.disclosures",
    "jobs.jobs",
    "exchange.imports",
    "identity.merges",
    "identity.source_records",
    "identity.survivorship",
    "matching.match_candidates",
    "segments.segments",
)


@cache
def entities() -> tuple[type[Entity], ...]:
    """Every declared entity, in the order of MODULES and of the classes in each."""
    modules = [import_module(f"{__name__}.{module}") for module in MODULES]
    return tuple(
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Entity) and value.__module__ == module.__name__
    )


@cache
def root_groups() -> tuple[RootGroup, ...]:
    """Every declared root that is no entity, in the order of MODULES."""
    modules = [import_module(f"{__name__}.{module}") for module in MODULES]
    return tuple(value for module in modules for value in vars(module).values() if isinstance(value, RootGroup))
