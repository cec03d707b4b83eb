-- The desk: credits that somebody decided on, the opening balances, and the cashiers' drawers (account 1020).
--
--   BC060 a day of a drawer that is closed     BC061 a close that does not add up
--   BC062 a record that does not fit its posting, or opening balances that do not fit their file
--   BC063 a check that cannot have bounced

-- ---------------------------------------------------------------------------------------------------------
-- A decision is what its posting says.
CREATE FUNCTION credit_decision_fits() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM ledger_posting p
     WHERE p.id = NEW.posting_id AND p.account_id = NEW.account_id AND p.reference_id = NEW.number
       AND p.reversal_for_id IS NULL AND p.status = 'POSTED'
       AND p.amount = CASE NEW.kind WHEN 'REFUND' THEN NEW.amount ELSE -NEW.amount END
       AND p.category = CASE NEW.kind WHEN 'REFUND' THEN 'INTERIM_PAYMENT' ELSE NEW.kind END
       AND p.product = CASE NEW.kind WHEN 'REFUND' THEN 'REFUND_' || NEW.method ELSE '' END
  ) THEN
    RAISE EXCEPTION 'credit % does not fit its posting', NEW.number USING ERRCODE = 'BC062';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER credit_decision_fits BEFORE INSERT ON credit_decision
  FOR EACH ROW EXECUTE FUNCTION credit_decision_fits();

-- ---------------------------------------------------------------------------------------------------------
-- Opening balances: one file, and its postings are all there are.
CREATE FUNCTION opening_import_fits() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  found record;
BEGIN
  SELECT count(*) AS rows, coalesce(sum(amount) FILTER (WHERE amount > 0), 0) AS debits,
         coalesce(-sum(amount) FILTER (WHERE amount < 0), 0) AS credits
    INTO found
    FROM ledger_posting WHERE product = 'OPENING' AND reversal_for_id IS NULL AND replaces_id IS NULL;
  IF (found.rows, found.debits, found.credits) IS DISTINCT FROM (NEW.rows, NEW.debits, NEW.credits) THEN
    RAISE EXCEPTION 'the file says % rows, % debits and % credits; posted are %, % and %',
      NEW.rows, NEW.debits, NEW.credits, found.rows, found.debits, found.credits USING ERRCODE = 'BC062';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER opening_import_fits BEFORE INSERT ON opening_import
  FOR EACH ROW EXECUTE FUNCTION opening_import_fits();

-- What an opening posting is of was booked by the books before: it leaves loans and deposits alone (see the proofs).

-- ---------------------------------------------------------------------------------------------------------
-- Drawers. Whatever moves 1020 at the desk writes its movement here, in the same transaction. A movement holds the
-- drawer's row in share and a close holds it alone, so what a close has counted is all there is.
CREATE FUNCTION drawer_closed_through(whose bigint) RETURNS date
LANGUAGE sql STABLE SET search_path = public, pg_temp
RETURN (SELECT max(day) FROM drawer_close WHERE drawer_id = whose);

-- The drawer, made if it is not there, held in share; and its first day from that day on that is not closed.
CREATE FUNCTION drawer_open_day(whose bigint, happened_on date) RETURNS date
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO drawer (cashier_id) VALUES (whose) ON CONFLICT DO NOTHING;
  PERFORM FROM drawer WHERE cashier_id = whose FOR SHARE;
  RETURN greatest(happened_on, drawer_closed_through(whose) + 1);
END $$;

CREATE FUNCTION drawer_movement_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM FROM drawer WHERE cashier_id = NEW.drawer_id FOR SHARE;
  IF NEW.day <= drawer_closed_through(NEW.drawer_id) THEN
    RAISE EXCEPTION 'the drawer is closed through %; a movement of % comes too late',
      drawer_closed_through(NEW.drawer_id), NEW.day USING ERRCODE = 'BC060';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER drawer_movement_guard BEFORE INSERT ON drawer_movement
  FOR EACH ROW EXECUTE FUNCTION drawer_movement_guard();

CREATE FUNCTION interim_payment_to_drawer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO drawer_movement (drawer_id, day, kind, medium, amount, reference, posting_id, payment_id, created_by_id)
  VALUES (NEW.created_by_id, drawer_open_day(NEW.created_by_id, NEW.received_on), 'PAYMENT', NEW.method, NEW.amount,
          NEW.number, NEW.posting_id, NEW.id, NEW.created_by_id);
  RETURN NULL;
END $$;
CREATE TRIGGER interim_payment_to_drawer AFTER INSERT ON interim_payment
  FOR EACH ROW WHEN (NEW.method IN ('CASH', 'CHECK')) EXECUTE FUNCTION interim_payment_to_drawer();

