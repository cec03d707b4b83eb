-- A repair is charged to the driver on a dov lease alone, and an invoice of a vendor is entered once; one that was
-- cancelled may be entered again.
CREATE FUNCTION repair_invoice_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  plan record;
  other text;
BEGIN
  SELECT r.number, r.kind, r.billed, l.lease_type INTO plan
    FROM repayment r JOIN lease l ON l.id = r.lease_id WHERE r.id = NEW.repayment_ptr_id;
  IF plan.kind <> 'REPAIR' THEN
    RAISE EXCEPTION '% is no repair', plan.number USING ERRCODE = 'BC044';
  END IF;
  IF plan.billed > 0 AND plan.lease_type <> 'dov' THEN
    RAISE EXCEPTION 'repair % is not charged to the driver: the lease is %', plan.number, plan.lease_type
      USING ERRCODE = 'BC044';
  END IF;
  -- Two that enter the same invoice at once wait for each other.
  PERFORM pg_advisory_xact_lock(hashtextextended(lower(NEW.vendor) || E'\n' || lower(NEW.invoice_number), 7305110245));
  SELECT r.number INTO other
    FROM repair_invoice v JOIN repayment r ON r.id = v.repayment_ptr_id
   WHERE lower(v.vendor) = lower(NEW.vendor) AND lower(v.invoice_number) = lower(NEW.invoice_number)
     AND r.state <> 'CANCELLED' LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'invoice % of % is entered already, as %', NEW.invoice_number, NEW.vendor, other
      USING ERRCODE = 'BC045', DETAIL = other;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER repair_invoice_guard BEFORE INSERT ON repair_invoice
  FOR EACH ROW EXECUTE FUNCTION repair_invoice_guard();
CREATE INDEX repair_invoice_vendor_idx ON repair_invoice (lower(vendor), lower(invoice_number));
