-- A credit that is given and the toll it goes to name each other. BC059: one that does not.

-- The credit's own decision comes after that of its toll, which stands then: reduced by the credit, or dismissed with it.
CREATE FUNCTION agency_decision_names_counterpart() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  own record;
  other record;
BEGIN
  IF NEW.counterpart_id IS NULL THEN
    RAISE EXCEPTION 'a credit names the toll it is given to' USING ERRCODE = 'BC059';
  END IF;
  SELECT kind, nature, number, amount INTO own FROM agency_item WHERE id = NEW.item_id;
  SELECT i.kind, i.nature, i.number, d.counterpart_id, d.action INTO other
    FROM agency_item i LEFT JOIN agency_decision d ON d.id = i.decision_id WHERE i.id = NEW.counterpart_id;
  IF NEW.action = 'CREDITED' THEN
    IF own.nature <> 'CREDIT' OR other.nature <> 'TOLL' OR own.kind <> other.kind OR NEW.amount <> own.amount
       OR other.counterpart_id IS DISTINCT FROM NEW.item_id THEN
      RAISE EXCEPTION 'credit % does not fit toll %, which it is given to', own.number, other.number
        USING ERRCODE = 'BC059';
    END IF;
  ELSIF NEW.action NOT IN ('REDUCED', 'DISMISSED') OR own.nature <> 'TOLL' OR other.nature <> 'CREDIT'
     OR own.kind <> other.kind THEN
    RAISE EXCEPTION 'toll % is not reduced by %', own.number, other.number USING ERRCODE = 'BC059';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER agency_decision_names_counterpart BEFORE INSERT ON agency_decision
  FOR EACH ROW WHEN (NEW.action = 'CREDITED' OR NEW.counterpart_id IS NOT NULL)
  EXECUTE FUNCTION agency_decision_names_counterpart();
