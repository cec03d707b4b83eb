-- The rules of the sub-ledger, where nothing can pass them by.
--
-- Postings and allocations are only ever inserted. Inserting them is what moves open items and account
-- balances: the functions below do it, once per statement, so that the three sums cannot part whoever inserts.
-- They run as their owner; the application's role needs no right to write open items or balances at all.
--
-- Errors the services translate for people carry SQLSTATEs of our own:
--   BC001 date inside a closed week      BC002 reference to what does not exist or does not fit
--   BC003 allocation dated too early     BC004 paid payout cannot be voided
--   BC005 week out of order              BC006 written past its service

-- One number for "the calendar is being read" (posting, shared) and "is being changed" (closing, exclusive).
CREATE FUNCTION ledger_calendar_lock() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 7305110221 $$;

-- The last day of the last closed week; null before the first close. In plpgsql, which keeps its plans: every
-- posting asks.
CREATE FUNCTION ledger_closed_through() RETURNS date
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
  RETURN (SELECT max(week) + 6 FROM weekly_run WHERE status = 'CLOSED');
END $$;

CREATE FUNCTION ledger_check_open(earliest date, what text) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  closed_through date;
BEGIN
  -- Waits for a closing week to be closed, and keeps one from closing until this transaction ends.
  PERFORM pg_advisory_xact_lock_shared(ledger_calendar_lock());
  closed_through := ledger_closed_through();
  IF earliest <= closed_through THEN
    RAISE EXCEPTION '% is dated %, and weeks are closed through %', what, earliest, closed_through
      USING ERRCODE = 'BC001', DETAIL = json_build_object('date', earliest, 'closed_through', closed_through);
  END IF;
END $$;

-- The accounting date of something recorded on a day: that day, or the first open one when its week is closed.
-- A date somebody chose is taken as it is; a closed one is refused when the posting is inserted.
CREATE FUNCTION ledger_posting_date(recorded_on date, chosen date) RETURNS date
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
  RETURN coalesce(chosen, greatest(recorded_on, ledger_closed_through() + 1));
END $$;

-- ---------------------------------------------------------------------------------------------------------
-- Postings
CREATE FUNCTION ledger_posting_inserted() RETURNS trigger
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

CREATE TRIGGER ledger_posting_inserted AFTER INSERT ON ledger_posting
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger_posting_inserted();

-- ---------------------------------------------------------------------------------------------------------
-- Allocations
CREATE FUNCTION ledger_allocation_inserted() RETURNS trigger
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

CREATE TRIGGER ledger_allocation_inserted AFTER INSERT ON ledger_allocation
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger_allocation_inserted();

-- ---------------------------------------------------------------------------------------------------------
-- Nothing but the two functions above may touch postings' status, open items or account balances.
CREATE FUNCTION ledger_refuse_direct_write() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: it follows from postings and allocations', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'BC006';
END $$;

CREATE TRIGGER ledger_posting_no_update BEFORE UPDATE ON ledger_posting
  FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_direct_write();
CREATE TRIGGER ledger_balance_no_direct_write BEFORE INSERT OR UPDATE ON ledger_balance
  FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_direct_write();
CREATE TRIGGER driver_account_no_direct_update BEFORE UPDATE ON driver_account
  FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_direct_write();

CREATE FUNCTION driver_account_opened() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF NEW.balance <> 0 THEN
    RAISE EXCEPTION 'an account opens at zero' USING ERRCODE = 'BC006';
  END IF;
  IF NOT EXISTS (SELECT FROM lease WHERE id = NEW.lease_id AND driver_id = NEW.driver_id) THEN
    RAISE EXCEPTION 'an account belongs to a lease and that lease''s driver' USING ERRCODE = 'BC002';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER driver_account_opened BEFORE INSERT ON driver_account
  FOR EACH ROW EXECUTE FUNCTION driver_account_opened();
CREATE TRIGGER driver_account_no_delete BEFORE DELETE ON driver_account
  FOR EACH ROW EXECUTE FUNCTION ledger_refuse_direct_write();
CREATE TRIGGER driver_account_no_truncate BEFORE TRUNCATE ON driver_account
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_direct_write();

