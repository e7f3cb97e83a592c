"""Who may import whom: packages, bounded contexts, and libraries that belong to some rooms."""

# Each package, and the packages below that it may import. Its own files it always may.
FOUNDATION = (
    "hub.settings",
    "hub.setting_types",
    "hub.token_issuers",
    "hub.errors",
    "hub.time_source",
    "hub.deadlines",
    "hub.rights",
    "hub.viewer",
    "hub.client_limits",
    "hub.observability",
    "hub.wakeups",
    "hub.event_log",
    "hub.log_output",
    "hub.text_case",
    "hub.loop_turns",
    "hub.runtime_login",
)
DECLARED = ("hub.graph", "hub.schema", "hub.domain", "hub.engine", "hub.model", "hub.db", *FOUNDATION)
PUBLISHING = ("hub.webhooks", "hub.subscriptions", "hub.changefeed")
COMMANDS = (
    *("hub.installation", "hub.match_command_line", "hub.segment_sample"),
    *(
        f"hub.{name}_command_line"
        for name in ("audit", "client", "clock", "export", "import", "job", "key", "projection", "role")
    ),
)
TOP = (
    *COMMANDS,
    "hub.__main__",
    "hub.cli",
    "hub.launch",
    "hub.app",
    "hub.scheduler",
    "hub.timer_loop",
    "hub.background_work",
    "hub.worker",
    "hub.worker_process",
    "hub.report_runner",
    "hub.score_sample",
    "hub.work_sample",
    "hub.doctor",
    "hub.keyfile",
    "hub.terminal",
)
ALLOWED_IMPORTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        TOP,
        (
            *TOP,
            "hub.web",
            "hub.jobs",
            "hub.projections",
            *PUBLISHING,
            *DECLARED,
            "hub.demo",
            "hub.postgres",
            "hub.runtime_login",
        ),
    ),
    "hub.web": (*PUBLISHING, *DECLARED),
    "hub.webhooks": ("hub.subscriptions", "hub.changefeed", *DECLARED),
    "hub.subscriptions": ("hub.changefeed", *DECLARED),
    "hub.changefeed": DECLARED,
    "hub.jobs": ("hub.changefeed", *DECLARED),
    "hub.projections": ("hub.changefeed", *DECLARED),
    "hub.graph": ("hub.schema", "hub.domain", "hub.engine", "hub.model"),
    "hub.domain": ("hub.schema", "hub.model", "hub.db", *FOUNDATION),
    "hub.schema": ("hub.model",),
    "hub.engine": ("hub.model", "hub.db", *FOUNDATION),
    "hub.model": ("hub.db", *FOUNDATION),
    "hub.db": FOUNDATION,
    "hub.demo": ("hub.jobs", *DECLARED),
    "hub.postgres": ("hub.settings", "hub.errors", "hub.runtime_login"),
    "hub.settings": ("hub.errors", "hub.setting_types", "hub.token_issuers"),
    "hub.setting_types": (),
    "hub.token_issuers": (),
    "hub.viewer": ("hub.client_limits", "hub.errors", "hub.rights"),
    "hub.rights": ("hub.client_limits",),
    "hub.observability": (),
    "hub.wakeups": ("hub.observability",),
    "hub.event_log": ("hub.observability", "hub.log_output"),
    "hub.deadlines": (),
    "hub.errors": (),
    **dict.fromkeys(
        (
            "hub.client_limits",
            "hub.text_case",
            "hub.loop_turns",
            "hub.log_output",
            "hub.time_source",
            "hub.runtime_login",
        ),
        (),
    ),
    "hub.migrations": ("hub.schema", "hub.domain", "hub.model", "hub.db", "hub.settings"),
    "hub": (),
}
IMPORT_EXCEPTIONS = {
    ("hub.db.migrate", "hub.migrations"): "only to know where the scripts lie",
}

# Bounded contexts, in schema and in domain: each may import those before it.
CONTEXTS = (
    "organisation",
    "customers",
    "sales",
    "access",
    "engagement",
    "scoring",
    "webhooks",
    "privacy",
    "work",
    "jobs",
    "exchange",
    "identity",
    "segments",
)
# All of the model that a declaration knows: no rule and no writer.
VOCABULARY = (
    "hub.model",
    *(f"hub.model.{name}" for name in ("validators", "working_time", "code_patterns", "clock_expressions")),
    *("hub.model.field_sources", "hub.model.viewer_rows"),
)

# Names of entities that the engine uses in another sense.
HOMONYMS = {
    "Order": "the sort order of a list",
    "roles": "what the variables of an operation are for",
    "moves": "what a row does that comes to another unit",
}

# Libraries that belong to some rooms; () stands for none.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "graphql": ("hub.engine",),
    "strawberry": ("hub.engine", "hub.model", "hub.schema"),
    "starlette": ("hub.web", "hub.app"),
    "uvicorn": ("hub.web",),
    "websockets": ("hub.web",),
    "joserfc": ("hub.web",),
    "alembic": ("hub.db", "hub.migrations"),
    "sqlalchemy": ("hub.app", "hub.domain", "hub.engine", "hub.model", "hub.db", "hub.demo", "hub.migrations"),
    "asyncpg": ("hub.db", "hub.model", "hub.domain", "hub.jobs", "hub.demo", "hub.doctor", "hub.postgres"),
    **dict.fromkeys(("psycopg", "psycopg2", "pg8000", "databases", "sqlmodel"), ()),
}
LOADED_BY_NAME = {
    "schema/__init__.py": "an entity is one line in MODULES",
    "hub/graph.py": "a rule file needs no line",
}
