-- Net pay whose earnings were taken back is owed by the driver, not to them: it is not handed over, by whatever way.
CREATE FUNCTION dtr_payment_of_reopened_payout() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  owed numeric;
BEGIN
  -- The account is held, as by everything that moves its items: the balance cannot change before the payment is in.
  -- In the same way as services hold it, for who holds it already may not come to hold more.
  PERFORM FROM driver_account WHERE id = (SELECT account_id FROM dtr WHERE id = NEW.dtr_id) FOR NO KEY UPDATE;
  SELECT o.balance INTO owed FROM dtr d JOIN ledger_balance o ON o.posting_id = d.payout_id WHERE d.id = NEW.dtr_id;
  IF owed <> 0 THEN
    RAISE EXCEPTION 'the earnings of this DTR were taken back, and % of its payout is owed: void the payout', owed
      USING ERRCODE = 'BC002';
  END IF;
  RETURN NEW;
END $$;
-- Named to come before `dtr_payment_inserted`, which holds the DTR: accounts are held first.
CREATE TRIGGER dtr_payment_a_reopened_payout BEFORE INSERT ON dtr_payment
  FOR EACH ROW WHEN (NEW.kind = 'PAID') EXECUTE FUNCTION dtr_payment_of_reopened_payout();
