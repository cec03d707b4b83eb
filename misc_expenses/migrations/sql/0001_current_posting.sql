-- The posting an expense stands on now: its own, or the last of the corrections that replaced one another (MISC-…/2).
-- Each step is a look into the unique index on `replaces_id`.
CREATE FUNCTION misc_expense_current_posting(first uuid) RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
  WITH RECURSIVE chain AS (
    SELECT first AS id, 1 AS number
    UNION ALL
    SELECT p.id, chain.number + 1 FROM chain JOIN ledger_posting p ON p.replaces_id = chain.id
  )
  SELECT id FROM chain ORDER BY number DESC LIMIT 1
);
