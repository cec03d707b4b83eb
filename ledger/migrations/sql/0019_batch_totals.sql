-- What bulk runs brought, added up where it can be read instead of their lines; and written anew from them on request.

-- Balances ask for stretches of days, of all accounts or of a few.
CREATE INDEX batch_account_total_days ON batch_account_total (je_date, account_id);

-- What each slice of a shard of a large run (32,768 entry numbers) brought onto each account, day after day, and from
-- which entry to which. So a page of an account's lines is looked for where it lies, and the balance at a line costs
-- half the lines of a slice at most.
CREATE TABLE journal_shard_total (
  shard_id bigint NOT NULL REFERENCES journal_run_shard,
  run_id bigint NOT NULL REFERENCES journal_run,
  slice smallint NOT NULL,
  je_date date NOT NULL,
  account_id integer NOT NULL,
  fund varchar(10) NOT NULL,
  lines bigint NOT NULL,
  first_entry bigint NOT NULL,
  last_entry bigint NOT NULL,
  debits numeric(20, 6) NOT NULL,
  credits numeric(20, 6) NOT NULL,
  PRIMARY KEY (shard_id, slice, je_date, account_id, fund)
);
CREATE INDEX journal_shard_total_account ON journal_shard_total (account_id, je_date);
CREATE INDEX journal_shard_total_run ON journal_shard_total (run_id);

-- What the lines of bulk runs come to, as these totals and the runs' records should have it.
CREATE VIEW ledger_bulk_moved AS
SELECT batch_id, entry_id - (entry_id - 1000000262145) % 262144 - 1 AS entry_base,
       (entry_id - 1000000262145) % 262144 / 32768 AS slice, je_date, account_id, fund, count(*) AS lines,
       min(entry_id) AS first_entry, max(entry_id) AS last_entry,
       coalesce(sum(amount) FILTER (WHERE side = 'DR'), 0) AS debits,
       coalesce(sum(amount) FILTER (WHERE side = 'CR'), 0) AS credits,
       sum((entry_id % 1000003) * (account_id::bigint * (1000 + line_number))) AS keys_total,
       sum(CASE side WHEN 'DR' THEN amount * (entry_id % 1009 + line_number) ELSE -amount * line_number END) AS weighted_total
  FROM ledger_entry_line WHERE entry_id > 1000000262144
 GROUP BY 1, 2, 3, 4, 5, 6;

-- As before, and the slices' totals from the same reading of the lines; each day's totals from theirs.
CREATE OR REPLACE FUNCTION ledger_attach_leaves(held journal_run) RETURNS jsonb
LANGUAGE plpgsql SET search_path = public, pg_temp
SET work_mem = '64MB' SET jit = off SET parallel_setup_cost = 0 SET parallel_tuple_cost = 0 AS $$
DECLARE
  month date;
  header text;
  line text;
  headers record;
  lines record;
  entries bigint := 0;
  ahead boolean := false;
  line_totals numeric[] := '{0,0,0,0}';  -- lines, debits, keys, weighted
  days date[] := '{}';
  leaf text;
