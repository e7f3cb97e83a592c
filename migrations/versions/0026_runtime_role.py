"""A database role that owns nothing and reads no secret: the hub serves with it.

Creates the role `hub_runtime` if this user may; otherwise the hub stays the owner until a superuser creates the role. Grants
lock nothing but the catalog."""

from collections.abc import Sequence

from alembic import op

revision: str = "0026"
down_revision: str | None = "0025"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Grants everything that serving needs; called after all migrations, and again by every later `hub migrate`. It gives up
# without an error where the role is missing and cannot be created. Tables that migrations add later get the rights of
# DEFAULT PRIVILEGES at once. Secret columns are those that the change log leaves out, and those of `hidden`.
GRANT = r"""
create function hub_grant_runtime() returns boolean
language plpgsql as $$
declare
    place text := quote_ident(current_schema());
    hidden jsonb := '{"webhook_secrets": ["box"], "login_links": ["hash"], "token_sessions": ["hash"], "secrets": ["value"]}';
    target record;
begin
    begin
        if not exists (select from pg_roles where rolname = 'hub_runtime') then
            create role hub_runtime nologin;
        end if;
        if not pg_has_role('hub_runtime', 'set') then
            execute format('grant hub_runtime to %I with inherit false, set true', current_user);
        end if;
    exception when insufficient_privilege then
        return false;
    when duplicate_object or unique_violation then
        null;  -- another database of the cluster was faster
    end;
    execute format('grant usage on schema %s to hub_runtime', place);
    execute format('grant select, insert, update, delete on all tables in schema %s to hub_runtime', place);
    execute format('grant usage, select on all sequences in schema %s to hub_runtime', place);
    execute format('alter default privileges in schema %s grant select, insert, update, delete on tables to hub_runtime', place);
    execute format('alter default privileges in schema %s grant usage, select on sequences to hub_runtime', place);
    for target in
        select secret.table_name, array_agg(secret.column_name) as columns from (
            select table_name, column_name from change_exceptions where reason = 'secret'
            union all
            select key, column_name from jsonb_each(hidden) cross join jsonb_array_elements_text(value) as names (column_name)
        ) as secret where to_regclass(secret.table_name) is not null group by secret.table_name
    loop
        execute format('revoke select on %I from hub_runtime', target.table_name);
        execute format('grant select (%s) on %I to hub_runtime', (
            select string_agg(quote_ident(attname), ', ') from pg_attribute
            where attrelid = target.table_name::regclass and attnum > 0 and not attisdropped and attname <> all(target.columns)
        ), target.table_name);
    end loop;
    revoke all on secrets, login_links from hub_runtime;
    revoke insert, update, delete on audit_entries, audit_targets, audit_chain, audit_head, audit_checkpoints from hub_runtime;
    revoke all on audit_pending from hub_runtime;
    grant insert, select (id) on audit_pending to hub_runtime;
    revoke insert, update, delete on alembic_version, change_exceptions from hub_runtime;
    grant execute on function hub_audit_chain(bigint, bytea[], bytea[], jsonb, integer) to hub_runtime;
    grant execute on function hub_audit_erase(uuid, text[]) to hub_runtime;
    grant execute on function hub_webhook_boxes(uuid, timestamptz) to hub_runtime;
    return true;
end
$$
"""

# Sealed secrets of one webhook, for the signature of a delivery; the key that opens them is the hub's.
BOXES = """
create function hub_webhook_boxes(of uuid, at timestamptz) returns bytea[]
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select array(
        select box from webhook_secrets where webhook_id = of and (ends_at is null or ends_at > at) order by id desc
    )
$$
"""

# A rotated key keeps its previous hash, which whoever rotates it cannot read.
ROTATE = """
create function hub_keep_previous_hash() returns trigger
language plpgsql as $$
begin
    new.previous_hash := old.hash;
    return new;
end
$$
"""


def upgrade() -> None:
    op.execute(BOXES)
    op.execute("revoke execute on function hub_webhook_boxes(uuid, timestamptz) from public")
    op.execute(ROTATE)
    op.execute(
        "create trigger keep_previous_hash before update of hash on api_keys for each row "
        "when (new.hash <> old.hash) execute function hub_keep_previous_hash()"
    )
    op.execute(GRANT)


def downgrade() -> None:
    op.execute("drop trigger keep_previous_hash on api_keys")
    op.execute("drop function hub_keep_previous_hash()")
    op.execute("drop function hub_grant_runtime()")
    op.execute("drop function hub_webhook_boxes(uuid, timestamptz)")
