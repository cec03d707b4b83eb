-- Cash is paid out of what a drawer holds. BC064: a payout above that.
--
-- Credit paid back and net pay handed over leave the drawer only as far as it has cash. What is voided or corrected is not
-- held to it: that money is gone, or was never there, whatever the drawer says, and its close counts it.

-- What a drawer holds in cash: the float of its last close and everything since; by that day, or by now if that is less,
-- for cash that came later was not there, and cash that is gone cannot be paid again.
CREATE FUNCTION drawer_cash(whose bigint, through date) RETURNS numeric
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
  closed date := drawer_closed_through(whose);
  by_then numeric;
  by_now numeric;
BEGIN
  SELECT coalesce(sum(amount) FILTER (WHERE day <= through), 0), coalesce(sum(amount), 0)
    INTO by_then, by_now
    FROM drawer_movement
   WHERE drawer_id = whose AND medium = 'CASH' AND (closed IS NULL OR day > closed);
  RETURN round(
    least(by_then, by_now) + coalesce((SELECT kept FROM drawer_close WHERE drawer_id = whose AND day = closed), 0), 2
  );
END $$;

-- The day of a payout, as drawer_open_day: but held alone from the beginning, since two payouts that hold it in share would
-- each see the same cash, and then wait for each other.
CREATE FUNCTION drawer_payout_day(whose bigint, happened_on date) RETURNS date
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO drawer (cashier_id) VALUES (whose) ON CONFLICT DO NOTHING;
  PERFORM FROM drawer WHERE cashier_id = whose FOR NO KEY UPDATE;
  RETURN drawer_open_day(whose, happened_on);
END $$;

CREATE OR REPLACE FUNCTION drawer_movement_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  holds numeric;
BEGIN
  IF NEW.kind IN ('REFUND', 'DTR_PAID') THEN
    PERFORM FROM drawer WHERE cashier_id = NEW.drawer_id FOR NO KEY UPDATE;
  ELSE
    PERFORM FROM drawer WHERE cashier_id = NEW.drawer_id FOR SHARE;
  END IF;
  IF NEW.day <= drawer_closed_through(NEW.drawer_id) THEN
    RAISE EXCEPTION 'the drawer is closed through %; a movement of % comes too late',
      drawer_closed_through(NEW.drawer_id), NEW.day USING ERRCODE = 'BC060';
  END IF;
  IF NEW.kind IN ('REFUND', 'DTR_PAID') AND NEW.medium = 'CASH' THEN
    holds := drawer_cash(NEW.drawer_id, NEW.day);
    IF holds + NEW.amount < 0 THEN
      RAISE EXCEPTION 'the drawer holds % in cash, and % is to be paid out of it', holds, -NEW.amount
        USING ERRCODE = 'BC064', DETAIL = json_build_object(
          'cashier', (SELECT username FROM common_user WHERE id = NEW.drawer_id), 'holds', holds::text,
          'amount', (-NEW.amount)::text
        );
    END IF;
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION refund_from_drawer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO drawer_movement (drawer_id, day, kind, medium, amount, reference, posting_id, created_by_id)
  VALUES (NEW.asked_by_id, drawer_payout_day(NEW.asked_by_id, NEW.decided_on), 'REFUND', 'CASH', -NEW.amount,
          NEW.number, NEW.posting_id, coalesce(NEW.approved_by_id, NEW.asked_by_id));
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION dtr_payment_from_drawer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  paid dtr_payment := NEW;
  was drawer_movement;
  whose bigint := NEW.created_by_id;
  on_day date;
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
    on_day := CASE NEW.kind WHEN 'PAID' THEN drawer_payout_day(whose, NEW."on") ELSE drawer_open_day(whose, NEW."on") END;
    INSERT INTO drawer_movement (drawer_id, day, kind, medium, amount, reference, dtr_payment_id, created_by_id)
    SELECT whose, on_day, 'DTR_' || NEW.kind, 'CASH',
           CASE NEW.kind WHEN 'PAID' THEN -NEW.amount ELSE NEW.amount END, d.number, NEW.id, NEW.created_by_id
      FROM dtr d WHERE d.id = NEW.dtr_id;
  END IF;
  RETURN NULL;
END $$;