BEGIN
  FOR month IN SELECT * FROM ledger_run_months(held.id) LOOP
    header := ledger_run_leaf('ledger_entry_header', month, held.id);
    line := ledger_run_leaf('ledger_entry_line', month, held.id);
    FOREACH leaf IN ARRAY ARRAY[header || '_pkey', line || '_pkey', line || '_account_idx'] LOOP
      IF to_regclass(leaf) IS NULL THEN
        RAISE EXCEPTION 'run % is not indexed', held.id USING ERRCODE = 'BC011';
      END IF;
    END LOOP;
    -- By EXECUTE, for that may use every core.
    EXECUTE format($q$
      SELECT count(*) AS entries, coalesce(sum(total), 0) AS debits,
             coalesce(bool_or(greatest(je_date, event_on) > (statement_timestamp() AT TIME ZONE 'America/New_York')::date), false)
               AS ahead
        FROM %I
    $q$, header) INTO headers;
    entries := entries + headers.entries;
    ahead := ahead OR headers.ahead;
    EXECUTE format($q$
      SELECT array_agg((s.id, %1$s, g.slice, g.je_date, g.account_id, g.fund, g.lines, g.first_entry, g.last_entry,
                        g.debits, g.credits)::journal_shard_total) AS totals,
             array_agg(DISTINCT g.je_date) AS days, coalesce(sum(g.debits), 0) AS debits,
             ARRAY[coalesce(sum(g.lines), 0), coalesce(sum(g.debits), 0), coalesce(sum(g.keys), 0),
                   coalesce(sum(g.weighted), 0)] AS sums
        FROM (
          SELECT entry_id - (entry_id - 1000000262145) %% 262144 - 1 AS entry_base,
                 (entry_id - 1000000262145) %% 262144 / 32768 AS slice, je_date, account_id, fund, count(*) AS lines,
                 min(entry_id) AS first_entry, max(entry_id) AS last_entry,
                 coalesce(sum(amount) FILTER (WHERE side = 'DR'), 0) AS debits,
                 coalesce(sum(amount) FILTER (WHERE side = 'CR'), 0) AS credits,
                 sum((entry_id %% 1000003) * (account_id::bigint * (1000 + line_number))) AS keys,
                 sum(CASE side WHEN 'DR' THEN amount * (entry_id %% 1009 + line_number) ELSE -amount * line_number END) AS weighted
            FROM %2$I GROUP BY 1, 2, 3, 4, 5
        ) g
        LEFT JOIN journal_run_shard s ON s.entry_base = g.entry_base AND s.run_id = %1$s
    $q$, held.id, line) INTO lines;
    IF headers.debits <> lines.debits THEN
      RAISE EXCEPTION 'the headers of run % say %, and their lines %', held.id, headers.debits, lines.debits
        USING ERRCODE = 'BC013';
    END IF;
    line_totals := ARRAY(SELECT a + b FROM unnest(line_totals, lines.sums) WITH ORDINALITY AS t(a, b, n) ORDER BY n);
    days := days || lines.days;
    INSERT INTO journal_shard_total SELECT (t).* FROM unnest(lines.totals) t;
    INSERT INTO batch_account_total (batch_id, je_date, account_id, fund, debits, credits)
    SELECT run_id, je_date, account_id, fund, sum(debits), sum(credits)
      FROM journal_shard_total
     WHERE run_id = held.id AND je_date >= month AND je_date < (month + interval '1 month')::date
     GROUP BY 1, 2, 3, 4;
    PERFORM ledger_claim_sources(held, header);
  END LOOP;
  PERFORM ledger_check_days(held.origin, days, ahead);
  FOR month IN SELECT * FROM ledger_run_months(held.id) LOOP
    PERFORM ledger_attach_leaf('ledger_entry_header', month, held.id);
    PERFORM ledger_attach_leaf('ledger_entry_line', month, held.id);
  END LOOP;
  RETURN jsonb_build_object('entries', entries, 'lines', line_totals[1], 'debits', line_totals[2],
                            'keys_total', line_totals[3], 'weighted_total', line_totals[4]);
END $$;

-- Both kinds of totals are written when a run comes in and when they are written anew, by triggers alone.
DROP TRIGGER batch_account_total_no_direct_write ON batch_account_total;
CREATE TRIGGER batch_account_total_no_direct_write BEFORE INSERT OR UPDATE OR DELETE ON batch_account_total
  FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_direct_write();
CREATE TRIGGER journal_shard_total_no_direct_write BEFORE INSERT OR UPDATE OR DELETE ON journal_shard_total
  FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_direct_write();
CREATE TRIGGER journal_shard_total_no_truncate BEFORE TRUNCATE ON journal_shard_total
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_direct_write();

CREATE FUNCTION ledger_months_away() RETURNS SETOF date
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT month FROM archived_month WHERE kind = 'LEDGER' AND dropped_at IS NOT NULL AND restored_at IS NULL
$$;

