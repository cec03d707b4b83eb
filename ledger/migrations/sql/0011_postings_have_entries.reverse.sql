DROP FUNCTION ledger_enter;
DROP FUNCTION ledger_post;

CREATE OR REPLACE FUNCTION ledger_posting_inserted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  earliest date;
  reversals boolean;
  ahead boolean;
  voided boolean;
  wrong record;
BEGIN
  SELECT min(effective_on), bool_or(reversal_for_id IS NOT NULL OR replaces_id IS NOT NULL),
         bool_or(greatest(event_on, effective_on) > (statement_timestamp() AT TIME ZONE 'America/New_York')::date
                 OR created_at > statement_timestamp()),
         bool_or(status <> 'POSTED')
    INTO earliest, reversals, ahead, voided FROM new_rows;
  IF earliest IS NULL THEN
    RETURN NULL;
  END IF;
  IF ahead THEN
    RAISE EXCEPTION 'a posting can neither have happened nor be dated in the future' USING ERRCODE = 'BC002';
  END IF;
  IF voided THEN
    RAISE EXCEPTION 'a posting begins as POSTED; its reversal turns it VOIDED' USING ERRCODE = 'BC006';
  END IF;
  PERFORM ledger_check_open(earliest, 'a posting');

  -- References, checked together: a constraint each would look every row up one by one.
  SELECT n.id, n.reference_id INTO wrong
    FROM new_rows n
    LEFT JOIN driver_account a ON a.id = n.account_id AND a.driver_id = n.driver_id AND a.lease_id = n.lease_id
    LEFT JOIN vehicle v ON v.id = n.vehicle_id
    LEFT JOIN medallion m ON m.id = n.medallion_id
    LEFT JOIN common_user u ON u.id = n.created_by_id
   WHERE a.id IS NULL OR v.id IS NULL OR m.id IS NULL OR u.id IS NULL
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'posting % names an account, driver, lease, vehicle, medallion or user that does not exist or fit', wrong.reference_id
      USING ERRCODE = 'BC002';
  END IF;

  IF reversals THEN
    SELECT n.reference_id INTO wrong
      FROM new_rows n LEFT JOIN ledger_posting o ON o.id = n.reversal_for_id
     WHERE n.reversal_for_id IS NOT NULL
       AND (o.id IS NULL OR o.reversal_for_id IS NOT NULL OR o.amount <> -n.amount
            OR o.account_id <> n.account_id OR o.category <> n.category
            OR o.reference_id <> n.reference_id)
     LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION 'the reversal of % is not the opposite of an original on the same account', wrong.reference_id
        USING ERRCODE = 'BC002';
    END IF;
    SELECT n.reference_id INTO wrong
      FROM new_rows n LEFT JOIN ledger_posting o ON o.id = n.replaces_id
     WHERE n.replaces_id IS NOT NULL
       AND (o.id IS NULL OR o.category <> n.category OR o.status <> 'VOIDED');
    IF FOUND THEN
      RAISE EXCEPTION '% replaces a posting that is not a voided one of its category', wrong.reference_id
        USING ERRCODE = 'BC002';
    END IF;
    IF EXISTS (
      SELECT FROM new_rows n JOIN dtr d ON d.payout_id = n.reversal_for_id
       WHERE n.category = 'PAYOUT' AND d.status = 'PAID'
    ) THEN
      RAISE EXCEPTION 'a payout that was paid cannot be voided' USING ERRCODE = 'BC004';
    END IF;
    UPDATE ledger_posting o SET status = 'VOIDED' FROM new_rows n WHERE o.id = n.reversal_for_id;
  END IF;

  INSERT INTO ledger_balance
    (posting_id, account_id, category, reference_id, original_amount, balance, effective_on, due_on, created_at)
  SELECT id, account_id, category, reference_id, amount, amount, effective_on, due_on, created_at
    FROM new_rows ORDER BY seq;

  UPDATE driver_account a SET balance = a.balance + moved.amount
    FROM (SELECT account_id, sum(amount) AS amount FROM new_rows GROUP BY account_id) moved
   WHERE a.id = moved.account_id;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION ledger_allocation_inserted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  earliest date;
  latest date;
  undoing boolean;
  wrong record;
