-- Rules of reconciliation that nothing can pass by: jobs end once, matches change their state alone, rows of a match
-- come with it and fit it. Errors carry BC030.

-- ---------------------------------------------------------------------------------------------------------
-- A job goes forward only, and stands once it ended; what may come later is that another supersedes it.
CREATE FUNCTION recon_job_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  ended constant text[] := ARRAY['COMPLETED', 'FAILED'];
BEGIN
  IF (NEW.id, NEW.source_id, NEW.date, NEW.started_by_id, NEW.created_at)
     IS DISTINCT FROM (OLD.id, OLD.source_id, OLD.date, OLD.started_by_id, OLD.created_at) THEN
    RAISE EXCEPTION 'what reconciliation % is of never changes', OLD.id USING ERRCODE = 'BC030';
  END IF;
  IF OLD.status = ANY (ended) THEN
    IF to_jsonb(NEW) - 'superseded_by_id' IS DISTINCT FROM to_jsonb(OLD) - 'superseded_by_id'
       OR OLD.superseded_by_id IS NOT NULL OR NEW.superseded_by_id IS NULL OR OLD.status <> 'COMPLETED' THEN
      RAISE EXCEPTION 'reconciliation % has ended and stands as it is', OLD.id USING ERRCODE = 'BC030';
    END IF;
  ELSIF NOT (OLD.status = 'PENDING' AND NEW.status IN ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED')
             OR OLD.status = 'RUNNING' AND NEW.status IN ('RUNNING', 'COMPLETED', 'FAILED')) THEN
    RAISE EXCEPTION 'reconciliation % does not go from % to %', OLD.id, OLD.status, NEW.status USING ERRCODE = 'BC030';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER recon_job_guard BEFORE UPDATE ON recon_job FOR EACH ROW EXECUTE FUNCTION recon_job_guard();

-- Logs are written while their job is at work, and none is added later.
CREATE FUNCTION recon_log_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM (SELECT DISTINCT job_id FROM new_rows) l JOIN recon_job j ON j.id = l.job_id
              WHERE j.status <> 'RUNNING') THEN
    RAISE EXCEPTION 'logs are written while their reconciliation runs' USING ERRCODE = 'BC030';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER recon_log_guard AFTER INSERT ON recon_log REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION recon_log_guard();

-- ---------------------------------------------------------------------------------------------------------
-- A match changes its state alone, from ACTIVE, once; its rows follow.
CREATE FUNCTION recon_match_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  changing constant text[] := ARRAY['status', 'undone_by_id', 'undone_at', 'undo_reason'];
BEGIN
  IF OLD.status <> 'ACTIVE' OR NEW.status NOT IN ('UNDONE', 'SUPERSEDED')
     OR to_jsonb(NEW) - changing IS DISTINCT FROM to_jsonb(OLD) - changing THEN
    RAISE EXCEPTION 'match % may only be undone or superseded, once', OLD.id USING ERRCODE = 'BC030';
  END IF;
  IF NEW.status = 'SUPERSEDED' AND OLD.decided_by_id IS NOT NULL THEN
    RAISE EXCEPTION 'match % was decided by a person, who alone may undo it', OLD.id USING ERRCODE = 'BC030';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER recon_match_guard BEFORE UPDATE ON recon_match FOR EACH ROW EXECUTE FUNCTION recon_match_guard();

-- As its owner: nobody else may change a row of a match.
CREATE FUNCTION recon_match_ended() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE recon_match_row r SET active = false FROM new_rows m WHERE r.match_id = m.id AND r.active;
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION recon_match_ended() FROM PUBLIC;
CREATE TRIGGER recon_match_ended AFTER UPDATE ON recon_match REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION recon_match_ended();

CREATE FUNCTION recon_match_row_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF pg_trigger_depth() < 2 OR NOT OLD.active OR NEW.active
     OR to_jsonb(NEW) - 'active' IS DISTINCT FROM to_jsonb(OLD) - 'active' THEN
    RAISE EXCEPTION 'rows of a match follow their match' USING ERRCODE = 'BC030';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER recon_match_row_guard BEFORE UPDATE ON recon_match_row
  FOR EACH ROW EXECUTE FUNCTION recon_match_row_guard();

-- The rows of a match come all at once, are of its source, are what they say they are, and are on both sides; those of
-- a write-off add up.
CREATE FUNCTION recon_match_rows_inserted() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  broken bigint;
BEGIN
  SELECT n.match_id INTO broken
    FROM new_rows n JOIN recon_match m ON m.id = n.match_id
   WHERE n.active <> (m.status = 'ACTIVE') OR m.status IN ('UNDONE', 'SUPERSEDED') LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'rows of match % are not as active as it is', broken USING ERRCODE = 'BC030';
  END IF;
  SELECT r.match_id INTO broken
    FROM (SELECT DISTINCT match_id FROM new_rows) n JOIN recon_match_row r ON r.match_id = n.match_id
   WHERE NOT EXISTS (SELECT FROM new_rows o WHERE o.id = r.id) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'rows of match % came before; none is added', broken USING ERRCODE = 'BC030';
  END IF;
  SELECT n.match_id INTO broken
    FROM new_rows n
    JOIN recon_match m ON m.id = n.match_id
    JOIN recon_external_row e ON e.id = n.external_row_id
   WHERE e.source_id <> m.source_id OR e.amount <> n.amount LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'match % has an outside row of another source or amount', broken USING ERRCODE = 'BC030';
  END IF;
  SELECT n.match_id INTO broken
    FROM new_rows n
    JOIN recon_match m ON m.id = n.match_id
    JOIN recon_source s ON s.id = m.source_id
   WHERE n.side = 'ledger' AND NOT EXISTS (
     SELECT FROM ledger_entry_line l
       JOIN recon_source_accounts a ON a.reconsource_id = s.id AND a.account_id = l.account_id
      WHERE l.entry_id = n.line_id / 100000 AND l.line_number = n.line_id % 100000 AND l.je_date = n.line_date
        AND CASE WHEN (l.side = 'DR') <> s.reversed_sign THEN l.amount ELSE -l.amount END = n.amount
   ) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'match % names a ledger line that is not there, of another account, or of another amount', broken
      USING ERRCODE = 'BC030';
  END IF;
  SELECT n.match_id INTO broken
    FROM new_rows n JOIN recon_match m ON m.id = n.match_id
   GROUP BY n.match_id, m.rule
  HAVING count(*) FILTER (WHERE n.side = 'ledger') = 0
      OR m.rule NOT IN ('write_off', 'taken_back') AND count(*) FILTER (WHERE n.side = 'external') = 0
      OR m.rule IN ('exact', 'score') AND count(*) <> 2
      OR m.rule IN ('write_off', 'taken_back')
         AND sum(n.amount) FILTER (WHERE n.side = 'ledger')
             <> coalesce(sum(n.amount) FILTER (WHERE n.side = 'external'), 0)
  LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the rows of match % do not make one', broken USING ERRCODE = 'BC030';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER recon_match_rows_inserted AFTER INSERT ON recon_match_row REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION recon_match_rows_inserted();