-- Credit paid back in cash comes out of the drawer of who asked for it, at whose desk the driver stands.
CREATE FUNCTION refund_from_drawer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO drawer_movement (drawer_id, day, kind, medium, amount, reference, posting_id, created_by_id)
  VALUES (NEW.asked_by_id, drawer_open_day(NEW.asked_by_id, NEW.decided_on), 'REFUND', 'CASH', -NEW.amount, NEW.number,
          NEW.posting_id, coalesce(NEW.approved_by_id, NEW.asked_by_id));
  RETURN NULL;
END $$;
CREATE TRIGGER refund_from_drawer AFTER INSERT ON credit_decision
  FOR EACH ROW WHEN (NEW.kind = 'REFUND' AND NEW.method = 'CASH') EXECUTE FUNCTION refund_from_drawer();

-- What is voided goes out of the drawer it came into, while that day of it is open; later, out of the drawer of whoever
-- voids it. A bounced check does neither: the bank has it.
CREATE FUNCTION void_to_drawer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  was drawer_movement;
  back record;
  still_open boolean;
BEGIN
  SELECT * INTO was FROM drawer_movement WHERE posting_id = NEW.id;
  IF NOT FOUND OR EXISTS (SELECT FROM check_bounce WHERE payment_id = was.payment_id) THEN
    RETURN NULL;
  END IF;
  SELECT id, created_by_id, event_on INTO back FROM ledger_posting WHERE reversal_for_id = NEW.id;
  PERFORM drawer_open_day(was.drawer_id, was.day);
  still_open := was.day > coalesce(drawer_closed_through(was.drawer_id), '-infinity');
  INSERT INTO drawer_movement (drawer_id, day, kind, medium, amount, reference, posting_id, payment_id, created_by_id)
  VALUES (CASE WHEN still_open THEN was.drawer_id ELSE back.created_by_id END,
          CASE WHEN still_open THEN was.day ELSE drawer_open_day(back.created_by_id, back.event_on) END,
          'VOID', was.medium, -was.amount, was.reference, back.id, was.payment_id, back.created_by_id);
  RETURN NULL;
END $$;
CREATE TRIGGER void_to_drawer AFTER UPDATE OF status ON ledger_posting
  FOR EACH ROW WHEN (NEW.category = 'INTERIM_PAYMENT' AND NEW.status = 'VOIDED') EXECUTE FUNCTION void_to_drawer();

-- Net pay handed over in cash, and cash that came back: as a void, into the drawer it left while that day is open,
-- later into that of whoever records it.
CREATE FUNCTION dtr_payment_from_drawer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  paid dtr_payment := NEW;
  was drawer_movement;
  whose bigint := NEW.created_by_id;
BEGIN
  IF NEW.kind = 'RETURNED' THEN
    SELECT * INTO paid FROM dtr_payment
     WHERE dtr_id = NEW.dtr_id AND kind = 'PAID' AND id < NEW.id ORDER BY id DESC LIMIT 1;
    SELECT * INTO was FROM drawer_movement WHERE dtr_payment_id = paid.id;
    IF FOUND THEN
      PERFORM drawer_open_day(was.drawer_id, was.day);
      IF was.day > coalesce(drawer_closed_through(was.drawer_id), '-infinity') THEN
        whose := was.drawer_id;
      END IF;
    END IF;
  END IF;
  IF paid.method = 'CASH' THEN
    INSERT INTO drawer_movement (drawer_id, day, kind, medium, amount, reference, dtr_payment_id, created_by_id)
    SELECT whose, drawer_open_day(whose, NEW."on"), 'DTR_' || NEW.kind, 'CASH',
           CASE NEW.kind WHEN 'PAID' THEN -NEW.amount ELSE NEW.amount END, d.number, NEW.id, NEW.created_by_id
      FROM dtr d WHERE d.id = NEW.dtr_id;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER dtr_payment_from_drawer AFTER INSERT ON dtr_payment
  FOR EACH ROW EXECUTE FUNCTION dtr_payment_from_drawer();

-- What a close says it found is what the movements since the one before come to, and what it leaves is what it kept.
CREATE FUNCTION drawer_close_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  before record;
  cash numeric;
  checks numeric;
  own_cash numeric;
  own_checks numeric;
  own_banked numeric;
