DROP TRIGGER lease_fee_under_cap ON lease_fee;
DROP FUNCTION lease_fee_under_cap();
DROP FUNCTION lease_fee_breach(bigint, numeric, date, date);
DROP FUNCTION lease_cap_on(bigint, date);
DROP TRIGGER lease_termination_fits_posting ON lease_termination;
DROP FUNCTION lease_termination_fits_posting();
DROP TRIGGER lease_installment_days_once ON lease_installment;
DROP FUNCTION lease_installment_days_once();
DROP TRIGGER lease_installment_arrives_posted ON lease_installment;
DROP FUNCTION lease_installment_arrives_posted();
CREATE OR REPLACE FUNCTION lease_installment_posted_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    IF EXISTS (SELECT FROM lease_installment WHERE posting_id IS NOT NULL) THEN
      RAISE EXCEPTION 'lease installments were posted and cannot be truncated' USING ERRCODE = 'BC006';
    END IF;
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'lease installment % was posted and cannot be changed or deleted', OLD.reference_id
    USING ERRCODE = 'BC006';
END $$;
DROP FUNCTION lease_installment_current_posting(uuid);
ALTER TABLE lease_termination DROP CONSTRAINT lease_termination_fee_not_too_large;
ALTER TABLE lease_fee DROP CONSTRAINT lease_fee_not_too_large;
ALTER TABLE lease_suspension DROP CONSTRAINT lease_suspension_once_a_day;
