-- Seals read postings in the order of their sequence. Rows lie in nearly that order, so bounds for stretches of the
-- table are enough; an index on every row would be paid for by every posting.
CREATE INDEX ledger_posting_seq_brin ON ledger_posting USING brin (seq) WITH (pages_per_range = 32);

-- ---------------------------------------------------------------------------------------------------------
-- Projections against the log they follow from. `drivers` and `accounts` narrow it to driver accounts and to
-- accounts of the chart; null is all of them, an empty array none.
CREATE FUNCTION ledger_projection_differences(drivers bigint[], accounts int[])
RETURNS TABLE (projection text, owner_id bigint, name text, was jsonb, should_be jsonb)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  WITH posting AS MATERIALIZED (
    SELECT id, seq, account_id, category, reference_id, amount, effective_on, due_on, created_at
      FROM ledger_posting WHERE drivers IS NULL OR account_id = ANY (drivers)
  ),
  side AS MATERIALIZED (
    SELECT debit_id AS item, credit_id AS other, amount, effective_on, id FROM ledger_allocation
     WHERE drivers IS NULL OR account_id = ANY (drivers)
    UNION ALL
    SELECT credit_id, debit_id, -amount, effective_on, id FROM ledger_allocation
     WHERE drivers IS NULL OR account_id = ANY (drivers)
  ),
  moved AS (SELECT item, sum(amount) AS amount, max(effective_on) AS last_on FROM side GROUP BY item),
  in_force AS (
    SELECT item, array_agg(other ORDER BY other) AS refs
      FROM (SELECT item, other FROM side GROUP BY item, other HAVING sum(amount) <> 0) net GROUP BY item
  ),
  item AS (
    SELECT coalesce(p.account_id, b.account_id) AS account_id, p.seq,
           coalesce(p.category || ' ' || p.reference_id, b.category || ' ' || b.reference_id) AS name,
           CASE WHEN b.posting_id IS NOT NULL THEN jsonb_build_object(
             'account', b.account_id, 'category', b.category, 'reference', b.reference_id,
             'original_amount', b.original_amount, 'balance', b.balance, 'effective_on', b.effective_on,
             'due_on', b.due_on, 'created_at', b.created_at, 'last_allocated_on', b.last_allocated_on,
             'applied_payment_refs', ARRAY(SELECT unnest(b.applied_payment_refs) ORDER BY 1)
           ) END AS was,
           CASE WHEN p.id IS NOT NULL THEN jsonb_build_object(
             'account', p.account_id, 'category', p.category, 'reference', p.reference_id,
             'original_amount', p.amount, 'balance', p.amount - coalesce(m.amount, 0), 'effective_on', p.effective_on,
             'due_on', p.due_on, 'created_at', p.created_at, 'last_allocated_on', m.last_on,
             'applied_payment_refs', coalesce(f.refs, '{}')
           ) END AS should_be
      FROM posting p
      FULL JOIN (
        SELECT * FROM ledger_balance WHERE drivers IS NULL OR account_id = ANY (drivers)
      ) b ON b.posting_id = p.id
      LEFT JOIN moved m ON m.item = p.id
      LEFT JOIN in_force f ON f.item = p.id
     WHERE p.id IS NULL OR b.posting_id IS NULL
        OR (b.account_id, b.category, b.reference_id, b.original_amount, b.balance, b.effective_on, b.due_on,
            b.created_at, b.last_allocated_on)
           IS DISTINCT FROM
           (p.account_id, p.category, p.reference_id, p.amount, p.amount - coalesce(m.amount, 0), p.effective_on,
            p.due_on, p.created_at, m.last_on)
        OR NOT (b.applied_payment_refs @> coalesce(f.refs, '{}') AND b.applied_payment_refs <@ coalesce(f.refs, '{}')
                AND cardinality(b.applied_payment_refs) = cardinality(coalesce(f.refs, '{}')))
  ),
  guarded AS (
    SELECT a.id, a.code, a.overdraft_limit,
           coalesce(sum(CASE WHEN (l.side = 'DR') = (a.type IN ('ASSET', 'EXPENSE')) THEN l.amount ELSE -l.amount END),
                    0) AS amount
      FROM chart_of_accounts a
      LEFT JOIN ledger_entry_line l ON l.account_id = a.id
     WHERE a.overdraft_limit IS NOT NULL AND (accounts IS NULL OR a.id = ANY (accounts))
     GROUP BY a.id
  )
  SELECT 'driver account', a.id, 'account ' || a.id, jsonb_build_object('balance', a.balance),
         jsonb_build_object('balance', coalesce(p.amount, 0))
    FROM driver_account a
    LEFT JOIN (SELECT account_id, sum(amount) AS amount FROM posting GROUP BY 1) p ON p.account_id = a.id
   WHERE (drivers IS NULL OR a.id = ANY (drivers)) AND a.balance <> coalesce(p.amount, 0)
  UNION ALL
  SELECT 'open item', account_id, name, was, should_be FROM item
  UNION ALL
  SELECT 'guarded balance', coalesce(a.id, g.account_id), 'account ' || coalesce(a.code, c.code),
         CASE WHEN g.account_id IS NOT NULL THEN jsonb_build_object('balance', g.balance, 'floor', g.floor) END,
         CASE WHEN a.id IS NOT NULL THEN jsonb_build_object('balance', a.amount, 'floor', -a.overdraft_limit) END
    FROM guarded a
    FULL JOIN (SELECT * FROM guarded_balance WHERE accounts IS NULL OR account_id = ANY (accounts)) g
      ON g.account_id = a.id
    LEFT JOIN chart_of_accounts c ON c.id = g.account_id
   WHERE (g.balance, g.floor) IS DISTINCT FROM (a.amount, -a.overdraft_limit)
   ORDER BY 1, 2, 3