-- ---------------------------------------------------------------------------------------------------------
-- Weeks close once, in order, after they have ended.
CREATE FUNCTION weekly_run_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  last_closed date;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF OLD.status = 'CLOSED' OR NEW.week <> OLD.week THEN
      RAISE EXCEPTION 'the week of % is closed', OLD.week USING ERRCODE = 'BC005';
    END IF;
  END IF;
  IF NEW.status = 'CLOSED' THEN
    PERFORM pg_advisory_xact_lock(ledger_calendar_lock());
    SELECT max(week) INTO last_closed FROM weekly_run WHERE status = 'CLOSED';
    IF NEW.week <> last_closed + 7 THEN
      RAISE EXCEPTION 'the week of % cannot close: the last closed one is %', NEW.week, last_closed
        USING ERRCODE = 'BC005';
    END IF;
    IF (now() AT TIME ZONE 'America/New_York')::date <= NEW.week + 6 THEN
      RAISE EXCEPTION 'the week of % has not ended', NEW.week USING ERRCODE = 'BC005';
    END IF;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER weekly_run_guard BEFORE INSERT OR UPDATE ON weekly_run
  FOR EACH ROW EXECUTE FUNCTION weekly_run_guard();

-- ---------------------------------------------------------------------------------------------------------
-- A trip total is settled by one run at a time and otherwise never changes.
CREATE FUNCTION trip_total_guard() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION 'trip totals are never deleted' USING ERRCODE = 'BC006';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.settled_week IS NOT NULL THEN
      RAISE EXCEPTION 'trips arrive unsettled' USING ERRCODE = 'BC006';
    END IF;
    RETURN NEW;
  END IF;
  IF (to_jsonb(OLD) - 'settled_week') <> (to_jsonb(NEW) - 'settled_week')
     OR (OLD.settled_week IS NOT NULL AND NEW.settled_week IS NOT NULL) THEN
    RAISE EXCEPTION 'a trip total only moves between unsettled and settled' USING ERRCODE = 'BC006';
  END IF;
  IF NEW.settled_week < NEW.week THEN
    RAISE EXCEPTION 'trips are settled by the run of their week or a later one' USING ERRCODE = 'BC006';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER trip_total_guard BEFORE INSERT OR UPDATE OR DELETE ON trip_total
  FOR EACH ROW EXECUTE FUNCTION trip_total_guard();
CREATE TRIGGER trip_total_no_truncate BEFORE TRUNCATE ON trip_total
  FOR EACH STATEMENT EXECUTE FUNCTION trip_total_guard();

-- ---------------------------------------------------------------------------------------------------------
-- A DTR is paid, and a payment returned, by turns; each time with the row that says how.
CREATE FUNCTION dtr_payment_inserted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  report record;
BEGIN
  SELECT d.status, d.net_pay, p.status AS payout_status INTO report
    FROM dtr d JOIN ledger_posting p ON p.id = d.payout_id WHERE d.id = NEW.dtr_id FOR UPDATE OF d;
  IF NOT FOUND OR NEW.amount <> report.net_pay OR report.payout_status = 'VOIDED'
     OR (NEW.kind = 'PAID' AND report.status <> 'FINALIZED')
     OR (NEW.kind = 'RETURNED' AND report.status <> 'PAID') THEN
    RAISE EXCEPTION 'this DTR is not in a state to be %', lower(NEW.kind) USING ERRCODE = 'BC002';
  END IF;
  IF NEW."on" > (now() AT TIME ZONE 'America/New_York')::date
     OR NEW."on" < (SELECT max("on") FROM dtr_payment WHERE dtr_id = NEW.dtr_id) THEN
    RAISE EXCEPTION 'a DTR is not paid or returned ahead of today, nor before its last payment'
      USING ERRCODE = 'BC002';
  END IF;
  UPDATE dtr SET status = CASE NEW.kind WHEN 'PAID' THEN 'PAID' ELSE 'FINALIZED' END WHERE id = NEW.dtr_id;
  RETURN NEW;
END $$;
CREATE TRIGGER dtr_payment_inserted BEFORE INSERT ON dtr_payment
  FOR EACH ROW EXECUTE FUNCTION dtr_payment_inserted();
CREATE TRIGGER dtr_no_direct_update BEFORE UPDATE ON dtr
  FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_direct_write();
