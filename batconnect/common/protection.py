"""Triggers for tables whose history must stand: declare one of these lists in a model's `Meta.triggers`."""

import pgtrigger

NEVER_TRUNCATED = [
    pgtrigger.Trigger(
        name="no_truncate",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func="RAISE EXCEPTION 'TRUNCATE of % is refused: its history must stand', TG_TABLE_NAME;",
    ),
]
NEVER_DELETED = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete), *NEVER_TRUNCATED]
APPEND_ONLY = [*NEVER_DELETED, pgtrigger.Protect(name="no_update", operation=pgtrigger.Update)]
