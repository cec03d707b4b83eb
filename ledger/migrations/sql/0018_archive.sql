-- Months that were moved out of the database: what is known of them, who may move them, and how they are read.
--
-- Whatever drops or brings back a partition runs as the owner and validates first, under a lock under which nothing
-- of the month can change. BC020 is a month that cannot be moved now; its text says why.

-- ---------------------------------------------------------------------------------------------------------
-- Which months are away
CREATE FUNCTION ledger_archives_lock() RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT 7305110230';

CREATE FUNCTION ledger_month_is_away(what text, day date) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT EXISTS (
    SELECT FROM archived_month
     WHERE kind = what AND month = date_trunc('month', day::timestamp)::date
       AND dropped_at IS NOT NULL AND restored_at IS NULL
  )
$$;

-- What an archived account's lines came to, debits less credits: it is part of every balance that no snapshot gives.
CREATE FUNCTION ledger_archived_movement(account bigint) RETURNS numeric
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT coalesce(sum(t.debits - t.credits), 0)
    FROM archived_account_total t JOIN archived_month m ON m.id = t.archive_id
   WHERE t.account_id = account AND m.dropped_at IS NOT NULL AND m.restored_at IS NULL
$$;

CREATE FUNCTION ledger_archive_tables(what text) RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE what WHEN 'LEDGER' THEN ARRAY['ledger_entry_header', 'ledger_entry_line']
                   WHEN 'SOURCE' THEN ARRAY['txn_source_parent'] END
$$;

-- The name of a table's partition of a month.
CREATE FUNCTION ledger_month_partition(parent text, month date) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE parent WHEN 'txn_source_parent' THEN 'txn_source' ELSE parent END || '_' || to_char(month, 'YYYYMM')
$$;

