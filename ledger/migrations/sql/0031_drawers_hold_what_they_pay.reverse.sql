CREATE OR REPLACE FUNCTION dtr_payment_from_drawer() RETURNS trigger
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

CREATE OR REPLACE FUNCTION refund_from_drawer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO drawer_movement (drawer_id, day, kind, medium, amount, reference, posting_id, created_by_id)
  VALUES (NEW.asked_by_id, drawer_open_day(NEW.asked_by_id, NEW.decided_on), 'REFUND', 'CASH', -NEW.amount, NEW.number,
          NEW.posting_id, coalesce(NEW.approved_by_id, NEW.asked_by_id));
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION drawer_movement_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM FROM drawer WHERE cashier_id = NEW.drawer_id FOR SHARE;
  IF NEW.day <= drawer_closed_through(NEW.drawer_id) THEN
    RAISE EXCEPTION 'the drawer is closed through %; a movement of % comes too late',
      drawer_closed_through(NEW.drawer_id), NEW.day USING ERRCODE = 'BC060';
  END IF;
  RETURN NEW;
END $$;

DROP FUNCTION drawer_payout_day(bigint, date);
DROP FUNCTION drawer_cash(bigint, date);
