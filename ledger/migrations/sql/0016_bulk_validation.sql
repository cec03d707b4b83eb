-- What is staged for a shard, checked as a whole: no row is looked at by itself but those that are wrong.

-- Why entries are not sound; `wrong` names some that are not.
CREATE FUNCTION ledger_staged_entry_faults(held journal_run_shard, wrong bigint[])
RETURNS TABLE (code text, message text, entry_id bigint)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  RETURN QUERY EXECUTE format($q$
    SELECT found.code, format('entry %%s: %%s', found.id, found.message), found.id
      FROM (
        SELECT w.id, f.*, bool_or(f.broken) FILTER (WHERE f.rank < 10) OVER (PARTITION BY w.id) AS is_explained
          FROM unnest($1) AS w(id)
          LEFT JOIN %I h ON h.entry_id = w.id
          LEFT JOIN LATERAL (
            SELECT count(*) AS lines, sum(l.amount) AS balance, sum(l.amount) FILTER (WHERE l.amount > 0) AS debits,
                   count(DISTINCT l.line_number) AS numbers, min(l.line_number) AS first, max(l.line_number) AS last,
                   count(*) FILTER (WHERE l.je_date <> h.je_date) AS elsewhere
              FROM %I l WHERE l.entry_id = w.id
          ) e ON true
         CROSS JOIN LATERAL (VALUES
           (1, 'entry.no_header', h.entry_id IS NULL, 'lines without a header'),
           (2, 'entry.no_lines', e.lines < 2, format('%%s lines', e.lines)),
           (3, 'entry.date', e.elsewhere > 0, 'a line of another day'),
           (4, 'entry.unbalanced', (e.balance = 0) IS NOT TRUE, format('debits less credits are %%s', e.balance)),
           (5, 'line.numbers', (e.numbers = e.lines AND e.first = 1 AND e.last = e.lines) IS NOT TRUE,
            'its lines are not numbered from 1 on'),
           (6, 'entry.lines', e.lines <> h.line_count,
            format('%%s lines, and its header says %%s', e.lines, h.line_count)),
           (7, 'entry.total', (e.debits = h.total) IS NOT TRUE,
            format('debits of %%s, and its header says %%s', e.debits, h.total)),
           (8, 'entry.number', NOT (w.id > $2 AND w.id <= $2 + 262144), 'a number that is not its shard''s'),
           (9, 'entry.source', (h.source_id BETWEEN $3 AND $4) IS NOT TRUE,
            format('source row %%s is not its shard''s', h.source_id)),
           (10, 'entry.unsound', true, 'not sound')
         ) AS f(rank, code, broken, message)
      ) found
     WHERE found.broken AND (found.rank < 10 OR found.is_explained IS NOT TRUE)
     ORDER BY found.id, found.rank
  $q$, 'je_header_staging_' || held.id, 'je_line_staging_' || held.id)
    USING wrong, held.entry_base, held.first_source_id, held.last_source_id;
END $$;

-- Source rows that are not there, or have an entry. Numbers that leave no gap are told by their count.
CREATE FUNCTION ledger_staged_source_faults(held journal_run_shard)
RETURNS TABLE (code text, message text, entry_id bigint)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  present bigint;
BEGIN
  EXECUTE 'SELECT count(*) FROM txn_source_parent WHERE txn_month = $1 AND id >= $2 AND id <= $3'
    INTO present USING held.txn_month, held.first_source_id, held.last_source_id;
  IF present < held.last_source_id - held.first_source_id + 1 THEN
    RETURN QUERY EXECUTE format($q$
      SELECT 'source.unknown', format('there is no source row %%s in %%s', h.source_id, to_char($1, 'YYYY-MM')), h.entry_id
        FROM %I h
        LEFT JOIN (SELECT id FROM txn_source_parent WHERE txn_month = $1 AND id >= $2 AND id <= $3) s ON s.id = h.source_id
       WHERE s.id IS NULL LIMIT 20
    $q$, 'je_header_staging_' || held.id) USING held.txn_month, held.first_source_id, held.last_source_id;
  END IF;
  IF EXISTS (SELECT FROM source_row_journalised WHERE source_id >= held.first_source_id
                AND source_id <= held.last_source_id) THEN
    RETURN QUERY EXECUTE format($q$
      SELECT 'source.journalised', format('source row %%s has its entry already, %%s', h.source_id, s.entry_id), h.entry_id
        FROM %I h JOIN source_row_journalised s ON s.source_id = h.source_id
       WHERE s.source_id >= $1 AND s.source_id <= $2 LIMIT 20
    $q$, 'je_header_staging_' || held.id) USING held.first_source_id, held.last_source_id;
  END IF;
