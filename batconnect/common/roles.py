"""The database role the application works as: it owns nothing, and may not do what history forbids.

Migrations run as the owner; production connects as a login that is a member of `batconnect_app`. After every
`migrate` the role's rights are set anew from what the apps declare: rows of any table, except where an app's
`application_rights` says less. See docs/decisions/005-application-role.md.
"""

from typing import Any

from django.apps import apps
from django.db import connections
from psycopg import sql

from . import locks

APPLICATION_ROLE = "batconnect_app"

_CREATE = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'batconnect_app') THEN
    CREATE ROLE batconnect_app NOLOGIN;
  END IF;
EXCEPTION
  -- Roles are the cluster's: another database may be making it at this moment.
  WHEN duplicate_object OR unique_violation THEN NULL;
  WHEN insufficient_privilege THEN RAISE NOTICE 'role batconnect_app is missing, and this user may not create it';
END $$
"""
_GRANT_ALL = """
GRANT USAGE ON SCHEMA public TO batconnect_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO batconnect_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO batconnect_app;
REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM batconnect_app;
"""
# What is written through a partitioned table needs no right to its partitions; those of a bulk run have none either
# while they are not attached yet.
_REVOKE_PARTITIONS = """
DO $$ DECLARE leaf regclass; BEGIN
  FOR leaf IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
                 AND (relispartition OR relname ~ '^ledger_entry_(header|line)_[0-9]{6}_[0-9]+$') LOOP
    EXECUTE format('REVOKE ALL ON %s FROM batconnect_app', leaf);
  END LOOP;
END $$
"""

# A function that runs as its owner is a key to what the role may not do itself: as a trigger on a table of one's
# own, it would act on invented rows. So nobody may use one but whom it is meant for, nor make tables of his own.
_KEEP_OWNERS_FUNCTIONS = """
DO $$ DECLARE owners record; BEGIN
  FOR owners IN
    SELECT p.oid::regprocedure AS name, p.prorettype <> 'trigger'::regtype AS is_called
      FROM pg_proc p
     WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
  LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', owners.name);
    IF owners.is_called AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'batconnect_app') THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO batconnect_app', owners.name);
    END IF;
  END LOOP;
  BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
  EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'whoever owns the database should revoke TEMPORARY on it from PUBLIC';
  END;
END $$
"""


def grant_application_role(using: str = "default", **_signal: Any) -> None:
    """Make the role if it is missing and set its rights; called after `migrate`."""
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [locks.APPLICATION_ROLE])
        try:
            cursor.execute(_CREATE)
            cursor.execute(_KEEP_OWNERS_FUNCTIONS)
            cursor.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [APPLICATION_ROLE])
            if not cursor.fetchone()[0]:
                return
            cursor.execute(_GRANT_ALL)
            cursor.execute(_REVOKE_PARTITIONS)
            existing = set(connection.introspection.table_names(cursor))
            for config in apps.get_app_configs():
                for table, rights in getattr(config, "application_rights", {}).items():
                    if table in existing:
                        _restrict(cursor, table, rights)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [locks.APPLICATION_ROLE])


def _restrict(cursor: Any, table: str, rights: str) -> None:
    name = sql.Identifier(table)
    role = sql.Identifier(APPLICATION_ROLE)
    cursor.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(name, role))
    cursor.execute(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), name, role))
