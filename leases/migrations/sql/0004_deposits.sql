-- What no service may pass by about deposits. SQLSTATEs: BC035 a part, BC036 a release, BC037 a refund that does not fit.

-- What is left of an account's deposit: paid in, less what was applied and what was paid back. Never kept anywhere.
CREATE FUNCTION deposit_held(account bigint) RETURNS numeric
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
  RETURN ledger_deposit_left(account) - (
    SELECT coalesce(sum(CASE WHEN f.returns_id IS NULL THEN f.amount ELSE -f.amount END), 0)
      FROM lease_deposit d
      JOIN deposit_release r ON r.deposit_id = d.id
      JOIN deposit_refund f ON f.release_id = r.id
     WHERE d.account_id = account
  );
END $$;

-- As for fees: no account overflows by it.
ALTER TABLE deposit_part ADD CONSTRAINT deposit_part_not_too_large CHECK (amount <= 99999.99);

CREATE FUNCTION lease_deposit_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM driver_account WHERE id = NEW.account_id AND lease_id = NEW.lease_id) THEN
    RAISE EXCEPTION 'the deposit of a lease is on that lease''s own account' USING ERRCODE = 'BC035';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER lease_deposit_guard BEFORE INSERT ON lease_deposit
  FOR EACH ROW EXECUTE FUNCTION lease_deposit_guard();

-- A part changes until it is posted, or the deposit is released; what posts it is what it says. The account's lock keeps
-- a release from coming between the look and the change.
CREATE FUNCTION deposit_part_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  part deposit_part := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
  whose record;
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.posting_id IS NOT NULL THEN
    RAISE EXCEPTION 'deposit part % was posted and cannot be changed or deleted', OLD.reference_id
      USING ERRCODE = 'BC035';
  END IF;
  SELECT d.account_id, l.number INTO whose
    FROM lease_deposit d JOIN lease l ON l.id = d.lease_id WHERE d.id = part.deposit_id;
  PERFORM FROM driver_account WHERE id = whose.account_id FOR NO KEY UPDATE;
  IF EXISTS (SELECT FROM deposit_release WHERE deposit_id = part.deposit_id) THEN
    RAISE EXCEPTION 'the deposit of lease % was released; its parts stay as they are', whose.number
      USING ERRCODE = 'BC035';
  END IF;
  IF TG_OP = 'DELETE' THEN
    RETURN OLD;
  END IF;
  IF NEW.reference_id <> whose.number || '/D' || NEW.number
     OR (TG_OP = 'UPDATE' AND NEW.deposit_id <> OLD.deposit_id) THEN
    RAISE EXCEPTION 'deposit part % does not carry its lease''s number and its own', NEW.reference_id
      USING ERRCODE = 'BC035';
  END IF;
  IF NEW.posting_id IS NOT NULL AND (TG_OP = 'INSERT' OR NOT EXISTS (
    SELECT FROM ledger_posting p
     WHERE p.id = NEW.posting_id AND p.category = 'DEPOSIT' AND p.reference_id = NEW.reference_id
       AND p.amount = NEW.amount AND p.account_id = whose.account_id AND p.reversal_for_id IS NULL
  )) THEN
    RAISE EXCEPTION 'deposit part % does not fit its posting', NEW.reference_id USING ERRCODE = 'BC035';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER deposit_part_guard BEFORE INSERT OR UPDATE OR DELETE ON deposit_part
  FOR EACH ROW EXECUTE FUNCTION deposit_part_guard();