END $$;

-- Entries that are not the mirror of those they take back: the whole of the shard with the same number, line by line.
CREATE FUNCTION ledger_staged_mirror_faults(held journal_run_shard, original_run bigint)
RETURNS TABLE (code text, message text, entry_id bigint)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  batch bigint := (SELECT CASE WHEN large THEN id ELSE 0 END FROM journal_run WHERE id = original_run);
  original journal_run_shard;
  month date;
BEGIN
  SELECT * INTO original FROM journal_run_shard WHERE run_id = original_run AND number = held.number;
  IF original.entries IS DISTINCT FROM held.entries OR original.lines IS DISTINCT FROM held.lines THEN
    RETURN QUERY SELECT 'reversal.not_mirrored', format('shard %s takes back %s entries of %s', held.number, held.entries,
                                                       original.entries), NULL::bigint;
    RETURN;
  END IF;
  -- Where trips are looked for whose totals are journalised no more.
  IF (original.txn_month, original.first_source_id, original.last_source_id)
     <> (held.txn_month, held.first_source_id, held.last_source_id) THEN
    RETURN QUERY SELECT 'reversal.not_mirrored', format('shard %s is of other source rows than what it takes back', held.number),
                        NULL::bigint;
    RETURN;
  END IF;
  FOR month IN SELECT value::date FROM jsonb_array_elements_text(original.months) LOOP
    RETURN QUERY EXECUTE format($q$
      SELECT 'reversal.not_mirrored', format('entry %%s is not the mirror of %%s', min(d.entry_id), d.reverses_id), min(d.entry_id)
        FROM (
          SELECT h.entry_id, o.id AS reverses_id
            FROM (SELECT * FROM %1$I WHERE reverses_date >= $4 AND reverses_date < $5) h
            FULL JOIN (
              SELECT * FROM ledger_entry_header
               WHERE batch_id = $1 AND je_date >= $4 AND je_date < $5 AND id > $2 AND id <= $3
            ) o ON o.id = h.reverses_id AND o.je_date = h.reverses_date
           WHERE (o.source_id = h.source_id AND o.line_count = h.line_count AND o.total = h.total
                  AND o.reverses_id IS NULL AND h.je_date >= o.je_date) IS NOT TRUE
          UNION ALL
          SELECT m.entry_id, coalesce(m.reverses_id, o.entry_id)
            FROM (
              SELECT h.reverses_id, l.* FROM %1$I h JOIN %2$I l ON l.entry_id = h.entry_id
               WHERE h.reverses_date >= $4 AND h.reverses_date < $5
            ) m
            FULL JOIN (
              SELECT * FROM ledger_entry_line
               WHERE batch_id = $1 AND je_date >= $4 AND je_date < $5 AND entry_id > $2 AND entry_id <= $3
            ) o ON o.entry_id = m.reverses_id AND o.line_number = m.line_number
           WHERE (o.account_id = m.account_id AND o.currency = m.currency AND o.fund = m.fund
                  AND o.template_line = m.template_line
                  AND CASE o.side WHEN 'DR' THEN -o.amount ELSE o.amount END = m.amount) IS NOT TRUE
        ) d
       GROUP BY d.reverses_id LIMIT 20
    $q$, 'je_header_staging_' || held.id, 'je_line_staging_' || held.id)
      USING batch, original.entry_base, original.entry_base + 262144, month, (month + interval '1 month')::date;
  END LOOP;
