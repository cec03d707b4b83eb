-- Rules of what the card processor sends. Errors carry BC050 (settlements) and BC051 (fetches).

-- ---------------------------------------------------------------------------------------------------------
-- A settlement says what its row says, for ever. Later it gets its entry, once, or is dismissed, once; and its entry is
-- one of the fleet's events that takes just this amount off the accounts the source stands beside.
CREATE FUNCTION curb_settlement_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  deciding constant text[] := ARRAY['entry_id', 'entry_date', 'entered_by_id',
                                    'dismissed_at', 'dismissed_by_id', 'dismissed_because'];
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF to_jsonb(NEW) - deciding IS DISTINCT FROM to_jsonb(OLD) - deciding THEN
      RAISE EXCEPTION 'what settlement % says never changes', OLD.id USING ERRCODE = 'BC050';
    END IF;
    IF OLD.entry_id IS NOT NULL OR OLD.dismissed_at IS NOT NULL THEN
      RAISE EXCEPTION 'settlement % is decided and stands', OLD.id USING ERRCODE = 'BC050';
    END IF;
  ELSIF NOT EXISTS (
    SELECT FROM recon_external_row e
     WHERE e.id = NEW.external_row_id AND e.source_id = NEW.source_id AND e.amount = NEW.gross
  ) THEN
    RAISE EXCEPTION 'settlement % is not what its row says', NEW.id USING ERRCODE = 'BC050';
  END IF;
  IF NEW.entry_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM ledger_entry_header h
      JOIN recon_external_row e ON e.id = NEW.external_row_id
     WHERE h.id = NEW.entry_id AND h.je_date = NEW.entry_date AND h.origin = 'HOUSE' AND h.reference = e.external_id
       AND -NEW.gross = (
         SELECT sum(CASE l.side WHEN 'DR' THEN l.amount ELSE -l.amount END)
           FROM ledger_entry_line l
           JOIN recon_source_accounts a ON a.reconsource_id = NEW.source_id AND a.account_id = l.account_id
          WHERE l.entry_id = h.id AND l.je_date = h.je_date)
  ) THEN
    RAISE EXCEPTION 'settlement % does not fit its entry', NEW.id USING ERRCODE = 'BC050';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER curb_settlement_guard BEFORE INSERT OR UPDATE ON curb_settlement
  FOR EACH ROW EXECUTE FUNCTION curb_settlement_guard();

-- ---------------------------------------------------------------------------------------------------------
-- A fetch begins at work and ends once; the import it names is of trips, and of as many rows as were fetched.
CREATE FUNCTION curb_fetch_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status <> 'RUNNING' THEN
      RAISE EXCEPTION 'a fetch begins at work' USING ERRCODE = 'BC051';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.status <> 'RUNNING' THEN
    RAISE EXCEPTION 'fetch % has ended and stands as it is', OLD.id USING ERRCODE = 'BC051';
  END IF;
  IF (NEW.id, NEW.window_from, NEW.window_to, NEW.started_by_id, NEW.started_at)
     IS DISTINCT FROM (OLD.id, OLD.window_from, OLD.window_to, OLD.started_by_id, OLD.started_at) THEN
    RAISE EXCEPTION 'what fetch % is of never changes', OLD.id USING ERRCODE = 'BC051';
  END IF;
  IF NEW.batch_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM import_batch b WHERE b.id = NEW.batch_id AND b.source = 'curb' AND b.rows = NEW.rows
  ) THEN
    RAISE EXCEPTION 'fetch % does not fit its import', OLD.id USING ERRCODE = 'BC051';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER curb_fetch_guard BEFORE INSERT OR UPDATE ON curb_fetch
  FOR EACH ROW EXECUTE FUNCTION curb_fetch_guard();
