-- A day that was right when the clerk began may be in a week that closes at this moment: midnight passed meanwhile. It is
-- the first open day that such a posting gets, as any other whose day is closed; so the close is waited for, and seen
-- (a VOLATILE function looks anew with each statement). Today's own week cannot close, and pays nothing for it.
CREATE OR REPLACE FUNCTION ledger_posting_date(recorded_on date, chosen date) RETURNS date
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
DECLARE
  today date;
BEGIN
  IF chosen IS NOT NULL THEN
    RETURN chosen;
  END IF;
  today := (statement_timestamp() AT TIME ZONE 'America/New_York')::date;
  IF recorded_on < today AND recorded_on >= today - 7 THEN
    PERFORM ledger_hold_calendar();
  END IF;
  RETURN greatest(
    recorded_on, (SELECT max(week) + 7 FROM weekly_run WHERE status = 'CLOSED'),
    (SELECT (max(month) + interval '1 month')::date FROM accounting_month WHERE status = 'CLOSED')
  );
END $$;
