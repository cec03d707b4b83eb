DROP VIEW ledger_rebuild_batch;
DROP FUNCTION ledger_rebuild_batch_totals();
DROP FUNCTION ledger_batch_differences();
DROP FUNCTION ledger_months_away();
DROP TRIGGER batch_account_total_no_direct_write ON batch_account_total;
CREATE TRIGGER batch_account_total_no_direct_write BEFORE INSERT ON batch_account_total
  FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_direct_write();
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
      SELECT array_agg((%s, je_date, account_id, fund, debits, credits)::batch_account_total) AS totals,
             array_agg(DISTINCT je_date) AS days, coalesce(sum(g.debits), 0) AS debits,
             ARRAY[coalesce(sum(g.lines), 0), coalesce(sum(g.debits), 0), coalesce(sum(g.keys), 0),
                   coalesce(sum(g.weighted), 0)] AS sums
        FROM (
          SELECT je_date, account_id, fund, count(*) AS lines,
                 coalesce(sum(amount) FILTER (WHERE side = 'DR'), 0) AS debits,
                 coalesce(sum(amount) FILTER (WHERE side = 'CR'), 0) AS credits,
                 sum((entry_id %% 1000003) * (account_id::bigint * (1000 + line_number))) AS keys,
                 sum(CASE side WHEN 'DR' THEN amount * (entry_id %% 1009 + line_number) ELSE -amount * line_number END) AS weighted
            FROM %I GROUP BY je_date, account_id, fund
        ) g
    $q$, held.id, line) INTO lines;
    IF headers.debits <> lines.debits THEN
      RAISE EXCEPTION 'the headers of run % say %, and their lines %', held.id, headers.debits, lines.debits
        USING ERRCODE = 'BC013';
    END IF;
    line_totals := ARRAY(SELECT a + b FROM unnest(line_totals, lines.sums) WITH ORDINALITY AS t(a, b, n) ORDER BY n);
    days := days || lines.days;
    INSERT INTO batch_account_total (batch_id, je_date, account_id, fund, debits, credits)
    SELECT t.batch_id, t.je_date, t.account_id, t.fund, t.debits, t.credits FROM unnest(lines.totals) t;
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
DROP VIEW ledger_bulk_moved;
DROP TABLE journal_shard_total;
DROP INDEX batch_account_total_days;