-- A release comes after the lease, after the hold unless a person says why, once nothing of the deposit is left to
-- collect; and its figures are the ledger's.
CREATE FUNCTION deposit_release_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  whose record;
BEGIN
  SELECT d.account_id, l.number, l.status, coalesce(l.ends_on, CASE l.status WHEN 'CANCELLED' THEN l.starts_on END) AS over
    INTO whose FROM lease_deposit d JOIN lease l ON l.id = d.lease_id WHERE d.id = NEW.deposit_id;
  PERFORM FROM driver_account WHERE id = whose.account_id FOR NO KEY UPDATE;
  IF whose.over IS NULL OR (whose.status <> 'CANCELLED' AND NEW.released_on <= whose.over) THEN
    RAISE EXCEPTION 'lease % is not over on %; its deposit is still held', whose.number, NEW.released_on
      USING ERRCODE = 'BC036';
  END IF;
  IF NEW.released_on < whose.over + 30 AND length(NEW.reason) < 10 THEN
    RAISE EXCEPTION 'the deposit of lease % is held until %; an earlier release says why', whose.number, whose.over + 30
      USING ERRCODE = 'BC036';
  END IF;
  IF NEW.released_on > (statement_timestamp() AT TIME ZONE 'America/New_York')::date THEN
    RAISE EXCEPTION 'a deposit is not released ahead of today' USING ERRCODE = 'BC036';
  END IF;
  IF NEW.posting_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM ledger_posting p
     WHERE p.id = NEW.posting_id AND p.category = 'DEPOSIT_APPLIED' AND p.amount = -NEW.applied
       AND p.account_id = whose.account_id AND p.reversal_for_id IS NULL
  ) THEN
    RAISE EXCEPTION 'the release of lease % does not fit its posting', whose.number USING ERRCODE = 'BC036';
  END IF;
  IF EXISTS (
    SELECT FROM ledger_balance b
     WHERE b.account_id = whose.account_id AND b.status = 'OPEN' AND b.category = 'DEPOSIT' AND b.original_amount > 0
  ) THEN
    RAISE EXCEPTION 'the deposit of lease % still has parts to collect', whose.number USING ERRCODE = 'BC036';
  END IF;
  IF NEW.refundable <> deposit_held(whose.account_id) THEN
    RAISE EXCEPTION 'the release of lease % leaves %, and the ledger holds %', whose.number, NEW.refundable,
      deposit_held(whose.account_id) USING ERRCODE = 'BC036';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER deposit_release_guard BEFORE INSERT ON deposit_release
  FOR EACH ROW EXECUTE FUNCTION deposit_release_guard();

-- Paid back is what is left, whole, with an entry that says the same on 2100; a payment that came back is a refund's own.
CREATE FUNCTION deposit_refund_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  whose record;
BEGIN
  SELECT d.account_id, r.released_on, l.number INTO whose
    FROM deposit_release r JOIN lease_deposit d ON d.id = r.deposit_id JOIN lease l ON l.id = d.lease_id
   WHERE r.id = NEW.release_id;
  PERFORM FROM driver_account WHERE id = whose.account_id FOR NO KEY UPDATE;
  IF NEW.paid_on > (statement_timestamp() AT TIME ZONE 'America/New_York')::date
     OR NEW.paid_on < whose.released_on THEN
    RAISE EXCEPTION 'a deposit is paid back between its release and today' USING ERRCODE = 'BC037';
  END IF;
  IF NEW.returns_id IS NULL THEN
    IF NEW.amount <> deposit_held(whose.account_id) THEN
      RAISE EXCEPTION '% is paid back on lease %, and % of its deposit is left', NEW.amount, whose.number,
        deposit_held(whose.account_id) USING ERRCODE = 'BC037';
    END IF;
  ELSIF NOT EXISTS (
    SELECT FROM deposit_refund f
     WHERE f.id = NEW.returns_id AND f.returns_id IS NULL AND f.release_id = NEW.release_id AND f.amount = NEW.amount
       AND f.paid_on <= NEW.paid_on
  ) THEN
    RAISE EXCEPTION 'what came back on lease % is not a refund of its deposit', whose.number USING ERRCODE = 'BC037';
  END IF;
  IF NOT EXISTS (
    SELECT FROM ledger_entry_header h
      JOIN ledger_entry_line e ON e.entry_id = h.id AND e.je_date = h.je_date AND e.batch_id = h.batch_id
      JOIN chart_of_accounts a ON a.id = e.account_id AND a.code = '2100'
     WHERE h.id = NEW.entry_id AND h.je_date = NEW.entry_date AND h.origin = 'DEPOSIT' AND e.amount = NEW.amount
       AND e.side = CASE WHEN NEW.returns_id IS NULL THEN 'DR' ELSE 'CR' END
  ) THEN
    RAISE EXCEPTION 'the refund on lease % has no entry that says the same', whose.number USING ERRCODE = 'BC037';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER deposit_refund_guard BEFORE INSERT ON deposit_refund
  FOR EACH ROW EXECUTE FUNCTION deposit_refund_guard();