$$;

-- The door by which a projection is written anew: inserting a driver account or an account of the chart here makes
-- what follows from its log be what the log says. No number comes in from outside, so whoever may insert can do no
-- harm; and it is a trigger that writes, so that everybody else's direct writes stay refused.
CREATE VIEW ledger_rebuild AS SELECT NULL::bigint AS driver_account_id, NULL::int AS account_id WHERE false;

CREATE FUNCTION ledger_rebuild_projections() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  orphan text;
BEGIN
  IF NEW.driver_account_id IS NOT NULL THEN
    PERFORM FROM driver_account WHERE id = NEW.driver_account_id FOR UPDATE;
    SELECT b.category || ' ' || b.reference_id INTO orphan
      FROM ledger_balance b LEFT JOIN ledger_posting p ON p.id = b.posting_id
     WHERE b.account_id = NEW.driver_account_id AND p.id IS NULL LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION 'the open item % has no posting: the log itself was changed, and nothing follows from it', orphan
        USING ERRCODE = 'BC006';
    END IF;
    WITH side AS (
      SELECT debit_id AS item, credit_id AS other, amount, effective_on, id FROM ledger_allocation
       WHERE account_id = NEW.driver_account_id
      UNION ALL
      SELECT credit_id, debit_id, -amount, effective_on, id FROM ledger_allocation
       WHERE account_id = NEW.driver_account_id
    ),
    moved AS (SELECT item, sum(amount) AS amount, max(effective_on) AS last_on FROM side GROUP BY item),
    in_force AS (
      SELECT item, array_agg(other ORDER BY first_id) AS refs
        FROM (SELECT item, other, min(id) AS first_id FROM side GROUP BY item, other HAVING sum(amount) <> 0) net
       GROUP BY item
    )
    INSERT INTO ledger_balance
      (posting_id, account_id, category, reference_id, original_amount, balance, effective_on, due_on, created_at,
       last_allocated_on, applied_payment_refs)
    SELECT p.id, p.account_id, p.category, p.reference_id, p.amount, p.amount - coalesce(m.amount, 0), p.effective_on,
           p.due_on, p.created_at, m.last_on, coalesce(f.refs, '{}')
      FROM ledger_posting p
      LEFT JOIN moved m ON m.item = p.id
      LEFT JOIN in_force f ON f.item = p.id
     WHERE p.account_id = NEW.driver_account_id
    ON CONFLICT (posting_id) DO UPDATE
      SET account_id = EXCLUDED.account_id, category = EXCLUDED.category, reference_id = EXCLUDED.reference_id,
          original_amount = EXCLUDED.original_amount, balance = EXCLUDED.balance,
          effective_on = EXCLUDED.effective_on, due_on = EXCLUDED.due_on, created_at = EXCLUDED.created_at,
          last_allocated_on = EXCLUDED.last_allocated_on, applied_payment_refs = EXCLUDED.applied_payment_refs
      WHERE (ledger_balance.account_id, ledger_balance.category, ledger_balance.reference_id,
             ledger_balance.original_amount, ledger_balance.balance, ledger_balance.effective_on,
             ledger_balance.due_on, ledger_balance.created_at, ledger_balance.last_allocated_on)
            IS DISTINCT FROM
            (EXCLUDED.account_id, EXCLUDED.category, EXCLUDED.reference_id, EXCLUDED.original_amount,
             EXCLUDED.balance, EXCLUDED.effective_on, EXCLUDED.due_on, EXCLUDED.created_at,
             EXCLUDED.last_allocated_on)
         OR ARRAY(SELECT unnest(ledger_balance.applied_payment_refs) ORDER BY 1)
            <> ARRAY(SELECT unnest(EXCLUDED.applied_payment_refs) ORDER BY 1);
    UPDATE driver_account a SET balance = p.amount
      FROM (SELECT coalesce(sum(amount), 0) AS amount FROM ledger_posting WHERE account_id = NEW.driver_account_id) p
     WHERE a.id = NEW.driver_account_id AND a.balance <> p.amount;
  END IF;
  IF NEW.account_id IS NOT NULL THEN
    -- Nobody enters between adding the lines up and writing their sum.
    LOCK TABLE ledger_entry_line IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM guarded_balance g USING chart_of_accounts a
     WHERE g.account_id = NEW.account_id AND a.id = g.account_id AND a.overdraft_limit IS NULL;
    INSERT INTO guarded_balance (account_id, balance, floor)
    SELECT a.id,
           coalesce(sum(CASE WHEN (l.side = 'DR') = (a.type IN ('ASSET', 'EXPENSE')) THEN l.amount ELSE -l.amount END),
                    0),
           -a.overdraft_limit
      FROM chart_of_accounts a LEFT JOIN ledger_entry_line l ON l.account_id = a.id
     WHERE a.id = NEW.account_id AND a.overdraft_limit IS NOT NULL
     GROUP BY a.id
    ON CONFLICT (account_id) DO UPDATE SET balance = EXCLUDED.balance, floor = EXCLUDED.floor;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER ledger_rebuild INSTEAD OF INSERT ON ledger_rebuild
  FOR EACH ROW EXECUTE FUNCTION ledger_rebuild_projections();