-- What an archive is of: each month's leaves, by table and batch. Empty when the month has no partition.
CREATE FUNCTION ledger_archive_leaves(what text, month date) RETURNS TABLE (parent text, leaf text, batch_id bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT t.parent, c.relname::text,
         coalesce(substring(pg_get_expr(c.relpartbound, c.oid) FROM '^FOR VALUES IN \(''?(\d+)''?\)$')::bigint, 0)
    FROM unnest(ledger_archive_tables(what)) AS t(parent)
   CROSS JOIN LATERAL pg_partition_tree(to_regclass('public.' || ledger_month_partition(t.parent, month))) p
    JOIN pg_class c ON c.oid = p.relid
   WHERE p.isleaf
   ORDER BY 1, 3
$$;

-- The columns that are kept of a table, each with its type; what is generated from others is generated again.
CREATE FUNCTION ledger_archive_columns(parent text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT jsonb_agg(jsonb_build_array(attname, format_type(atttypid, atttypmod)) ORDER BY attnum)
    FROM pg_attribute
   WHERE attrelid = ('public.' || parent)::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
$$;

-- A month's figures, by table and batch: rows, sums, and a hash over every column of every row. Of the partition, or of
-- the rows that were read from files into this session (`read_back`). `kept`: the columns of each table.
CREATE FUNCTION ledger_archive_figures(what text, month date, kept jsonb, read_back boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
  parent text;
  sums text;
  found jsonb;
  figures jsonb := '{}';
BEGIN
  FOREACH parent IN ARRAY ledger_archive_tables(what) LOOP
    sums := CASE parent
      WHEN 'ledger_entry_header' THEN '''ids'', sum(id), ''total'', sum(total)'
      WHEN 'ledger_entry_line' THEN
        '''debits'', sum(amount) FILTER (WHERE side = ''DR''), ''credits'', sum(amount) FILTER (WHERE side = ''CR''), '
        '''keys'', sum((entry_id % 1000003) * (account_id * 1000::bigint + line_number)), '
        '''weighted'', sum(CASE side WHEN ''DR'' THEN amount ELSE -amount END * (entry_id % 1009 + line_number))'
      ELSE '''ids'', sum(id), ''gross'', sum(gross_amount)'
    END;
    EXECUTE format(
      'SELECT coalesce(jsonb_object_agg(batch, figures), ''{}'') FROM ('
      '  SELECT %s AS batch, jsonb_build_object(''rows'', count(*), %s, ''content'', '
      '         sum(hash_record_extended(ROW(%s), 0)::numeric)::text) AS figures'
      '    FROM %s r WHERE %I >= %L AND %I < %L GROUP BY 1) found',
      CASE what WHEN 'LEDGER' THEN 'batch_id' ELSE '0' END, sums,
      (SELECT string_agg(format('r.%I', c.value ->> 0), ', ' ORDER BY c.ordinality)
         FROM jsonb_array_elements(kept -> parent) WITH ORDINALITY c),
      CASE WHEN read_back THEN format('pg_temp.%I', 'archived_' || parent)
           ELSE format('public.%I', ledger_month_partition(parent, month)) END,
      CASE what WHEN 'LEDGER' THEN 'je_date' ELSE 'txn_month' END, month,
      CASE what WHEN 'LEDGER' THEN 'je_date' ELSE 'txn_month' END, (month + interval '1 month')::date
    ) INTO found;
    figures := figures || jsonb_build_object(parent, found);
  END LOOP;
  RETURN figures;
END $$;

-- ---------------------------------------------------------------------------------------------------------
-- Why a month cannot be moved out now; null when it can. 
CREATE FUNCTION ledger_archive_obstacle(what text, month date) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  named text := to_char(month, 'YYYY-MM');
  last_day date := (month + interval '1 month')::date - 1;
  standing text := (SELECT m.status FROM accounting_month m WHERE m.month = ledger_archive_obstacle.month);
  hit record;
  wrong text;
BEGIN
  IF ledger_archive_tables(what) IS NULL OR month <> date_trunc('month', month::timestamp)::date THEN
    RETURN format('%s of %s is not the name of a month', what, month);
  END IF;
  IF ledger_month_is_away(what, month) THEN
    RETURN format('%s is archived already', named);
  END IF;
  IF NOT EXISTS (SELECT FROM ledger_archive_leaves(what, month)) THEN
    RETURN format('there is nothing of %s in the database', named);
  END IF;
  IF standing = 'REOPENED' THEN
    RETURN format('%s was reopened and not closed again', named);
  END IF;
  IF coalesce(last_day > ledger_months_closed_through(), true) THEN
    RETURN format('%s is not closed', named);
  END IF;
  SELECT r.id INTO hit FROM journal_run r
   WHERE r.state NOT IN ('POSTED', 'FAILED') AND NOT (r.dry_run AND r.state = 'VALIDATED')
     AND CASE what
           WHEN 'SOURCE' THEN r.month = ledger_archive_obstacle.month OR EXISTS (
             SELECT FROM journal_run_shard s WHERE s.run_id = r.id AND s.txn_month = ledger_archive_obstacle.month)
           ELSE ledger_archive_obstacle.month IN (SELECT ledger_run_months(r.reverses_run_id))
         END
   LIMIT 1;
  IF FOUND THEN
    RETURN format('run %s is at work on %s', hit.id, named);
  END IF;

  IF what = 'SOURCE' THEN
    EXECUTE format(
      'SELECT t.account_id, t.week FROM trip_total t WHERE t.settled_week IS NULL AND EXISTS ('
      '  SELECT FROM %1$I s WHERE s.account_id = t.account_id AND s.week = t.week AND s.batch_id = t.batch_id) '
      'ORDER BY t.week, t.account_id LIMIT 1', ledger_month_partition('txn_source_parent', month)
    ) INTO hit;
    IF hit.account_id IS NOT NULL THEN
      RETURN format('trips of account %s in the week of %s are not settled', hit.account_id, hit.week);
    END IF;
    -- What cost nothing, and what was not paid by card, has nothing to enter.
    EXECUTE format(
      'SELECT s.id, s.source, s.source_rowid, count(*) OVER () AS more FROM %I s '
      'LEFT JOIN source_row_journalised j ON j.source_id = s.id '
      'WHERE j.source_id IS NULL AND s.gross_amount <> 0 AND (s.txn_type <> ''TRIP'' OR s.product_code IN (''C'', ''P'')) '
      'ORDER BY s.id LIMIT 1', ledger_month_partition('txn_source_parent', month)
    ) INTO hit;
    IF hit.id IS NOT NULL THEN
      RETURN format('%s of its rows have no journal entry, the first is %s %s', hit.more, hit.source,
                    hit.source_rowid);
    END IF;
    RETURN NULL;
  END IF;

  -- An entry of a trip is never dated before the trip's week, so what came later lies in later months.
  SELECT t.account_id, t.week INTO hit FROM trip_total t
   WHERE t.settled_week IS NULL AND t.journalised <> 0 AND t.week <= last_day ORDER BY t.week, t.account_id LIMIT 1;
  IF FOUND THEN
    RETURN format('trips of account %s in the week of %s are journalised and not settled', hit.account_id, hit.week);
  END IF;
  SELECT number INTO wrong FROM manual_journal
   WHERE status = 'SUBMITTED' AND reverses_date >= month AND reverses_date <= last_day ORDER BY id LIMIT 1;
  IF FOUND THEN
    RETURN format('%s waits for approval and reverses an entry of %s', wrong, named);
  END IF;
  EXECUTE format(
    'SELECT a.code, coalesce(m.fund, s.fund) AS fund '
    '  FROM (SELECT account_id, fund, coalesce(sum(amount) FILTER (WHERE side = ''DR''), 0) AS debits, '
    '               coalesce(sum(amount) FILTER (WHERE side = ''CR''), 0) AS credits FROM %I GROUP BY 1, 2) m '
    '  FULL JOIN (SELECT * FROM account_balance_snapshot WHERE month = %L) s '
    '    ON s.account_id = m.account_id AND s.fund = m.fund '
    '  LEFT JOIN chart_of_accounts a ON a.id = coalesce(m.account_id, s.account_id) '
    ' WHERE (coalesce(m.debits, 0), coalesce(m.credits, 0)) IS DISTINCT FROM (s.debits, s.credits) '
    ' ORDER BY a.code LIMIT 1', ledger_month_partition('ledger_entry_line', month), month
  ) INTO hit;
  IF hit.code IS NOT NULL THEN
    RETURN format('the month-end balance of account %s, fund %s, is missing or is not what the lines of %s add up to; '
                  'rebuild_projections puts it right', hit.code, hit.fund, named);
  END IF;
  -- Blocks hold every row of what is sealed together (what came online, or one run) up to their last key, so the last
  -- row's seal is every row's. A small run lies among the online, and its numbers tell its shard.
  EXECUTE format(
    'SELECT m.log FROM ('
    '  SELECT ''HEADERS'' AS log, batch_id, '
    '         CASE WHEN batch_id = 0 AND id > 1000000262144 THEN (id - 1000000262145) / 262144 END AS block, '
    '         max(id) AS last_key FROM %I GROUP BY 2, 3 '
    '  UNION ALL '
    '  SELECT ''LINES'', batch_id, '
    '         CASE WHEN batch_id = 0 AND entry_id > 1000000262144 THEN (entry_id - 1000000262145) / 262144 END, '
    '         max(id) FROM %I GROUP BY 2, 3) m '
    '  LEFT JOIN journal_run_shard h ON h.entry_base = 1000000262144 + m.block * 262144 '
    ' WHERE m.last_key > coalesce((SELECT max(s.last_key) FROM ledger_seal s '
    '                               WHERE s.log = m.log AND s.batch_id = coalesce(h.run_id, m.batch_id)), 0) LIMIT 1',
    ledger_month_partition('ledger_entry_header', month), ledger_month_partition('ledger_entry_line', month)
  ) INTO hit;
  IF hit.log IS NOT NULL THEN
    RETURN format('%s is not sealed to its end; seal_ledger seals it', named);
  END IF;
  RETURN NULL;
END $$;

-- Nobody adds to the month, and it neither closes nor reopens, until the transaction ends. Whoever reads archives is
-- waited for first, before any lock that somebody who posts could meet.
CREATE FUNCTION ledger_hold_month(what text, month date) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  parent text;
BEGIN
  PERFORM pg_advisory_xact_lock(ledger_archives_lock());
  PERFORM ledger_hold_calendar();
  FOREACH parent IN ARRAY ledger_archive_tables(what) LOOP
    IF to_regclass('public.' || ledger_month_partition(parent, month)) IS NOT NULL THEN
      EXECUTE format('LOCK TABLE %I IN SHARE MODE', ledger_month_partition(parent, month));
    END IF;
  END LOOP;
END $$;

CREATE FUNCTION ledger_check_archivable(what text, month date) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  obstacle text := ledger_archive_obstacle(what, month);
BEGIN
  IF obstacle IS NOT NULL THEN
    RAISE EXCEPTION '%', obstacle USING ERRCODE = 'BC020';
  END IF;
END $$;

-- Record an archive whose files were read back into this session: what they hold must be, to the last column, what the
-- partition holds now. `files`: [{parent, leaf, batch_id, part, path, rows, bytes, sha256}]. Returns its id.
CREATE FUNCTION ledger_record_archive(what text, of_month date, files jsonb, actor bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  kept jsonb;
  figures jsonb;
  made bigint;
  counted bigint;
  wrong text;
BEGIN
  PERFORM ledger_hold_month(what, of_month);
  PERFORM ledger_check_archivable(what, of_month);
  SELECT jsonb_object_agg(t.parent, ledger_archive_columns(t.parent)) INTO kept
    FROM unnest(ledger_archive_tables(what)) AS t(parent);
  figures := ledger_archive_figures(what, of_month, kept, false);
  IF figures IS DISTINCT FROM ledger_archive_figures(what, of_month, kept, true) THEN
    RAISE EXCEPTION 'what was read back from the files of % is not what the database has', to_char(of_month, 'YYYY-MM')
      USING ERRCODE = 'BC020';
  END IF;
  SELECT l.leaf INTO wrong
    FROM ledger_archive_leaves(what, of_month) l
    FULL JOIN (SELECT f ->> 'parent' AS parent, f ->> 'leaf' AS leaf, (f ->> 'batch_id')::bigint AS batch_id,
                      sum((f ->> 'rows')::bigint) AS rows
                 FROM jsonb_array_elements(files) f GROUP BY 1, 2, 3) f USING (parent, leaf, batch_id)
   WHERE f.rows IS DISTINCT FROM coalesce((figures -> l.parent -> l.batch_id::text ->> 'rows')::bigint, 0)
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the files do not hold the rows of leaf %', coalesce(wrong, 'that is not there')
      USING ERRCODE = 'BC020';
  END IF;
  SELECT coalesce(sum((batch.value ->> 'rows')::bigint), 0) INTO counted
    FROM jsonb_each(figures) t CROSS JOIN LATERAL jsonb_each(t.value) batch;
  INSERT INTO archived_month (kind, month, number, rows, bytes, columns, totals, archived_at, archived_by_id)
  SELECT what, of_month,
         coalesce((SELECT max(number) FROM archived_month WHERE kind = what AND month = of_month), 0) + 1, counted,
         (SELECT coalesce(sum((f ->> 'bytes')::bigint), 0) FROM jsonb_array_elements(files) f), kept, figures,
         statement_timestamp(), actor
  RETURNING id INTO made;
  INSERT INTO archived_file (archive_id, parent, leaf, batch_id, part, path, rows, bytes, sha256)
  SELECT made, f ->> 'parent', f ->> 'leaf', (f ->> 'batch_id')::bigint, (f ->> 'part')::int, f ->> 'path',
         (f ->> 'rows')::bigint, (f ->> 'bytes')::bigint, f ->> 'sha256'
    FROM jsonb_array_elements(files) f;
  IF what = 'LEDGER' THEN
    EXECUTE format(
      'INSERT INTO archived_account_total (archive_id, account_id, fund, debits, credits) '
      'SELECT %s, account_id, fund, coalesce(sum(amount) FILTER (WHERE side = ''DR''), 0), '
      '       coalesce(sum(amount) FILTER (WHERE side = ''CR''), 0) FROM %I GROUP BY 2, 3',
      made, ledger_month_partition('ledger_entry_line', of_month)
    );
  END IF;
  RETURN made;
END $$;

-- Drop the partitions of an archived month: only while everything holds under which it was archived, and while they
-- hold what the archive's record says.
CREATE FUNCTION ledger_drop_archived(archive bigint, actor bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  kept archived_month;
  parent text;
BEGIN
  SELECT * INTO kept FROM archived_month WHERE id = archive;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is no archive %', archive USING ERRCODE = 'BC020';
  END IF;
  PERFORM ledger_hold_month(kept.kind, kept.month);
  -- Asked again: somebody may have held the month before.
  SELECT * INTO kept FROM archived_month WHERE id = archive;
  IF kept.dropped_at IS NOT NULL
     OR EXISTS (SELECT FROM archived_month WHERE kind = kept.kind AND month = kept.month AND number > kept.number) THEN
    RAISE EXCEPTION 'archive % of % is not its last, or was used before', kept.number, to_char(kept.month, 'YYYY-MM')
      USING ERRCODE = 'BC020';
  END IF;
  PERFORM ledger_check_archivable(kept.kind, kept.month);
  IF ledger_archive_figures(kept.kind, kept.month, kept.columns, false) IS DISTINCT FROM kept.totals THEN
    RAISE EXCEPTION '% changed after it was archived', to_char(kept.month, 'YYYY-MM') USING ERRCODE = 'BC020';
  END IF;
  -- Lines before headers, as whoever enters locks neither alone.
  FOREACH parent IN ARRAY ledger_archive_tables(kept.kind) LOOP
    EXECUTE format('DROP TABLE %I', ledger_month_partition(parent, kept.month));
  END LOOP;
  UPDATE archived_month SET dropped_at = statement_timestamp(), dropped_by_id = actor WHERE id = archive;
END $$;

-- ---------------------------------------------------------------------------------------------------------
-- Bringing a month back: first bare tables that nobody sees, then, with all rows in them, indexes, triggers and
-- parents; both in one transaction of the caller.
CREATE FUNCTION ledger_open_restore(archive bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  kept archived_month;
  leaf record;
BEGIN
  PERFORM pg_advisory_xact_lock(ledger_archives_lock());
  SELECT * INTO kept FROM archived_month WHERE id = archive;
  IF NOT FOUND OR kept.dropped_at IS NULL OR kept.restored_at IS NOT NULL THEN
    RAISE EXCEPTION 'archive % is not of a month that is away', archive USING ERRCODE = 'BC020';
  END IF;
  FOR leaf IN SELECT DISTINCT f.parent, f.leaf AS name FROM archived_file f WHERE f.archive_id = archive LOOP
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING INDEXES)', leaf.name, leaf.parent);
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'batconnect_app') THEN
      EXECUTE format('GRANT INSERT ON %I TO batconnect_app', leaf.name);
    END IF;
  END LOOP;
END $$;

CREATE FUNCTION ledger_close_restore(archive bigint, actor bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  kept archived_month;
  table_name text;
  partition text;
  leaf record;
BEGIN
  PERFORM pg_advisory_xact_lock(ledger_archives_lock());
  SELECT * INTO kept FROM archived_month WHERE id = archive;
  IF NOT FOUND OR kept.dropped_at IS NULL OR kept.restored_at IS NOT NULL THEN
    RAISE EXCEPTION 'archive % is not of a month that is away', archive USING ERRCODE = 'BC020';
  END IF;
  FOREACH table_name IN ARRAY ledger_archive_tables(kept.kind) LOOP
    partition := ledger_month_partition(table_name, kept.month);
    IF kept.kind = 'LEDGER' THEN
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) PARTITION BY LIST (batch_id)', partition, table_name);
    END IF;
    FOR leaf IN
      SELECT DISTINCT f.leaf AS name, f.batch_id FROM archived_file f
       WHERE f.archive_id = archive AND f.parent = table_name ORDER BY f.batch_id
    LOOP
      IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'batconnect_app') THEN
        EXECUTE format('REVOKE ALL ON %I FROM batconnect_app', leaf.name);
      END IF;
      IF kept.kind = 'LEDGER' THEN
        PERFORM ledger_guard_journal_table(leaf.name, table_name = 'ledger_entry_header');
        IF leaf.batch_id <> 0 THEN
          EXECUTE format(
            'CREATE TRIGGER ledger_batch_is_whole BEFORE INSERT ON %I '
            'FOR EACH ROW EXECUTE FUNCTION ledger_journal_refuse_change()', leaf.name
          );
        END IF;
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES IN (%s)', partition, leaf.name, leaf.batch_id);
      ELSE
        EXECUTE format(
          'CREATE TRIGGER txn_source_no_truncate BEFORE TRUNCATE ON %I '
          'FOR EACH STATEMENT EXECUTE FUNCTION txn_source_refuse_change()', leaf.name
        );
      END IF;
    END LOOP;
    IF kept.kind = 'LEDGER' THEN
      PERFORM ledger_guard_journal_table(partition, table_name = 'ledger_entry_header');
    END IF;
  END LOOP;
  IF ledger_archive_figures(kept.kind, kept.month, kept.columns, false) IS DISTINCT FROM kept.totals THEN
    RAISE EXCEPTION 'what was read from the files of % is not what was archived', to_char(kept.month, 'YYYY-MM')
      USING ERRCODE = 'BC020';
  END IF;
  FOREACH table_name IN ARRAY ledger_archive_tables(kept.kind) LOOP
    partition := ledger_month_partition(table_name, kept.month);
    EXECUTE format('ANALYZE %I', partition);
    EXECUTE format(
      'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
      table_name, partition, kept.month, (kept.month + interval '1 month')::date
    );
  END LOOP;
  UPDATE archived_month SET restored_at = statement_timestamp(), restored_by_id = actor WHERE id = archive;
END $$;

-- What the planner knows of the whole tables, after months came or went.
CREATE FUNCTION ledger_analyze_months(what text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  parent text;
BEGIN
  FOREACH parent IN ARRAY ledger_archive_tables(what) LOOP
    EXECUTE format('ANALYZE %I', parent);
  END LOOP;
END $$;

-- ---------------------------------------------------------------------------------------------------------
-- Reading archives: tables and views of this session alone, which end with it. The views have the names of the
-- tables and hold both what is here and what was read from files, so that every query that reads the tables by
-- their names reads all there ever was; functions, which name their schema, still see the tables.
CREATE FUNCTION ledger_open_archives() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  parent text;
BEGIN
  PERFORM ledger_close_archives();
  FOREACH parent IN ARRAY ARRAY['ledger_entry_header', 'ledger_entry_line', 'txn_source_parent'] LOOP
    EXECUTE format(
      'CREATE TEMPORARY TABLE %I (LIKE public.%I INCLUDING DEFAULTS INCLUDING GENERATED)', 'archived_' || parent, parent
    );
    EXECUTE format('GRANT SELECT, INSERT ON pg_temp.%I TO PUBLIC', 'archived_' || parent);
  END LOOP;
END $$;

CREATE FUNCTION ledger_show_archives() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  parent text;
BEGIN
  CREATE INDEX ON pg_temp.archived_ledger_entry_header USING brin (je_date);
  CREATE INDEX ON pg_temp.archived_ledger_entry_line USING brin (je_date);
  FOREACH parent IN ARRAY ARRAY['ledger_entry_header', 'ledger_entry_line', 'txn_source_parent'] LOOP
    EXECUTE format('REVOKE INSERT ON pg_temp.%I FROM PUBLIC', 'archived_' || parent);
    EXECUTE format('ANALYZE pg_temp.%I', 'archived_' || parent);
    EXECUTE format(
      'CREATE TEMPORARY VIEW %I AS SELECT * FROM public.%I UNION ALL SELECT * FROM pg_temp.%I',
      parent, parent, 'archived_' || parent
    );
    EXECUTE format('GRANT SELECT ON pg_temp.%I TO PUBLIC', parent);
  END LOOP;
END $$;

CREATE FUNCTION ledger_close_archives() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  parent text;
BEGIN
  FOREACH parent IN ARRAY ARRAY['ledger_entry_header', 'ledger_entry_line', 'txn_source_parent'] LOOP
    IF to_regclass('pg_temp.' || parent) IS NOT NULL THEN
      EXECUTE format('DROP VIEW pg_temp.%I', parent);
    END IF;
    IF to_regclass('pg_temp.archived_' || parent) IS NOT NULL THEN
      EXECUTE format('DROP TABLE pg_temp.%I', 'archived_' || parent);
    END IF;
  END LOOP;
END $$;

-- Archived months whose rows, read from their files into this session, are not those that were taken out.
CREATE FUNCTION ledger_archive_differences() RETURNS TABLE (wrong text)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT format('%s of %s: what was read from its files is not what was archived', lower(m.kind),
                to_char(m.month, 'YYYY-MM'))
    FROM archived_month m
   WHERE m.dropped_at IS NOT NULL AND m.restored_at IS NULL
     AND ledger_archive_figures(m.kind, m.month, m.columns, true) IS DISTINCT FROM m.totals
   ORDER BY m.month, m.kind
$$;

-- ---------------------------------------------------------------------------------------------------------
-- What stands about an archive changes twice, from nothing: when its month is dropped, and when it is brought back.
CREATE FUNCTION archived_month_guard() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF (to_jsonb(OLD) - '{dropped_at,dropped_by_id,restored_at,restored_by_id}'::text[])
     <> (to_jsonb(NEW) - '{dropped_at,dropped_by_id,restored_at,restored_by_id}'::text[])
     OR (OLD.dropped_at IS NOT NULL AND (OLD.dropped_at, OLD.dropped_by_id) IS DISTINCT FROM (NEW.dropped_at, NEW.dropped_by_id))
     OR (OLD.restored_at IS NOT NULL AND (OLD.restored_at, OLD.restored_by_id) IS DISTINCT FROM (NEW.restored_at, NEW.restored_by_id)) THEN
    RAISE EXCEPTION '% on archived_month is refused: what is known of an archive stands', TG_OP USING ERRCODE = 'BC006';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER archived_month_guard BEFORE UPDATE ON archived_month
  FOR EACH ROW EXECUTE FUNCTION archived_month_guard();

-- A month that is away is brought back before it reopens.
CREATE FUNCTION accounting_month_is_here() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(ledger_calendar_lock());
  IF ledger_month_is_away('LEDGER', NEW.month) THEN
    RAISE EXCEPTION '% is archived; restore it first', to_char(NEW.month, 'YYYY-MM') USING ERRCODE = 'BC010';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER accounting_month_is_here BEFORE UPDATE ON accounting_month
  FOR EACH ROW WHEN (NEW.status = 'REOPENED') EXECUTE FUNCTION accounting_month_is_here();

-- So that no trip waits to be settled that no report could list.
CREATE FUNCTION trip_total_trips_are_here() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  away date := (
    SELECT min(day) FROM unnest(ARRAY[NEW.week, NEW.week + 6]) AS day WHERE ledger_month_is_away('SOURCE', day)
  );
BEGIN
  IF away IS NOT NULL THEN
    RAISE EXCEPTION 'the trips of % are archived; restore them first', to_char(away, 'YYYY-MM')
      USING ERRCODE = 'BC021', DETAIL = json_build_object('what', 'trips', 'month', to_char(away, 'YYYY-MM'));
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER trip_total_trips_are_here BEFORE UPDATE ON trip_total
  FOR EACH ROW WHEN (OLD.settled_week IS NOT NULL AND NEW.settled_week IS NULL)
  EXECUTE FUNCTION trip_total_trips_are_here();

-- What a run entered is taken back while its entries and their source rows are here.
CREATE FUNCTION journal_run_entries_are_here() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  away record;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(ledger_archives_lock());
  SELECT m.what, m.month INTO away
    FROM (SELECT 'entries' AS what, month FROM ledger_run_months(NEW.reverses_run_id) AS month
           WHERE ledger_month_is_away('LEDGER', month)
          UNION ALL
          SELECT 'source rows', txn_month FROM journal_run_shard
           WHERE run_id = NEW.reverses_run_id AND ledger_month_is_away('SOURCE', txn_month)) m
   ORDER BY m.month LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the % of % are archived; restore them first', away.what, to_char(away.month, 'YYYY-MM')
      USING ERRCODE = 'BC021', DETAIL = json_build_object('what', away.what, 'month', to_char(away.month, 'YYYY-MM'));
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER journal_run_entries_are_here BEFORE INSERT ON journal_run
  FOR EACH ROW WHEN (NEW.reverses_run_id IS NOT NULL) EXECUTE FUNCTION journal_run_entries_are_here();

-- ---------------------------------------------------------------------------------------------------------
-- As before, but a month that is away is not made a second time, empty.
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
      IF ledger_month_is_away('SOURCE', month) THEN
        RAISE EXCEPTION 'the source rows of % are archived; restore them first', to_char(month, 'YYYY-MM')
          USING ERRCODE = 'BC021', DETAIL = json_build_object('what', 'source rows', 'month', to_char(month, 'YYYY-MM'));
      END IF;
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
  IF ledger_month_is_away('LEDGER', day) THEN
    RAISE EXCEPTION '% is closed and archived', to_char(day, 'YYYY-MM') USING ERRCODE = 'BC001',
      DETAIL = json_build_object('date', day, 'closed_through', ledger_months_closed_through());
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

-- As before, and what was archived counts.
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
    IF EXISTS (SELECT FROM ledger_entry_line WHERE account_id = OLD.id)
       OR EXISTS (SELECT FROM archived_account_total WHERE account_id = OLD.id) THEN
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
           coalesce(sum(CASE WHEN (side = 'DR') = (NEW.type IN ('ASSET', 'EXPENSE')) THEN amount ELSE -amount END), 0)
             + CASE WHEN NEW.type IN ('ASSET', 'EXPENSE') THEN 1 ELSE -1 END * ledger_archived_movement(NEW.id),
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
                    0)
             + CASE WHEN a.type IN ('ASSET', 'EXPENSE') THEN 1 ELSE -1 END * ledger_archived_movement(a.id) AS amount
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
                    0)
             + CASE WHEN a.type IN ('ASSET', 'EXPENSE') THEN 1 ELSE -1 END * ledger_archived_movement(a.id),
           -a.overdraft_limit
      FROM chart_of_accounts a LEFT JOIN ledger_entry_line l ON l.account_id = a.id
     WHERE a.id = NEW.account_id AND a.overdraft_limit IS NOT NULL
     GROUP BY a.id
    ON CONFLICT (account_id) DO UPDATE SET balance = EXCLUDED.balance, floor = EXCLUDED.floor;
  END IF;
  RETURN NEW;
END $$;
