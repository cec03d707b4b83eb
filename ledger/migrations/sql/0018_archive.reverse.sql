-- A migration taken back while months are away would leave them in their files with nothing that knows them.
DO $$ BEGIN
  IF EXISTS (SELECT FROM archived_month WHERE dropped_at IS NOT NULL AND restored_at IS NULL) THEN
    RAISE EXCEPTION 'months are archived; restore them first' USING ERRCODE = 'BC020';
  END IF;
END $$;
DROP TRIGGER journal_run_entries_are_here ON journal_run;
DROP FUNCTION journal_run_entries_are_here();
DROP TRIGGER trip_total_trips_are_here ON trip_total;
DROP FUNCTION trip_total_trips_are_here();
DROP TRIGGER accounting_month_is_here ON accounting_month;
DROP FUNCTION accounting_month_is_here();
DROP TRIGGER archived_month_guard ON archived_month;
DROP FUNCTION archived_month_guard();
DROP FUNCTION ledger_archive_differences();
DROP FUNCTION ledger_close_archives();
DROP FUNCTION ledger_show_archives();
DROP FUNCTION ledger_open_archives();
DROP FUNCTION ledger_analyze_months(text);
DROP FUNCTION ledger_close_restore(bigint, bigint);
DROP FUNCTION ledger_open_restore(bigint);
DROP FUNCTION ledger_drop_archived(bigint, bigint);
DROP FUNCTION ledger_record_archive(text, date, jsonb, bigint);
DROP FUNCTION ledger_check_archivable(text, date);
DROP FUNCTION ledger_hold_month(text, date);
DROP FUNCTION ledger_archive_obstacle(text, date);
DROP FUNCTION ledger_archive_figures(text, date, jsonb, boolean);
DROP FUNCTION ledger_archive_columns(text);
DROP FUNCTION ledger_archive_leaves(text, date);

CREATE OR REPLACE FUNCTION ensure_txn_source_month(month date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  leaf text := 'txn_source_' || to_char(month, 'YYYYMM');
BEGIN
  IF month <> date_trunc('month', month::timestamp)::date OR abs(month - current_date) > 7320 THEN
    RAISE EXCEPTION '% is not the first day of a month within reach', month USING ERRCODE = 'BC002';
  END IF;
  IF to_regclass(leaf) IS NULL THEN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_txn_source_month'));
    IF NOT EXISTS (SELECT FROM pg_class WHERE relname = leaf AND relnamespace = 'public'::regnamespace) THEN
      -- Made apart and then attached: readers and loaders of other months need not wait for it.
      EXECUTE format('CREATE TABLE %I (LIKE txn_source_parent INCLUDING ALL)', leaf);
      EXECUTE format(
        'CREATE TRIGGER txn_source_no_truncate BEFORE TRUNCATE ON %I '
        'FOR EACH STATEMENT EXECUTE FUNCTION txn_source_refuse_change()', leaf
      );
      EXECUTE format(
        'ALTER TABLE txn_source_parent ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        leaf, month, (month + interval '1 month')::date
      );
    END IF;
  END IF;
  RETURN leaf;
END $$;

CREATE OR REPLACE FUNCTION ensure_journal_month(day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  month date := date_trunc('month', day::timestamp)::date;
  suffix text := to_char(day, 'YYYYMM');
  parent text;
  partition text;
BEGIN
  IF to_regclass('ledger_entry_line_' || suffix || '_0') IS NOT NULL THEN
    RETURN;
  END IF;
  IF abs(day - current_date) > 7320 THEN
    RAISE EXCEPTION '% is not within twenty years of today', day USING ERRCODE = 'BC002';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('ensure_journal_month'));
  -- Asked of the catalogue: to_regclass may still answer as before the wait.
  IF EXISTS (
    SELECT FROM pg_class
     WHERE relname = 'ledger_entry_line_' || suffix || '_0' AND relnamespace = 'public'::regnamespace
  ) THEN
    RETURN;
  END IF;
  FOREACH parent IN ARRAY ARRAY['ledger_entry_header', 'ledger_entry_line'] LOOP
    partition := parent || '_' || suffix;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) PARTITION BY LIST (batch_id)', partition, parent);
    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES IN (0)', partition || '_0', partition);
    PERFORM ledger_guard_journal_table(partition, parent = 'ledger_entry_header');
    PERFORM ledger_guard_journal_table(partition || '_0', parent = 'ledger_entry_header');
    EXECUTE format(
      'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
      parent, partition, month, (month + interval '1 month')::date
    );
  END LOOP;
END $$;

CREATE OR REPLACE FUNCTION chart_of_accounts_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.overdraft_limit IS NOT NULL THEN
      INSERT INTO guarded_balance (account_id, balance, floor) VALUES (NEW.id, 0, -NEW.overdraft_limit);
    END IF;
    RETURN NULL;
  END IF;
  IF OLD.control_origins <> '{}' AND OLD.control_origins <> NEW.control_origins THEN
    RAISE EXCEPTION 'account % is a control account, and stays one', OLD.code USING ERRCODE = 'BC008';
  END IF;
  IF (OLD.code, OLD.type, OLD.currency_id) IS DISTINCT FROM (NEW.code, NEW.type, NEW.currency_id) THEN
    LOCK TABLE ledger_entry_line IN SHARE ROW EXCLUSIVE MODE;  -- its first line may be on its way
    IF EXISTS (SELECT FROM ledger_entry_line WHERE account_id = OLD.id) THEN
      RAISE EXCEPTION 'account % has entries: its code, type and currency stand', OLD.code USING ERRCODE = 'BC008';
    END IF;
  END IF;
  IF NEW.overdraft_limit IS NULL THEN
    DELETE FROM guarded_balance WHERE account_id = NEW.id;
  ELSIF OLD.overdraft_limit IS NOT NULL THEN
    UPDATE guarded_balance SET floor = -NEW.overdraft_limit
     WHERE account_id = NEW.id AND floor <> -NEW.overdraft_limit;
  ELSE
    LOCK TABLE ledger_entry_line IN SHARE ROW EXCLUSIVE MODE;  -- nothing is entered while the lines are added up
    INSERT INTO guarded_balance (account_id, balance, floor)
    SELECT NEW.id,
           coalesce(sum(CASE WHEN (side = 'DR') = (NEW.type IN ('ASSET', 'EXPENSE')) THEN amount ELSE -amount END), 0),
           -NEW.overdraft_limit
      FROM ledger_entry_line WHERE account_id = NEW.id;
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION ledger_projection_differences(drivers bigint[], accounts int[])
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

CREATE OR REPLACE FUNCTION ledger_rebuild_projections() RETURNS trigger
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
DROP FUNCTION ledger_month_partition(text, date);
DROP FUNCTION ledger_archive_tables(text);
DROP FUNCTION ledger_archived_movement(bigint);
DROP FUNCTION ledger_month_is_away(text, date);
DROP FUNCTION ledger_archives_lock();
