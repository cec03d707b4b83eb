-- What is validated, brought into the journal: into partitions of the run's own, or, for a small run, among the online.

CREATE FUNCTION ledger_run_leaf(parent text, month date, run bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT parent || '_' || to_char(month, 'YYYYMM') || '_' || run $$;
CREATE FUNCTION ledger_run_months(run bigint) RETURNS SETOF date
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT DISTINCT m.value::date FROM journal_run_shard s, jsonb_array_elements_text(s.months) m
   WHERE s.run_id = run ORDER BY 1
$$;

-- A leaf that is not attached yet takes rows from ledger_post_shard alone.
CREATE FUNCTION ledger_run_leaf_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP <> 'INSERT' OR NOT ledger_in_bulk_step() THEN
    RAISE EXCEPTION '% on % is refused: the leaf of a run is filled by its shards', TG_OP, TG_TABLE_NAME
      USING ERRCODE = 'BC006';
  END IF;
  RETURN NULL;
END $$;

-- Makes the leaves of a large run, bare: what is indexed while it grows takes twice as long. Their rows are held to the
-- journal's checks, and to the bounds of the partition, so that nothing is read again when they are attached.
CREATE FUNCTION ledger_open_run_leaves(run bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  held journal_run := ledger_held_run(run, '{VALIDATED}');
  month date;
  parent text;
  leaf text;
BEGIN
  IF held.dry_run OR NOT held.large THEN
    RAISE EXCEPTION 'run % gets no partitions', run USING ERRCODE = 'BC011';
  END IF;
  FOR month IN SELECT * FROM ledger_run_months(run) LOOP
    PERFORM ensure_journal_month(month);
    FOREACH parent IN ARRAY ARRAY['ledger_entry_header', 'ledger_entry_line'] LOOP
      leaf := ledger_run_leaf(parent, month, run);
      IF to_regclass(leaf) IS NULL THEN
        EXECUTE format(
          'CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS, '
          'CONSTRAINT of_its_run CHECK (je_date >= %L AND je_date < %L AND batch_id = %s)) '
          'WITH (autovacuum_enabled = false)',
          leaf, parent || '_' || to_char(month, 'YYYYMM'), month, (month + interval '1 month')::date, run
        );
        EXECUTE format(
          'CREATE TRIGGER ledger_run_leaf_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I '
          'FOR EACH STATEMENT EXECUTE FUNCTION ledger_run_leaf_guard()', leaf
        );
      END IF;
    END LOOP;
  END LOOP;
END $$;

-- Moves a shard into the run's leaves; answers what the shard is then: POSTED, or PENDING if a crash emptied what was
-- staged.
CREATE FUNCTION ledger_post_shard(shard bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $$
DECLARE
  held journal_run_shard;
  run journal_run;
  month date;
  headers bigint := 0;
  lines bigint := 0;
  inserted bigint;
BEGIN
  IF ledger_staging_is_lost(shard) THEN
    RETURN 'PENDING';
  END IF;
  held := ledger_held_shard(shard, 'VALIDATED', '{VALIDATED}');
  SELECT * INTO run FROM journal_run WHERE id = held.run_id;
  IF run.dry_run OR NOT run.large THEN
    RAISE EXCEPTION 'run % gets no partitions', run.id USING ERRCODE = 'BC011';
  END IF;
  PERFORM ledger_bulk_step(true);
  FOR month IN SELECT value::date FROM jsonb_array_elements_text(held.months) ORDER BY 1 LOOP
    EXECUTE format($q$
      INSERT INTO %I (id, je_date, batch_id, origin, template_id, source_id, reverses_id, reverses_date, event_on,
                      line_count, total, reference, description, created_by_id)
      SELECT entry_id, je_date, $1, $2, template_id, source_id, reverses_id, reverses_date, event_on, line_count, total,
             reference, description, $3
        FROM %I WHERE je_date >= $4 AND je_date < $5
    $q$, ledger_run_leaf('ledger_entry_header', month, run.id), 'je_header_staging_' || shard)
      USING run.id, run.origin, run.started_by_id, month, (month + interval '1 month')::date;
    GET DIAGNOSTICS inserted = ROW_COUNT;
    headers := headers + inserted;
    EXECUTE format($q$
      INSERT INTO %I (entry_id, line_number, je_date, batch_id, account_id, currency, side, fund, amount, template_line)
      SELECT entry_id, line_number, je_date, $1, account_id, currency, CASE WHEN amount > 0 THEN 'DR' ELSE 'CR' END,
             fund, abs(amount), template_line
        FROM %I WHERE je_date >= $2 AND je_date < $3
    $q$, ledger_run_leaf('ledger_entry_line', month, run.id), 'je_line_staging_' || shard)
      USING run.id, month, (month + interval '1 month')::date;
    GET DIAGNOSTICS inserted = ROW_COUNT;
    lines := lines + inserted;
  END LOOP;
  IF headers <> held.entries OR lines <> held.lines THEN
    RAISE EXCEPTION 'shard % has % entries and % lines, and % and % were staged', shard, held.entries, held.lines,
                    headers, lines USING ERRCODE = 'BC013';
  END IF;
  UPDATE journal_run_shard SET state = 'POSTED' WHERE id = shard;
  PERFORM ledger_bulk_step(false);
  RETURN 'POSTED';
END $$;

-- Builds the indexes of a run's leaves, as the parents have them; each part on whatever connection: 1 the headers',
-- 2 the lines' key, 3 the lines' index by account.
CREATE FUNCTION ledger_index_run(run bigint, part int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET maintenance_work_mem = '512MB' AS $$
DECLARE
  month date;
  header text;
  line text;
BEGIN
  PERFORM FROM journal_run WHERE id = run AND state = 'VALIDATED' AND large AND NOT dry_run FOR KEY SHARE;
  IF NOT FOUND OR EXISTS (SELECT FROM journal_run_shard WHERE run_id = run AND state <> 'POSTED') THEN
    RAISE EXCEPTION 'run % is not ready to be indexed: its shards are not all POSTED', run USING ERRCODE = 'BC011';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('ledger_index_run', run * 10 + part));
  FOR month IN SELECT * FROM ledger_run_months(run) LOOP
    header := ledger_run_leaf('ledger_entry_header', month, run);
    line := ledger_run_leaf('ledger_entry_line', month, run);
    CASE part
      WHEN 1 THEN
        EXECUTE format('CREATE UNIQUE INDEX IF NOT EXISTS %I ON %I (id, je_date, batch_id)', header || '_pkey', header);
        EXECUTE format(
          'CREATE UNIQUE INDEX IF NOT EXISTS %I ON %I (posting_id, je_date, batch_id) WHERE posting_id IS NOT NULL',
          header || '_posting_once', header
        );
        EXECUTE format('ANALYZE %I', header);
      WHEN 2 THEN
        EXECUTE format(
          'CREATE UNIQUE INDEX IF NOT EXISTS %I ON %I (entry_id, line_number, je_date, batch_id)', line || '_pkey', line
        );
      WHEN 3 THEN
        EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %I (account_id, entry_id)', line || '_account_idx', line);
        EXECUTE format('ANALYZE %I', line);
    END CASE;
  END LOOP;
END $$;

-- ---------------------------------------------------------------------------------------------------------
-- The last step of a run, in one transaction: everything is looked at once more, then all of it is there at once.
CREATE FUNCTION ledger_attach_run(run bigint, actor bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  held journal_run := ledger_held_run(run, '{VALIDATED}');
BEGIN
  IF held.dry_run THEN
    RAISE EXCEPTION 'run % is a dry run', run USING ERRCODE = 'BC011';
  END IF;
  PERFORM ledger_bulk_step(true);
  UPDATE journal_run SET state = 'POSTED', posted_by_id = actor WHERE id = run;
  IF NOT held.large THEN
    UPDATE journal_run_shard SET state = 'POSTED' WHERE run_id = run;
  END IF;
  PERFORM ledger_bulk_step(false);
END $$;

-- Called by the guard of journal_run alone, when a run becomes POSTED; answers what the ledger then has of it.
CREATE FUNCTION ledger_bring_in_run(run bigint) RETURNS jsonb
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  held journal_run;
  found_totals jsonb;
  fault text;
BEGIN
  SELECT * INTO held FROM journal_run WHERE id = run;
  IF held.state <> 'VALIDATED' OR held.dry_run OR EXISTS (
    SELECT FROM journal_run_shard
     WHERE run_id = run AND state <> CASE WHEN held.large THEN 'POSTED' ELSE 'VALIDATED' END
  ) THEN
    RAISE EXCEPTION 'run % is not ready: its shards are not all %', run,
                    CASE WHEN held.large THEN 'posted' ELSE 'validated' END USING ERRCODE = 'BC011';
  END IF;
  IF held.reverses_run_id IS NOT NULL AND (held.entries, held.lines, held.debits) <> (
    SELECT entries, lines, debits FROM journal_run WHERE id = held.reverses_run_id
  ) THEN
    RAISE EXCEPTION 'run % does not take back the whole of run %', run, held.reverses_run_id USING ERRCODE = 'BC013';
  END IF;
  PERFORM ledger_hold_calendar();
  -- Who makes an account guarded, or changes what it is, waits; or we wait for him, and see what he did.
  LOCK TABLE ONLY ledger_entry_line IN ROW EXCLUSIVE MODE;
  SELECT format('account %s in %s', u.key, u.value) INTO fault
    FROM (
      SELECT DISTINCT a.key, a.value FROM journal_run_shard s, jsonb_each_text(s.accounts) a WHERE s.run_id = run
    ) u
    LEFT JOIN chart_of_accounts c ON c.id = u.key::int
   WHERE (c.currency_id = u.value AND (c.active OR held.reverses_run_id IS NOT NULL) AND c.overdraft_limit IS NULL
          AND c.control_mask & (1 << array_position(ledger_origins(), held.origin::text)) <> 0) IS NOT TRUE
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION '% may not be posted to any more', fault USING ERRCODE = 'BC008';
  END IF;
  IF held.large THEN
    found_totals := ledger_attach_leaves(held);
  ELSE
    found_totals := ledger_enter_staged(held);
  END IF;
  IF found_totals <> held.layers -> 'frame' THEN
    RAISE EXCEPTION 'run % was validated as %, and the ledger has %', run, held.layers -> 'frame', found_totals
      USING ERRCODE = 'BC013';
  END IF;
  IF held.origin = 'TRIP' THEN
    PERFORM ledger_journalise_trips(held);
  END IF;
  RETURN found_totals;
END $$;

-- A small run goes among the online, where the usual triggers look at it, claim its source rows and record what it
-- reverses.
CREATE FUNCTION ledger_enter_staged(held journal_run) RETURNS jsonb
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  month date;
  totals jsonb;
BEGIN
  FOR month IN SELECT * FROM ledger_run_months(held.id) LOOP
    PERFORM ensure_journal_month(month);
  END LOOP;
  EXECUTE format($q$
    WITH entered AS (
      INSERT INTO ledger_entry_header
        (id, je_date, batch_id, origin, template_id, source_id, reverses_id, reverses_date, event_on, line_count, total,
         reference, description, created_by_id)
      SELECT entry_id, je_date, 0, $1, template_id, source_id, reverses_id, reverses_date, event_on, line_count, total,
             reference, description, $2
        FROM je_header_staging WHERE shard_id = ANY (%1$L::bigint[]) ORDER BY entry_id
      RETURNING 1
    ),
    lined AS (
      INSERT INTO ledger_entry_line
        (entry_id, line_number, je_date, batch_id, account_id, currency, side, fund, amount, template_line)
      SELECT entry_id, line_number, je_date, 0, account_id, currency, CASE WHEN amount > 0 THEN 'DR' ELSE 'CR' END, fund,
             abs(amount), template_line
        FROM je_line_staging WHERE shard_id = ANY (%1$L::bigint[]) ORDER BY entry_id, line_number
      RETURNING entry_id, account_id, line_number, side, amount
    )
    SELECT jsonb_build_object(
             'entries', (SELECT count(*) FROM entered), 'lines', count(*),
             'debits', coalesce(sum(amount) FILTER (WHERE side = 'DR'), 0),
             'keys_total', coalesce(sum((entry_id %% 1000003)::numeric * (account_id::bigint * (1000 + line_number))), 0),
             'weighted_total',
             coalesce(sum(CASE side WHEN 'DR' THEN amount * (entry_id %% 1009 + line_number) ELSE -amount * line_number END), 0))
      FROM lined
  $q$, ARRAY(SELECT id FROM journal_run_shard WHERE run_id = held.id))
    INTO totals USING held.origin, held.started_by_id;
  RETURN totals;
END $$;

CREATE FUNCTION ledger_attach_leaves(held journal_run) RETURNS jsonb
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

-- The days of what comes in are open, by the rules of ledger_headers_inserted. The calendar is held.
CREATE FUNCTION ledger_check_days(origin text, days date[], ahead boolean) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  months_closed date := (SELECT (max(month) + interval '1 month')::date - 1 FROM accounting_month WHERE status = 'CLOSED');
  weeks_closed date := (SELECT max(week) + 6 FROM weekly_run WHERE status = 'CLOSED');
  closed date;
BEGIN
  SELECT min(d.day) INTO closed
    FROM unnest(days) AS d(day)
    LEFT JOIN accounting_month m ON m.month = date_trunc('month', d.day::timestamp)::date
   WHERE d.day <= months_closed
      OR (d.day <= weeks_closed AND (origin = 'TRIP' OR m.status IS DISTINCT FROM 'REOPENED'));
  IF closed IS NOT NULL THEN
    RAISE EXCEPTION 'an entry is dated %, and weeks and months are closed through %', closed,
                    greatest(months_closed, weeks_closed)
      USING ERRCODE = 'BC001',
            DETAIL = json_build_object('date', closed, 'closed_through', greatest(months_closed, weeks_closed));
  END IF;
  IF ahead THEN
    RAISE EXCEPTION 'an entry can neither have happened nor be dated in the future' USING ERRCODE = 'BC002';
  END IF;
END $$;

-- Each source row gets its one entry; or, for a reversal, is free for another.
CREATE FUNCTION ledger_claim_sources(held journal_run, header text) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  taken jsonb;
  freed bigint;
  reversed bigint;
BEGIN
  IF held.reverses_run_id IS NOT NULL THEN
    EXECUTE format(
      'INSERT INTO ledger_entry_reversal (entry_id, reversed_by_id, reversed_by_date) '
      'SELECT reverses_id, id, je_date FROM %I ORDER BY reverses_id', header
    );
    GET DIAGNOSTICS reversed = ROW_COUNT;
    EXECUTE format(
      'DELETE FROM source_row_journalised s USING %I h WHERE s.source_id = h.source_id AND s.entry_id = h.reverses_id',
      header
    );
    GET DIAGNOSTICS freed = ROW_COUNT;
    IF freed <> reversed THEN
      RAISE EXCEPTION '% entries are reversed, and % of their source rows had them', reversed, freed
        USING ERRCODE = 'BC013';
    END IF;
    RETURN;
  END IF;
  EXECUTE format(
    'INSERT INTO source_row_journalised (source_id, entry_id, je_date) '
    'SELECT source_id, id, je_date FROM %I ORDER BY source_id', header
  );
EXCEPTION WHEN unique_violation THEN
  IF held.reverses_run_id IS NOT NULL THEN
    RAISE;
  END IF;
  EXECUTE format($q$
    SELECT jsonb_build_object('count', count(*), 'rows', coalesce(jsonb_agg(t.source_id) FILTER (WHERE t.n <= 20), '[]'))
      FROM (
        SELECT h.source_id, row_number() OVER (ORDER BY h.source_id) AS n
          FROM %I h JOIN source_row_journalised s ON s.source_id = h.source_id
      ) t
  $q$, header) INTO taken;
  RAISE EXCEPTION '% source rows have their entries already', taken -> 'count'
    USING ERRCODE = 'BC012', DETAIL = taken;
END $$;

-- Nothing is read, nothing waits: the index becomes the key, the checks imply the bounds.
CREATE FUNCTION ledger_attach_leaf(parent text, month date, run bigint) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  leaf text := ledger_run_leaf(parent, month, run);
BEGIN
  EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I PRIMARY KEY USING INDEX %I', leaf, leaf || '_pkey', leaf || '_pkey');
  EXECUTE format('DROP TRIGGER ledger_run_leaf_guard ON %I', leaf);
  PERFORM ledger_guard_journal_table(leaf, parent = 'ledger_entry_header');
  -- A batch is whole when it comes: no row is added, through the parents either.
  EXECUTE format(
    'CREATE TRIGGER ledger_batch_is_whole BEFORE INSERT ON %I '
    'FOR EACH ROW EXECUTE FUNCTION ledger_journal_refuse_change()', leaf
  );
  EXECUTE format('ALTER TABLE %I RESET (autovacuum_enabled)', leaf);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES IN (%s)', parent || '_' || to_char(month, 'YYYYMM'), leaf, run);
  EXECUTE format('ALTER TABLE %I DROP CONSTRAINT of_its_run', leaf);
END $$;

-- So much more, or for a reversal less, of the trips' totals is journalised; settled ones stay as they are.
CREATE FUNCTION ledger_journalise_trips(held journal_run) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  settled jsonb;
  groups bigint;
  accounts bigint[];
  weeks date[];
  files bigint[];
  amounts numeric[];
  moved bigint;
BEGIN
  -- Of trips that come to nothing together no total changes, whether they lie in one shard or in several; it may be
  -- settled before.
  SELECT count(*), coalesce(array_agg(g.account_id), '{}'), coalesce(array_agg(g.week), '{}'),
         coalesce(array_agg(g.import_batch_id), '{}'), coalesce(array_agg(g.amount), '{}')
    INTO groups, accounts, weeks, files, amounts
    FROM (
      SELECT account_id, week, import_batch_id, sum(amount) AS amount FROM journal_run_trip_total
       WHERE run_id = held.id GROUP BY account_id, week, import_batch_id HAVING sum(amount) <> 0
    ) g;
  PERFORM FROM trip_total t
    JOIN unnest(accounts, weeks, files) AS m(account_id, week, file)
      ON m.account_id = t.account_id AND m.week = t.week AND m.file = t.batch_id
   ORDER BY t.id FOR NO KEY UPDATE OF t;
  SELECT jsonb_build_object('count', count(*), 'rows', jsonb_agg(s.row) FILTER (WHERE s.n <= 20)) INTO settled
    FROM (
      SELECT jsonb_build_object('account', t.account_id, 'week', t.week, 'import_batch', t.batch_id,
                                'settled_week', t.settled_week) AS row,
             row_number() OVER (ORDER BY t.id) AS n
        FROM trip_total t
        JOIN unnest(accounts, weeks, files) AS m(account_id, week, file)
          ON m.account_id = t.account_id AND m.week = t.week AND m.file = t.batch_id
       WHERE t.settled_week IS NOT NULL
    ) s;
  IF settled -> 'rows' <> 'null' THEN
    RAISE EXCEPTION '% totals of these trips are settled', settled -> 'count' USING ERRCODE = 'BC014', DETAIL = settled;
  END IF;
  UPDATE trip_total t SET journalised = t.journalised + m.amount
    FROM unnest(accounts, weeks, files, amounts) AS m(account_id, week, file, amount)
   WHERE t.account_id = m.account_id AND t.week = m.week AND t.batch_id = m.file;
  GET DIAGNOSTICS moved = ROW_COUNT;
  IF moved <> groups THEN
    RAISE EXCEPTION 'run % has trips of % totals, and % of them are there', held.id, groups, moved USING ERRCODE = 'BC013';
  END IF;
END $$;

-- ---------------------------------------------------------------------------------------------------------
-- Giving up, starting over, tidying.

-- What a run has in tables of its own: its leaves in the journal, if it is not POSTED, and what was staged.
CREATE FUNCTION ledger_drop_run_tables(run bigint, with_staging boolean) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  leaf text;
BEGIN
  FOR leaf IN
    SELECT c.relname FROM pg_class c
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
       AND ((c.relname ~ ('^ledger_entry_(header|line)_[0-9]{6}_' || run || '$') AND NOT c.relispartition)
            OR (with_staging AND c.relname IN (
              SELECT p || s.id FROM journal_run_shard s, unnest(ARRAY['je_header_staging_', 'je_line_staging_']) p
               WHERE s.run_id = run)))
     ORDER BY c.relname
  LOOP
    EXECUTE format('DROP TABLE %I', leaf);
  END LOOP;
END $$;

-- Drops what a run left that is not POSTED; it is FAILED then, and its source rows are free.
CREATE FUNCTION ledger_discard_run(run bigint, why text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  held journal_run := ledger_held_run(run, '{PENDING,STAGED,VALIDATED,FAILED}');
BEGIN
  PERFORM ledger_drop_run_tables(run, true);
  PERFORM ledger_bulk_step(true);
  DELETE FROM journal_run_trip_total WHERE run_id = run;
  UPDATE journal_run SET state = 'FAILED', reason = CASE WHEN held.state = 'FAILED' THEN reason ELSE why END WHERE id = run;
  PERFORM ledger_bulk_step(false);
END $$;

-- Gives a run up for an error, and leaves what was staged to be looked at.
CREATE FUNCTION ledger_fail_run(run bigint, error_code text, error text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  held journal_run := ledger_held_run(run, '{PENDING,STAGED,VALIDATED}');
BEGIN
  PERFORM ledger_drop_run_tables(run, false);
  PERFORM ledger_bulk_step(true);
  UPDATE journal_run r SET state = 'FAILED', error_code = ledger_fail_run.error_code, error = ledger_fail_run.error
   WHERE r.id = run;
  PERFORM ledger_bulk_step(false);
END $$;

-- Every shard is staged anew: for a run whose templates or source rows are not what they were.
CREATE FUNCTION ledger_restart_run(run bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  held journal_run := ledger_held_run(run, '{PENDING,STAGED,VALIDATED}');
BEGIN
  PERFORM ledger_drop_run_tables(run, false);
  PERFORM ledger_bulk_step(true);
  UPDATE journal_run_shard SET state = 'PENDING' WHERE run_id = run;
  UPDATE journal_run SET state = 'PENDING', error_code = '', error = '' WHERE id = run;
  PERFORM ledger_bulk_step(false);
END $$;

-- What was staged for a run that is over is kept as lineage until this; the entries carry their source row and their
-- template's lines themselves.
CREATE FUNCTION ledger_drop_staging(run bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  held journal_run;
BEGIN
  SELECT * INTO held FROM journal_run WHERE id = run FOR UPDATE;
  IF (held.state IN ('POSTED', 'FAILED') OR (held.dry_run AND held.state = 'VALIDATED')) IS NOT TRUE THEN
    RAISE EXCEPTION 'run % is not over', run USING ERRCODE = 'BC011';
  END IF;
  PERFORM ledger_drop_run_tables(run, true);
END $$;
