-- Caps that closed weeks were checked against, additional drivers, and leases cancelled before they began.
--
-- SQLSTATEs: BC034 a cap of closed weeks, BC039 a day of an additional driver that stays, BC029 a lease that is not cancelled.

-- ---------------------------------------------------------------------------------------------------------
-- What a closed week was checked against stays: a cap holds from an open day on, and is put right until a week that it
-- holds in is closed. The calendar's lock keeps one from closing in between.
CREATE FUNCTION lease_cap_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  closed date;
BEGIN
  PERFORM ledger_hold_calendar();
  closed := ledger_closed_through();
  IF NEW.effective_from <= closed OR (TG_OP = 'UPDATE' AND OLD.effective_from <= closed) THEN
    RAISE EXCEPTION 'weeks are closed through %; the caps they were checked against stay as they are', closed
      USING ERRCODE = 'BC034';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER lease_cap_guard BEFORE INSERT OR UPDATE ON lease_cap
  FOR EACH ROW EXECUTE FUNCTION lease_cap_guard();

-- ---------------------------------------------------------------------------------------------------------
-- Additional drivers. What was withdrawn lets nobody drive.
ALTER TABLE lease_driver DROP CONSTRAINT lease_driver_not_twice_at_once;
ALTER TABLE lease_driver ADD CONSTRAINT lease_driver_not_twice_at_once EXCLUDE USING gist (
  int8range(lease_id, lease_id, '[]') WITH &&,
  int8range(driver_id, driver_id, '[]') WITH &&,
  daterange(starts_on, ends_on, '[]') WITH &&
) WHERE (NOT withdrawn);

-- The last day that this driver is known to have driven on this lease: by trips that are loaded, and archived ones
-- are of closed weeks. Trips of a week are looked up by account.
CREATE FUNCTION lease_driver_drove(lease bigint, driver bigint, since date) RETURNS date
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT max((t.started_at AT TIME ZONE 'America/New_York')::date)
    FROM txn_source_parent t
   WHERE t.account_id IN (SELECT a.id FROM driver_account a WHERE a.lease_id = lease)
     AND t.week >= since - extract(dow FROM since)::int AND t.driver_id = driver
$$;

-- Whose row it is and when it began stays; it may end on another day, or be withdrawn. Days of closed weeks and days
-- that the driver drove are not taken away: trips were settled by them.
CREATE FUNCTION lease_driver_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  kept date;  -- the last day that stays
BEGIN
  IF (OLD.lease_id, OLD.driver_id, OLD.starts_on) <> (NEW.lease_id, NEW.driver_id, NEW.starts_on) OR OLD.withdrawn THEN
    RAISE EXCEPTION 'an additional driver is ended or withdrawn, and nothing else' USING ERRCODE = 'BC039';
  END IF;
  IF NEW.withdrawn OR NEW.ends_on < coalesce(OLD.ends_on, 'infinity') THEN
    PERFORM ledger_hold_calendar();
    kept := greatest(ledger_closed_through(), lease_driver_drove(OLD.lease_id, OLD.driver_id, OLD.starts_on));
    IF kept >= OLD.starts_on AND (NEW.withdrawn OR NEW.ends_on < least(kept, OLD.ends_on)) THEN
      RAISE EXCEPTION 'the additional driver''s days through % stay: he drove, or weeks are closed', kept
        USING ERRCODE = 'BC039';
    END IF;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER lease_driver_guard BEFORE UPDATE ON lease_driver
  FOR EACH ROW EXECUTE FUNCTION lease_driver_guard();

-- ---------------------------------------------------------------------------------------------------------
-- A lease is cancelled before its first day, while nothing stands on its account, with its record; and stays so. Whoever
-- posts on the account waits for its lock.
CREATE FUNCTION lease_cancelled_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  standing record;
BEGIN
  IF OLD.status = 'CANCELLED' THEN
    RAISE EXCEPTION 'lease % was cancelled and stays as it is', OLD.number USING ERRCODE = 'BC029';
  END IF;
  IF NEW.status <> 'CANCELLED' THEN
    RETURN NEW;
  END IF;
  IF least(OLD.starts_on, NEW.starts_on) <= (statement_timestamp() AT TIME ZONE 'America/New_York')::date THEN
    RAISE EXCEPTION 'lease % has begun and is not cancelled', OLD.number USING ERRCODE = 'BC029';
  END IF;
  PERFORM FROM driver_account WHERE lease_id = OLD.id ORDER BY id FOR NO KEY UPDATE;
  SELECT p.category, p.reference_id INTO standing
    FROM ledger_posting p JOIN driver_account a ON a.id = p.account_id
   WHERE a.lease_id = OLD.id AND p.status = 'POSTED' AND p.reversal_for_id IS NULL
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION '% % stands on lease %, which is therefore not cancelled', standing.category, standing.reference_id,
      OLD.number USING ERRCODE = 'BC029';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER lease_cancelled_guard BEFORE UPDATE ON lease
  FOR EACH ROW WHEN (OLD.status = 'CANCELLED' OR NEW.status = 'CANCELLED') EXECUTE FUNCTION lease_cancelled_guard();

CREATE FUNCTION lease_cancelled_has_record() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM lease_cancellation WHERE lease_id = NEW.id) THEN
    RAISE EXCEPTION 'lease % was cancelled without a record that says why', NEW.number USING ERRCODE = 'BC029';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER lease_cancelled_has_record AFTER INSERT OR UPDATE ON lease
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.status = 'CANCELLED')
  EXECUTE FUNCTION lease_cancelled_has_record();

-- The record is of a lease that is cancelled, and was made when it was.
CREATE FUNCTION lease_cancellation_fits() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM lease l WHERE l.id = NEW.lease_id AND l.status = 'CANCELLED' AND NEW.cancelled_on < l.starts_on
  ) THEN
    RAISE EXCEPTION 'the record of a cancellation is that of a lease cancelled before it began' USING ERRCODE = 'BC029';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER lease_cancellation_fits BEFORE INSERT ON lease_cancellation
  FOR EACH ROW EXECUTE FUNCTION lease_cancellation_fits();
