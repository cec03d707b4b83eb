-- Deposits: what an account has paid in is found by a small index, and no more than that is ever applied.

-- The posting a charge stands on now: itself, or the last of the corrections that replaced one another (REF/2, REF/3).
-- Each step is a look into the unique index on `replaces_id`.
CREATE FUNCTION ledger_latest_posting(first uuid) RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
  WITH RECURSIVE chain AS (
    SELECT first AS id, 1 AS number
    UNION ALL
    SELECT p.id, chain.number + 1 FROM chain JOIN ledger_posting p ON p.replaces_id = chain.id
  )
  SELECT id FROM chain ORDER BY number DESC LIMIT 1
);

-- What was paid of an account's deposits, and not applied yet. In plpgsql, which keeps its plan.
CREATE FUNCTION ledger_deposit_left(account bigint) RETURNS numeric
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
  RETURN (
    SELECT coalesce(sum(p.amount - CASE p.category WHEN 'DEPOSIT' THEN b.balance ELSE 0 END), 0)
      FROM ledger_posting p
      -- An applied deposit's own open item says nothing here, and is not there yet when the rule below asks.
      LEFT JOIN ledger_balance b ON b.posting_id = p.id AND p.category = 'DEPOSIT'
     WHERE p.account_id = account AND p.category IN ('DEPOSIT', 'DEPOSIT_APPLIED')
  );
END $$;

CREATE FUNCTION ledger_deposit_applied() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  -- Whoever else would apply it waits, and then finds it applied.
  PERFORM FROM driver_account WHERE id = NEW.account_id FOR NO KEY UPDATE;
  IF ledger_deposit_left(NEW.account_id) < 0 THEN
    RAISE EXCEPTION '% applies more of the deposit than was collected', NEW.reference_id USING ERRCODE = 'BC038';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_deposit_applied AFTER INSERT ON ledger_posting
  FOR EACH ROW WHEN (NEW.category = 'DEPOSIT_APPLIED' AND NEW.amount < 0) EXECUTE FUNCTION ledger_deposit_applied();
