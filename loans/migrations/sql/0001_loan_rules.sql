-- What the books say of a loan fits the loan.
CREATE FUNCTION driver_loan_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM repayment r WHERE r.id = NEW.repayment_ptr_id AND r.kind = 'LOAN') THEN
    RAISE EXCEPTION 'this repayment is no loan' USING ERRCODE = 'BC046';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER driver_loan_guard BEFORE INSERT ON driver_loan FOR EACH ROW EXECUTE FUNCTION driver_loan_guard();

-- A movement is an entry of origin LOAN over its amount that names the loan; nobody approves what he entered.
CREATE FUNCTION loan_movement_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  plan repayment%ROWTYPE;
BEGIN
  SELECT * INTO plan FROM repayment WHERE id = NEW.loan_id;
  IF NOT EXISTS (
    SELECT FROM ledger_entry_header h
     WHERE h.id = NEW.entry_id AND h.je_date = NEW.je_date AND h.origin = 'LOAN' AND h.reference = plan.number
       AND h.total = NEW.amount AND h.reverses_id IS NULL
  ) THEN
    RAISE EXCEPTION 'what was moved of % does not fit its entry', plan.number USING ERRCODE = 'BC047';
  END IF;
  IF NEW.approved_by_id = plan.created_by_id THEN
    RAISE EXCEPTION '% was entered by who approves it', plan.number USING ERRCODE = 'BC048';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER loan_movement_guard BEFORE INSERT ON loan_movement
  FOR EACH ROW EXECUTE FUNCTION loan_movement_guard();

-- When the transaction ends: a loan that is in force was paid out, whole and once, and a draft was not; what was
-- forgiven is booked.
CREATE FUNCTION loan_is_booked() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  plan repayment%ROWTYPE;
  paid_out numeric;
  forgiven numeric;
BEGIN
  IF TG_TABLE_NAME = 'repayment' THEN
    SELECT * INTO plan FROM repayment WHERE id = NEW.id;
  ELSE
    SELECT * INTO plan FROM repayment WHERE id = NEW.loan_id;
  END IF;
  SELECT coalesce(sum(amount) FILTER (WHERE movement = 'PAID_OUT'), 0),
         coalesce(sum(amount) FILTER (WHERE movement = 'FORGIVEN'), 0)
    INTO paid_out, forgiven FROM loan_movement WHERE loan_id = plan.id;
  IF paid_out <> (CASE WHEN plan.state IN ('OPEN', 'HOLD') THEN plan.amount ELSE 0 END)
     OR forgiven <> plan.forgiven THEN
    RAISE EXCEPTION '%, which is %, has % paid out and % forgiven in the books', plan.number, plan.state, paid_out,
      forgiven USING ERRCODE = 'BC049';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER repayment_loan_is_booked AFTER INSERT OR UPDATE ON repayment
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'LOAN') EXECUTE FUNCTION loan_is_booked();
CREATE CONSTRAINT TRIGGER loan_movement_is_booked AFTER INSERT ON loan_movement
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION loan_is_booked();
