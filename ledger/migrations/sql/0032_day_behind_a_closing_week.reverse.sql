CREATE OR REPLACE FUNCTION ledger_posting_date(recorded_on date, chosen date) RETURNS date
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
  IF chosen IS NOT NULL THEN
    RETURN chosen;
  END IF;
  RETURN greatest(
    recorded_on, (SELECT max(week) + 7 FROM weekly_run WHERE status = 'CLOSED'),
    (SELECT (max(month) + interval '1 month')::date FROM accounting_month WHERE status = 'CLOSED')
  );
END $$;