BEGIN
  PERFORM FROM drawer WHERE cashier_id = NEW.drawer_id FOR NO KEY UPDATE;
  SELECT day, kept INTO before FROM drawer_close WHERE drawer_id = NEW.drawer_id ORDER BY day DESC LIMIT 1;
  IF NEW.day <= before.day THEN
    RAISE EXCEPTION 'the drawer is closed through %', before.day USING ERRCODE = 'BC060';
  END IF;
  IF NEW.day > (statement_timestamp() AT TIME ZONE 'America/New_York')::date THEN
    RAISE EXCEPTION 'a drawer is not closed ahead of its day' USING ERRCODE = 'BC061';
  END IF;
  SELECT coalesce(sum(amount) FILTER (WHERE medium = 'CASH' AND reference <> NEW.number), 0),
         coalesce(sum(amount) FILTER (WHERE medium = 'CHECK' AND reference <> NEW.number), 0),
         coalesce(sum(amount) FILTER (WHERE medium = 'CASH' AND reference = NEW.number), 0),
         coalesce(sum(amount) FILTER (WHERE medium = 'CHECK' AND reference = NEW.number), 0),
         coalesce(-sum(amount) FILTER (WHERE kind = 'BANKED' AND reference = NEW.number), 0)
    INTO cash, checks, own_cash, own_checks, own_banked
    FROM drawer_movement
   WHERE drawer_id = NEW.drawer_id AND day <= NEW.day AND day > coalesce(before.day, '-infinity');
  cash := cash + coalesce(before.kept, 0);
  IF (NEW.expected_cash, NEW.expected_checks) <> (cash, checks) THEN
    RAISE EXCEPTION 'the drawer should hold % in cash and % in checks, not % and %',
      cash, checks, NEW.expected_cash, NEW.expected_checks USING ERRCODE = 'BC061';
  END IF;
  IF cash + own_cash <> NEW.kept OR checks + own_checks <> 0 OR own_banked <> NEW.banked THEN
    RAISE EXCEPTION 'the drawer is left with % in cash and % in checks; the close says % was kept',
      cash + own_cash, checks + own_checks, NEW.kept USING ERRCODE = 'BC061';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER drawer_close_guard BEFORE INSERT ON drawer_close
  FOR EACH ROW EXECUTE FUNCTION drawer_close_guard();

-- A check bounces after it was banked, by which its payment is voided.
CREATE FUNCTION check_was_banked(payment bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp
RETURN EXISTS (
  SELECT FROM drawer_movement m
    JOIN drawer_close c ON c.drawer_id = m.drawer_id
   WHERE m.payment_id = payment AND m.kind = 'PAYMENT' AND m.medium = 'CHECK'
     AND c.checks @> jsonb_build_array(jsonb_build_object('payment', m.reference, 'present', true))
);
CREATE FUNCTION check_bounce_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT check_was_banked(NEW.payment_id) THEN
    RAISE EXCEPTION 'this payment is no check that was banked' USING ERRCODE = 'BC063';
  END IF;
  IF EXISTS (
    SELECT FROM interim_payment i JOIN ledger_posting p ON p.id = i.posting_id
     WHERE i.id = NEW.payment_id AND p.status = 'VOIDED'
  ) THEN
    RAISE EXCEPTION 'this payment was voided before' USING ERRCODE = 'BC063';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER check_bounce_guard BEFORE INSERT ON check_bounce
  FOR EACH ROW EXECUTE FUNCTION check_bounce_guard();
CREATE FUNCTION check_bounce_voided() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM interim_payment i JOIN ledger_posting p ON p.id = i.posting_id
     WHERE i.id = NEW.payment_id AND p.status = 'VOIDED'
  ) THEN
    RAISE EXCEPTION 'a check that bounced has its payment voided in the same transaction' USING ERRCODE = 'BC063';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER check_bounce_voided AFTER INSERT ON check_bounce
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_bounce_voided();

-- What was taken before there were drawers lies in them: in that of who took it, not counted yet.
INSERT INTO drawer (cashier_id) SELECT DISTINCT created_by_id FROM interim_payment WHERE method IN ('CASH', 'CHECK');
INSERT INTO drawer_movement (drawer_id, day, kind, medium, amount, reference, posting_id, payment_id, created_by_id)
SELECT created_by_id, received_on, 'PAYMENT', method, amount, number, posting_id, id, created_by_id
  FROM interim_payment WHERE method IN ('CASH', 'CHECK') ORDER BY id;
INSERT INTO drawer_movement (drawer_id, day, kind, medium, amount, reference, posting_id, payment_id, created_by_id)
SELECT m.drawer_id, m.day, 'VOID', m.medium, -m.amount, m.reference, p.id, m.payment_id, p.created_by_id
  FROM drawer_movement m JOIN ledger_posting p ON p.reversal_for_id = m.posting_id ORDER BY p.seq;