BEGIN
  SELECT min(effective_on), max(effective_on), bool_or(amount < 0) INTO earliest, latest, undoing FROM new_rows;
  IF earliest IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM ledger_check_open(earliest, 'an allocation');

  SELECT n.effective_on,
         (c.account_id = n.account_id AND c.original_amount < 0
          AND d.account_id = n.account_id AND d.original_amount > 0) IS TRUE AS fits
    INTO wrong
    FROM new_rows n
    -- By key alone: another condition here makes the planner expect no credits and read the whole table.
    LEFT JOIN ledger_balance c ON c.posting_id = n.credit_id
    LEFT JOIN ledger_balance d ON d.posting_id = n.debit_id
   WHERE (c.account_id = n.account_id AND c.original_amount < 0
          AND d.account_id = n.account_id AND d.original_amount > 0) IS NOT TRUE
      OR n.effective_on < greatest(c.last_allocated_on, d.last_allocated_on, c.effective_on, d.effective_on)
   LIMIT 1;
  IF FOUND THEN
    IF NOT wrong.fits THEN
      RAISE EXCEPTION 'an allocation needs a credit and a debit of its own account' USING ERRCODE = 'BC002';
    END IF;
    RAISE EXCEPTION 'an allocation dated % comes before its items or an earlier allocation of them', wrong.effective_on
      USING ERRCODE = 'BC003';
  END IF;
  IF earliest < latest AND EXISTS (
    SELECT FROM (
      SELECT effective_on, lag(effective_on) OVER (PARTITION BY item ORDER BY id) AS before
        FROM (SELECT id, debit_id AS item, effective_on FROM new_rows
              UNION ALL SELECT id, credit_id, effective_on FROM new_rows) both_sides
    ) in_order WHERE effective_on < before
  ) THEN
    RAISE EXCEPTION 'allocations of one item are not in the order of their dates' USING ERRCODE = 'BC003';
  END IF;
  IF undoing AND EXISTS (
    SELECT FROM new_rows n LEFT JOIN ledger_allocation o
        ON o.id = n.undoes_id AND o.amount = -n.amount AND o.credit_id = n.credit_id AND o.debit_id = n.debit_id
     WHERE n.amount < 0 AND o.id IS NULL
  ) THEN
    RAISE EXCEPTION 'an undo must mirror the allocation it names' USING ERRCODE = 'BC002';
  END IF;

  UPDATE ledger_balance b
     SET balance = b.balance - CASE WHEN b.original_amount > 0 THEN moved.amount ELSE -moved.amount END,
         last_allocated_on = moved.last_on,
         applied_payment_refs = CASE
           WHEN undoing THEN ARRAY(
             -- Recounted, for an undo takes away only what no other allocation still holds.
             SELECT DISTINCT a.other FROM (
               SELECT CASE WHEN l.debit_id = b.posting_id THEN l.credit_id ELSE l.debit_id END AS other, l.amount
                 FROM ledger_allocation l
                WHERE l.account_id = b.account_id AND b.posting_id IN (l.debit_id, l.credit_id)
             ) a GROUP BY a.other HAVING sum(a.amount) > 0
           )
           WHEN b.applied_payment_refs && moved.refs THEN ARRAY(
             SELECT DISTINCT r FROM unnest(b.applied_payment_refs || moved.refs) r
           )
           ELSE b.applied_payment_refs || moved.refs
         END
    FROM (
      SELECT item, sum(amount) AS amount, max(effective_on) AS last_on, array_agg(DISTINCT other) AS refs
        FROM (
          SELECT debit_id AS item, credit_id AS other, amount, effective_on FROM new_rows
          UNION ALL
          SELECT credit_id, debit_id, amount, effective_on FROM new_rows
        ) both_sides
       GROUP BY item
    ) moved
   WHERE b.posting_id = moved.item;
  RETURN NULL;
END $$;