-- What was applied or paid back was charged and paid in: no void takes the charge away from under it, or the driver would
-- have that money twice. (A payment that bounces leaves the charge, open again.)
CREATE FUNCTION deposit_charge_stands() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  paid_back numeric;
BEGIN
  PERFORM FROM driver_account WHERE id = NEW.account_id FOR NO KEY UPDATE;
  paid_back := ledger_deposit_left(NEW.account_id) - deposit_held(NEW.account_id);
  IF (SELECT sum(amount) FROM ledger_posting
       WHERE account_id = NEW.account_id AND category IN ('DEPOSIT', 'DEPOSIT_APPLIED')) < paid_back THEN
    RAISE EXCEPTION '% was applied to debts or paid back to the driver; void the applied credit, or record that the '
      'refund came back, before its charge', NEW.reference_id USING ERRCODE = 'BC038';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER deposit_charge_stands AFTER INSERT ON ledger_posting
  FOR EACH ROW WHEN (NEW.category = 'DEPOSIT' AND NEW.amount < 0) EXECUTE FUNCTION deposit_charge_stands();

-- Where each deposit stands: what is told of it anywhere comes from here. A lateral look per sum, each by an index.
CREATE VIEW lease_deposit_standing AS
SELECT w.*,
       CASE
         WHEN w.is_released AND w.refunded > 0 AND w.held <= 0 THEN 'REFUNDED'
         WHEN w.is_released THEN 'APPLIED'
         WHEN w.scheduled = 0 AND w.open_amount = 0 AND w.collected > 0 THEN 'HELD'
         ELSE 'COLLECTING'
       END AS status,
       CASE WHEN w.is_released THEN greatest(w.held, 0.00) ELSE 0.00 END AS to_refund
  FROM (
    SELECT d.id AS deposit_id,
           r.id IS NOT NULL AS is_released,
           posted.charged + unposted.scheduled AS agreed,
           unposted.scheduled, posted.charged, posted.open_amount,
           posted.charged - posted.open_amount AS collected,
           posted.applied, paid_back.refunded,
           posted.charged - posted.open_amount - posted.applied - paid_back.refunded AS held
      FROM lease_deposit d
      LEFT JOIN deposit_release r ON r.deposit_id = d.id
     CROSS JOIN LATERAL (
       SELECT coalesce(sum(p.amount) FILTER (WHERE p.category = 'DEPOSIT'), 0.00) AS charged,
              coalesce(sum(b.balance), 0.00) AS open_amount,
              coalesce(-sum(p.amount) FILTER (WHERE p.category = 'DEPOSIT_APPLIED'), 0.00) AS applied
         FROM ledger_posting p
         LEFT JOIN ledger_balance b ON b.posting_id = p.id AND p.category = 'DEPOSIT'
        WHERE p.account_id = d.account_id AND p.category IN ('DEPOSIT', 'DEPOSIT_APPLIED')
     ) posted
     CROSS JOIN LATERAL (
       -- What was not posted by then is cancelled with the release.
       SELECT coalesce(sum(i.amount), 0.00) AS scheduled
         FROM deposit_part i WHERE i.deposit_id = d.id AND i.posting_id IS NULL AND r.id IS NULL
     ) unposted
     CROSS JOIN LATERAL (
       SELECT coalesce(sum(CASE WHEN f.returns_id IS NULL THEN f.amount ELSE -f.amount END), 0.00) AS refunded
         FROM deposit_refund f WHERE f.release_id = r.id
     ) paid_back
  ) w;