END $$;

-- What the shard's trips bring onto the clearing account, by account, week and file: so much more of their totals is
-- journalised once the run is posted.
CREATE FUNCTION ledger_add_up_trips(held journal_run_shard) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  DELETE FROM journal_run_trip_total WHERE shard_id = held.id;
  EXECUTE format($q$
    INSERT INTO journal_run_trip_total (run_id, shard_id, account_id, week, import_batch_id, amount)
    SELECT $1, $2, s.account_id, s.week, s.batch_id, -sum(l.amount)
      FROM %I l
      JOIN %I h ON h.entry_id = l.entry_id
      JOIN txn_source_parent s ON s.id = h.source_id AND s.txn_month = $3 AND s.id >= $4 AND s.id <= $5
     WHERE l.account_id = (SELECT id FROM chart_of_accounts WHERE code = '2300')
     GROUP BY s.account_id, s.week, s.batch_id
    HAVING sum(l.amount) <> 0
     ORDER BY s.account_id, s.week, s.batch_id
  $q$, 'je_line_staging_' || held.id, 'je_header_staging_' || held.id)
    USING held.run_id, held.id, held.txn_month, held.first_source_id, held.last_source_id;
END $$;

-- What is wrong with a shard: at most some twenty rows of each kind, named by a code and, where it is an entry, by
-- its number. Nothing found makes it VALIDATED.
CREATE FUNCTION ledger_validate_shard(shard bigint) RETURNS TABLE (code text, message text, entry_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET work_mem = '256MB' SET jit = off AS $$
DECLARE
  held journal_run_shard;
  run journal_run;
  faults int := 0;
  found_now int;
  staged record;
  groups jsonb;
  weighted numeric;
  named jsonb;  -- accounts, each with its currency
  dated jsonb;  -- months
BEGIN
  IF ledger_staging_is_lost(shard) THEN
    RETURN QUERY SELECT 'staging.lost', 'what was staged is gone; the shard is PENDING again', NULL::bigint;
    RETURN;
  END IF;
  held := ledger_held_shard(shard, 'STAGED', '{PENDING,STAGED}');
  SELECT * INTO run FROM journal_run WHERE id = held.run_id;
  IF to_regclass('je_header_staging_' || shard) IS NULL OR to_regclass('je_line_staging_' || shard) IS NULL THEN
    RAISE EXCEPTION 'shard % was not opened', shard USING ERRCODE = 'BC011';
  END IF;

  -- Per entry, beside its header. Numbers are complete if there are as many as the header says, none twice, the sum
  -- that of 1 to n; the bits tell up to 62, and longer entries are counted apart.
  EXECUTE format($q$
    SELECT count(h.entry_id) AS headers, count(e.entry_id) AS entries, coalesce(sum(e.lines), 0) AS lines,
           coalesce(sum(e.debits), 0) AS debits,
           coalesce(sum((e.entry_id %% 1000003) * e.keys), 0) AS keys_total,
           coalesce(sum((e.entry_id %% 1009) * e.debits), 0) AS weighted,
           (array_agg(coalesce(h.entry_id, e.entry_id)) FILTER (
             WHERE (e.balance = 0 AND e.lines = h.line_count AND e.lines >= 2 AND e.debits = h.total
                    AND e.numbers = e.lines * (e.lines + 1) / 2
                    AND (e.lines > 62 OR e.bits = (1::bigint << (e.lines + 1)::int) - 2)
                    AND h.entry_id > $1 AND h.entry_id <= $1 + 262144
                    AND h.source_id >= $2 AND h.source_id <= $3) IS NOT TRUE
           ))[1:20] AS wrong,
           array_agg(e.entry_id) FILTER (WHERE e.lines > 62) AS long
      FROM (
        SELECT l.entry_id, l.je_date, count(*) AS lines, sum(l.amount) AS balance,
               sum(l.amount) FILTER (WHERE l.amount > 0) AS debits,
               sum(l.account_id::bigint * (1000 + l.line_number)) AS keys,
               sum(l.line_number) AS numbers, bit_or(1::bigint << l.line_number) AS bits
          FROM %I l GROUP BY l.entry_id, l.je_date
      ) e
      FULL JOIN %I h ON h.entry_id = e.entry_id AND h.je_date = e.je_date
  $q$, 'je_line_staging_' || shard, 'je_header_staging_' || shard)
    INTO staged USING held.entry_base, held.first_source_id, held.last_source_id;
  IF staged.wrong IS NOT NULL THEN
    RETURN QUERY SELECT * FROM ledger_staged_entry_faults(held, staged.wrong);
    faults := faults + 1;
  END IF;
  IF staged.long IS NOT NULL THEN
    RETURN QUERY EXECUTE format($q$
      SELECT 'line.numbers', format('entry %%s: its lines are not numbered from 1 on', l.entry_id), l.entry_id
        FROM %I l WHERE l.entry_id = ANY ($1) GROUP BY l.entry_id
      HAVING count(DISTINCT l.line_number) <> count(*) OR min(l.line_number) <> 1 OR max(l.line_number) <> count(*)
    $q$, 'je_line_staging_' || shard) USING staged.long;
    GET DIAGNOSTICS found_now = ROW_COUNT;
    faults := faults + found_now;
  END IF;
  -- Per account, currency and number: few groups, however many lines. Lines weigh by their numbers, debits by their
  -- entry's too, which was added up above.
  EXECUTE format($q$
    SELECT jsonb_agg(to_jsonb(g)), jsonb_object_agg(g.account_id, g.currency), coalesce(sum(g.weighted), 0)
      FROM (
        SELECT n.account_id, n.currency, min(n.line_number) AS first_line, max(n.places) AS places,
               bool_or(n.any_zero) AS any_zero, sum(n.line_number * n.amount) AS weighted
          FROM (
            SELECT l.account_id, l.currency, l.line_number, max(min_scale(l.amount)) AS places,
                   bool_or(l.amount = 0) AS any_zero, sum(l.amount) AS amount
              FROM %I l GROUP BY l.account_id, l.currency, l.line_number
          ) n
         GROUP BY n.account_id, n.currency
      ) g
  $q$, 'je_line_staging_' || shard) INTO groups, named, weighted;
  RETURN QUERY
    SELECT f.code, f.message, NULL::bigint
      FROM jsonb_to_recordset(coalesce(groups, '[]')) AS g(account_id int, currency text, first_line int, places int, any_zero boolean)
      LEFT JOIN chart_of_accounts a ON a.id = g.account_id
      LEFT JOIN currency c ON c.code = g.currency
     CROSS JOIN LATERAL (VALUES
       ('account.unknown', a.id IS NULL, format('there is no account %s', g.account_id)),
       ('account.inactive', NOT a.active AND run.reverses_run_id IS NULL, format('account %s is not active', a.code)),
       ('account.currency', c.code IS NULL OR a.currency_id <> g.currency,
        format('lines on %s in %s, and the account is in %s', a.code, g.currency, a.currency_id)),
       ('account.guarded', a.overdraft_limit IS NOT NULL,
        format('account %s keeps a running balance; bulk runs do not move it', a.code)),
       ('account.control', a.control_mask & (1 << array_position(ledger_origins(), run.origin::text)) = 0,
        format('account %s is a control account: only its own service posts to it', a.code)),
       ('amount.decimals', g.places > c.exponent,
        format('an amount on %s has %s decimals, and %s has %s', a.code, g.places, g.currency, c.exponent)),
       ('amount.zero', g.any_zero, format('a line on %s has no amount', coalesce(a.code, g.account_id::text))),
       ('line.numbers', g.first_line < 1, format('a line on %s has number %s', a.code, g.first_line))
     ) AS f(code, broken, message)
     WHERE f.broken
     LIMIT 20;
  GET DIAGNOSTICS found_now = ROW_COUNT;
  faults := faults + found_now;
  IF (staged.headers, staged.entries, staged.lines, staged.debits, staged.keys_total, staged.weighted + weighted)
     IS DISTINCT FROM (held.entries::bigint, held.entries::bigint, held.lines::numeric, held.debits, held.keys_total,
                       held.weighted_total) THEN
    RETURN QUERY SELECT 'staging.totals', format(
      'staged are %s headers and %s lines of %s (keys %s, weighted %s), and the frame had %s and %s of %s (keys %s, weighted %s)',
      staged.headers, staged.lines, staged.debits, staged.keys_total, staged.weighted + weighted, held.entries, held.lines,
      held.debits, held.keys_total, held.weighted_total), NULL::bigint;
    faults := faults + 1;
  END IF;

  -- Entries in one currency balanced above. Where there are more, each has to balance in each.
  IF (SELECT count(DISTINCT value) FROM jsonb_each_text(coalesce(named, '{}'))) > 1 THEN
    RETURN QUERY EXECUTE format($q$
      SELECT 'entry.unbalanced', format('entry %%s does not balance in %%s', l.entry_id, l.currency), l.entry_id
        FROM %I l GROUP BY l.entry_id, l.currency HAVING sum(l.amount) <> 0 LIMIT 20
    $q$, 'je_line_staging_' || shard);
    GET DIAGNOSTICS found_now = ROW_COUNT;
    faults := faults + found_now;
  END IF;

  -- Headers: templates that were in force, one entry a number and a row.
  EXECUTE format($q$
    SELECT coalesce(jsonb_agg(DISTINCT date_trunc('month', g.je_date::timestamp)::date), '[]') FROM (
      SELECT je_date FROM %I GROUP BY je_date
    ) g
  $q$, 'je_header_staging_' || shard) INTO dated;
  RETURN QUERY EXECUTE format($q$
    SELECT 'template.not_in_force', format('template %%s was not in force from %%s to %%s', g.template_id, g.first_on, g.last_on), g.example
      FROM (
        SELECT template_id, min(je_date) AS first_on, max(je_date) AS last_on, min(entry_id) AS example
          FROM %I GROUP BY template_id
      ) g
      LEFT JOIN journal_template t ON t.id = g.template_id
     WHERE NOT (g.template_id IS NULL AND $1)
       AND (t.status <> 'DRAFT' AND ($1 OR g.first_on >= t.effective_from AND g.last_on <= coalesce(t.effective_to, 'infinity')))
           IS NOT TRUE
     LIMIT 20
  $q$, 'je_header_staging_' || shard) USING run.reverses_run_id IS NOT NULL;
  GET DIAGNOSTICS found_now = ROW_COUNT;
  faults := faults + found_now;
  RETURN QUERY EXECUTE format($q$
    SELECT 'entry.twice', format('the number %%s has %%s entries', h.entry_id, count(*)), h.entry_id
      FROM %I h GROUP BY h.entry_id HAVING count(*) > 1 LIMIT 20
  $q$, 'je_header_staging_' || shard);
  GET DIAGNOSTICS found_now = ROW_COUNT;
  faults := faults + found_now;
  RETURN QUERY EXECUTE format($q$
    SELECT 'source.twice', format('source row %%s has %%s entries', h.source_id, count(*)), min(h.entry_id)
      FROM %I h GROUP BY h.source_id HAVING count(*) > 1 LIMIT 20
  $q$, 'je_header_staging_' || shard);
  GET DIAGNOSTICS found_now = ROW_COUNT;
  faults := faults + found_now;
  IF run.reverses_run_id IS NULL THEN
    RETURN QUERY SELECT * FROM ledger_staged_source_faults(held);
  ELSE
    RETURN QUERY SELECT * FROM ledger_staged_mirror_faults(held, run.reverses_run_id);
  END IF;
  GET DIAGNOSTICS found_now = ROW_COUNT;
  faults := faults + found_now;
  IF faults > 0 THEN
    RETURN;
  END IF;

  IF run.origin = 'TRIP' THEN
    PERFORM ledger_add_up_trips(held);
  END IF;
  PERFORM ledger_bulk_step(true);
  UPDATE journal_run_shard s
     SET state = 'VALIDATED', months = dated, accounts = coalesce(named, '{}')
   WHERE s.id = shard;
  PERFORM ledger_bulk_step(false);
END $$;

-- Stages the mirror of what the run that is reversed posted for the shard of the same number: the same entries with the
-- sides swapped, numbered in the same order, dated on the first open day from theirs on.
CREATE FUNCTION ledger_stage_reversal(shard bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET work_mem = '256MB' SET jit = off AS $$
DECLARE
  held journal_run_shard := ledger_held_shard(shard, 'PENDING', '{PENDING}');
  run journal_run;
  original journal_run_shard;
  batch bigint;
  floor_day date;
  month date;
  totals record;
  headers bigint := 0;
  inserted bigint;
BEGIN
  SELECT * INTO run FROM journal_run WHERE id = held.run_id;
  SELECT * INTO original FROM journal_run_shard WHERE run_id = run.reverses_run_id AND number = held.number;
  IF original.id IS NULL THEN
    RAISE EXCEPTION 'shard % takes nothing back', shard USING ERRCODE = 'BC011';
  END IF;
  batch := (SELECT CASE WHEN large THEN id ELSE 0 END FROM journal_run WHERE id = run.reverses_run_id);
  floor_day := coalesce(run.floor_date, '-infinity');
  PERFORM ledger_open_shard(shard);
  FOR month IN SELECT value::date FROM jsonb_array_elements_text(original.months) ORDER BY 1 LOOP
    EXECUTE format($q$
      INSERT INTO %I (entry_id, source_id, je_date, event_on, template_id, line_count, total, reference, description,
                      reverses_id, reverses_date)
      SELECT $1 + id - $2, source_id, greatest(je_date, $6), event_on, template_id, line_count, total, reference,
             description, id, je_date
        FROM ledger_entry_header
       WHERE batch_id = $3 AND je_date >= $4 AND je_date < $5 AND id > $2 AND id <= $2 + 262144
    $q$, 'je_header_staging_' || shard)
      USING held.entry_base, original.entry_base, batch, month, (month + interval '1 month')::date, floor_day;
    GET DIAGNOSTICS inserted = ROW_COUNT;
    headers := headers + inserted;
    EXECUTE format($q$
      INSERT INTO %I (entry_id, line_number, template_line, je_date, account_id, currency, fund, amount)
      SELECT $1 + entry_id - $2, line_number, template_line, greatest(je_date, $6), account_id, currency, fund,
             CASE side WHEN 'DR' THEN -amount ELSE amount END
        FROM ledger_entry_line
       WHERE batch_id = $3 AND je_date >= $4 AND je_date < $5 AND entry_id > $2 AND entry_id <= $2 + 262144
    $q$, 'je_line_staging_' || shard)
      USING held.entry_base, original.entry_base, batch, month, (month + interval '1 month')::date, floor_day;
  END LOOP;
  EXECUTE format($q$
    SELECT count(*) AS lines, coalesce(sum(amount) FILTER (WHERE amount > 0), 0) AS debits,
           coalesce(sum((entry_id %% 1000003) * (account_id::bigint * (1000 + line_number))), 0) AS keys_total,
           coalesce(sum(amount * (line_number + CASE WHEN amount > 0 THEN entry_id %% 1009 ELSE 0 END)), 0) AS weighted_total
      FROM %I
  $q$, 'je_line_staging_' || shard) INTO totals;
  PERFORM ledger_shard_staged(
    shard, headers::int, totals.lines::int, 0, (held.source_rows - headers)::int, original.source_gross,
    original.source_ids_sum, totals.debits, totals.keys_total, totals.weighted_total, NULL
  );
END $$;
