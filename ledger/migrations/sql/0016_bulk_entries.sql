-- What the journal's own tables learn from bulk runs.

-- A row whose entry is taken back is free for another entry, and no other row is.
CREATE FUNCTION source_rows_freed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM gone g LEFT JOIN ledger_entry_reversal r ON r.entry_id = g.entry_id WHERE r.entry_id IS NULL) THEN
    RAISE EXCEPTION 'a source row keeps its entry until that is reversed' USING ERRCODE = 'BC006';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER source_rows_freed AFTER DELETE ON source_row_journalised REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION source_rows_freed();

-- Once per statement, for a run writes a million rows.
DROP TRIGGER source_row_journalised_no_direct_write ON source_row_journalised;
CREATE TRIGGER source_row_journalised_no_direct_write BEFORE INSERT OR UPDATE OR DELETE ON source_row_journalised
  FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_direct_write();
DROP TRIGGER ledger_entry_reversal_no_direct_write ON ledger_entry_reversal;
CREATE TRIGGER ledger_entry_reversal_no_direct_write BEFORE INSERT OR UPDATE OR DELETE ON ledger_entry_reversal
  FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_direct_write();

CREATE TRIGGER batch_account_total_no_direct_write BEFORE INSERT ON batch_account_total
  FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_direct_write();
CREATE TRIGGER journal_run_trip_total_no_truncate BEFORE TRUNCATE ON journal_run_trip_total
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_direct_write();

-- As before; a run's reversal, and that alone, takes back entries of source rows, and frees the rows.
CREATE OR REPLACE FUNCTION ledger_headers_inserted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  months_closed date;
  weeks_closed date;
  closed date;
  ahead boolean;
  reversals boolean;
  sources boolean;
  leaf record;
  wrong bigint;
BEGIN
  PERFORM ledger_hold_calendar();
  SELECT (SELECT (max(month) + interval '1 month')::date - 1 FROM accounting_month WHERE status = 'CLOSED'),
         (SELECT max(week) + 6 FROM weekly_run WHERE status = 'CLOSED')
    INTO months_closed, weeks_closed;
  SELECT bool_or(greatest(h.je_date, h.event_on) > (statement_timestamp() AT TIME ZONE 'America/New_York')::date
                 OR h.created_at > statement_timestamp()),
         bool_or(h.reverses_id IS NOT NULL), bool_or(h.source_id IS NOT NULL),
         -- What does not follow the weeks may be dated in a month that was reopened, though its weeks stay closed.
         min(h.je_date) FILTER (
           WHERE h.je_date <= months_closed
              OR (h.je_date <= weeks_closed
                  AND (h.origin IN ('POSTING', 'TRIP', 'DTR') OR m.status IS DISTINCT FROM 'REOPENED'))
         )
    INTO ahead, reversals, sources, closed
    FROM new_headers h
    LEFT JOIN accounting_month m ON m.month = date_trunc('month', h.je_date::timestamp)::date;
  IF closed IS NOT NULL THEN
    RAISE EXCEPTION 'an entry is dated %, and weeks and months are closed through %', closed,
                    greatest(months_closed, weeks_closed)
      USING ERRCODE = 'BC001',
            DETAIL = json_build_object('date', closed, 'closed_through', greatest(months_closed, weeks_closed));
  END IF;
  IF ahead THEN
    RAISE EXCEPTION 'an entry can neither have happened nor be dated in the future' USING ERRCODE = 'BC002';
  END IF;
  FOR leaf IN
    SELECT DISTINCT date_trunc('month', je_date::timestamp)::date AS first_day,
           (date_trunc('month', je_date::timestamp) + interval '1 month')::date AS next_month, batch_id
      FROM new_headers
  LOOP
    SELECT h.id INTO wrong
      FROM new_headers h
      LEFT JOIN common_user u ON u.id = h.created_by_id
      LEFT JOIN LATERAL (
        SELECT l.entry_id FROM ledger_entry_line l
         WHERE l.entry_id = h.id AND l.line_number = 1 AND l.je_date = h.je_date AND l.batch_id = leaf.batch_id
           AND l.je_date >= leaf.first_day AND l.je_date < leaf.next_month
        OFFSET 0
      ) l ON true
      -- By the key's first column: an entry's number is used once in its month.
      LEFT JOIN LATERAL (
        SELECT t.id FROM ledger_entry_header t
         WHERE t.id = h.id AND t.je_date <> h.je_date AND t.batch_id = leaf.batch_id
           AND t.je_date >= leaf.first_day AND t.je_date < leaf.next_month
        OFFSET 0
      ) taken ON true
     WHERE h.batch_id = leaf.batch_id AND h.je_date >= leaf.first_day AND h.je_date < leaf.next_month
       AND (l.entry_id IS NULL OR u.id IS NULL OR taken.id IS NOT NULL)
     LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION 'entry % comes without its lines, by nobody, or with a number that is taken', wrong USING ERRCODE = 'BC008';
    END IF;
  END LOOP;
  IF pg_trigger_depth() < 2 AND EXISTS (SELECT FROM new_headers WHERE id > 1000000262144) THEN
    RAISE EXCEPTION 'numbers above 1000000262144 are those of bulk runs' USING ERRCODE = 'BC008';
  END IF;
  IF reversals AND sources AND pg_trigger_depth() < 2
     AND EXISTS (SELECT FROM new_headers WHERE reverses_id IS NOT NULL AND source_id IS NOT NULL) THEN
    RAISE EXCEPTION 'the entry of a source row is taken back by the reversal of its run' USING ERRCODE = 'BC008';
  END IF;
  IF reversals THEN
    FOR leaf IN
      SELECT h.*, o.id IS NULL OR o.reverses_id IS NOT NULL OR o.origin <> h.origin OR o.origin = 'POSTING'
                  OR h.je_date < o.je_date OR o.line_count <> h.line_count
                  OR o.source_id IS DISTINCT FROM h.source_id AS unfit
        FROM new_headers h
        LEFT JOIN ledger_entry_header o ON o.id = h.reverses_id AND o.je_date = h.reverses_date
       WHERE h.reverses_id IS NOT NULL
    LOOP
      IF leaf.unfit OR EXISTS (
        SELECT account_id, currency, fund, side, amount FROM ledger_entry_line
         WHERE entry_id = leaf.reverses_id AND je_date = leaf.reverses_date
        EXCEPT ALL
        SELECT account_id, currency, fund, CASE side WHEN 'DR' THEN 'CR' ELSE 'DR' END, amount FROM ledger_entry_line
         WHERE entry_id = leaf.id AND je_date = leaf.je_date AND batch_id = leaf.batch_id
      ) THEN
        RAISE EXCEPTION 'entry % is not the mirror of an earlier entry that may be reversed', leaf.id USING ERRCODE = 'BC008';
      END IF;
    END LOOP;
    INSERT INTO ledger_entry_reversal (entry_id, reversed_by_id, reversed_by_date)
    SELECT reverses_id, id, je_date FROM new_headers WHERE reverses_id IS NOT NULL;
  END IF;
  IF reversals AND sources THEN
    DELETE FROM source_row_journalised s USING new_headers h
     WHERE h.reverses_id IS NOT NULL AND s.source_id = h.source_id AND s.entry_id = h.reverses_id;
  END IF;
  IF sources THEN
    INSERT INTO source_row_journalised (source_id, entry_id, je_date)
    SELECT source_id, id, je_date FROM new_headers WHERE source_id IS NOT NULL AND reverses_id IS NULL
     ORDER BY source_id;
  END IF;
  RETURN NULL;
END $$;