-- Totals that are not what the lines give, of the months whose lines are in the database. `slice` is null where the
-- total is of a day; null figures: there is no such total, or should be none.
CREATE FUNCTION ledger_batch_differences()
RETURNS TABLE (batch_id bigint, shard integer, slice smallint, je_date date, account text, fund text, was jsonb,
               should_be jsonb)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  WITH moved AS MATERIALIZED (
    SELECT m.*, s.id AS shard_id FROM ledger_bulk_moved m JOIN journal_run_shard s ON s.entry_base = m.entry_base
     WHERE m.batch_id <> 0
  ),
  found AS (
    SELECT coalesce(t.run_id, m.batch_id) AS batch_id, coalesce(t.shard_id, m.shard_id) AS shard_id,
           coalesce(t.slice, m.slice) AS slice, coalesce(t.je_date, m.je_date) AS je_date,
           coalesce(t.account_id, m.account_id) AS account_id, coalesce(t.fund, m.fund) AS fund,
           CASE WHEN t.shard_id IS NOT NULL THEN jsonb_build_object(
             'lines', t.lines, 'first_entry', t.first_entry, 'last_entry', t.last_entry, 'debits', t.debits,
             'credits', t.credits) END AS was,
           CASE WHEN m.shard_id IS NOT NULL THEN jsonb_build_object(
             'lines', m.lines, 'first_entry', m.first_entry, 'last_entry', m.last_entry, 'debits', m.debits,
             'credits', m.credits) END AS should_be
      FROM (SELECT * FROM journal_shard_total WHERE date_trunc('month', je_date::timestamp)::date NOT IN (SELECT ledger_months_away())) t
      FULL JOIN moved m ON m.shard_id = t.shard_id AND m.slice = t.slice AND m.je_date = t.je_date
                       AND m.account_id = t.account_id AND m.fund = t.fund
     WHERE (t.lines, t.first_entry, t.last_entry, t.debits, t.credits)
           IS DISTINCT FROM (m.lines, m.first_entry, m.last_entry, m.debits, m.credits)
    UNION ALL
    SELECT coalesce(t.batch_id, m.batch_id), NULL, NULL, coalesce(t.je_date, m.je_date),
           coalesce(t.account_id, m.account_id), coalesce(t.fund, m.fund),
           CASE WHEN t.batch_id IS NOT NULL THEN jsonb_build_object('debits', t.debits, 'credits', t.credits) END,
           CASE WHEN m.batch_id IS NOT NULL THEN jsonb_build_object('debits', m.debits, 'credits', m.credits) END
      FROM (SELECT * FROM batch_account_total WHERE date_trunc('month', je_date::timestamp)::date NOT IN (SELECT ledger_months_away())) t
      FULL JOIN (
        SELECT batch_id, je_date, account_id, fund, sum(debits) AS debits, sum(credits) AS credits
          FROM moved GROUP BY 1, 2, 3, 4
      ) m ON m.batch_id = t.batch_id AND m.je_date = t.je_date AND m.account_id = t.account_id AND m.fund = t.fund
     WHERE (t.debits, t.credits) IS DISTINCT FROM (m.debits, m.credits)
  )
  SELECT f.batch_id, s.number, f.slice::smallint, f.je_date, coalesce(a.code, f.account_id::text), f.fund, f.was,
         f.should_be
    FROM found f
    LEFT JOIN journal_run_shard s ON s.id = f.shard_id
    LEFT JOIN chart_of_accounts a ON a.id = f.account_id
   ORDER BY f.batch_id, s.number NULLS FIRST, f.slice, f.je_date, 5, f.fund
$$;

-- The door by which a run's totals are written anew: inserting its id here makes them be what its lines give. No number
-- comes in from outside. A run's lines never change, so nobody is waited for but another who does the same.
CREATE VIEW ledger_rebuild_batch AS SELECT NULL::bigint AS batch_id WHERE false;
CREATE FUNCTION ledger_rebuild_batch_totals() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  -- No month leaves or comes back between what is deleted here and what is written in its place.
  PERFORM pg_advisory_xact_lock_shared(ledger_archives_lock());
  PERFORM FROM journal_run WHERE id = NEW.batch_id AND state = 'POSTED' AND large FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'run % has no totals of its own', NEW.batch_id USING ERRCODE = 'BC011';
  END IF;
  DELETE FROM journal_shard_total WHERE run_id = NEW.batch_id AND date_trunc('month', je_date::timestamp)::date NOT IN (SELECT ledger_months_away());
  INSERT INTO journal_shard_total
    (shard_id, run_id, slice, je_date, account_id, fund, lines, first_entry, last_entry, debits, credits)
  SELECT s.id, m.batch_id, m.slice, m.je_date, m.account_id, m.fund, m.lines, m.first_entry, m.last_entry, m.debits,
         m.credits
    FROM ledger_bulk_moved m JOIN journal_run_shard s ON s.entry_base = m.entry_base AND s.run_id = m.batch_id
   WHERE m.batch_id = NEW.batch_id;
  DELETE FROM batch_account_total WHERE batch_id = NEW.batch_id AND date_trunc('month', je_date::timestamp)::date NOT IN (SELECT ledger_months_away());
  INSERT INTO batch_account_total (batch_id, je_date, account_id, fund, debits, credits)
  SELECT run_id, je_date, account_id, fund, sum(debits), sum(credits)
    FROM journal_shard_total
   WHERE run_id = NEW.batch_id AND date_trunc('month', je_date::timestamp)::date NOT IN (SELECT ledger_months_away())
   GROUP BY 1, 2, 3, 4;
  RETURN NEW;
END $$;
CREATE TRIGGER ledger_rebuild_batch INSTEAD OF INSERT ON ledger_rebuild_batch
  FOR EACH ROW EXECUTE FUNCTION ledger_rebuild_batch_totals();
