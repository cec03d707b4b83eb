-- The rules of the fleet that no service may pass by.

-- Lease numbers come from one sequence: L-00001, and past 99,999 one digit more.
CREATE SEQUENCE lease_number_seq AS bigint;
CREATE FUNCTION next_lease_number() RETURNS text
LANGUAGE sql VOLATILE SET search_path = public, pg_temp AS $$
  SELECT 'L-' || lpad(n::text, greatest(5, length(n::text)), '0') FROM nextval('lease_number_seq') AS n
$$;

-- A key enters an exclusion as a range of one id, so that no extension is needed.
ALTER TABLE lease ADD CONSTRAINT lease_one_per_medallion EXCLUDE USING gist (
  int8range(medallion_id, medallion_id, '[]') WITH &&,
  daterange(starts_on, ends_on, '[]') WITH &&
) WHERE (status <> 'CANCELLED');

ALTER TABLE vehicle_assignment ADD CONSTRAINT vehicle_assignment_one_vehicle_per_medallion EXCLUDE USING gist (
  int8range(medallion_id, medallion_id, '[]') WITH &&,
  tstzrange(started_at, ended_at) WITH &&
);
ALTER TABLE vehicle_assignment ADD CONSTRAINT vehicle_assignment_one_medallion_per_vehicle EXCLUDE USING gist (
  int8range(vehicle_id, vehicle_id, '[]') WITH &&,
  tstzrange(started_at, ended_at) WITH &&
);

ALTER TABLE lease_driver ADD CONSTRAINT lease_driver_not_twice_at_once EXCLUDE USING gist (
  int8range(lease_id, lease_id, '[]') WITH &&,
  int8range(driver_id, driver_id, '[]') WITH &&,
  daterange(starts_on, ends_on, '[]') WITH &&
);

-- A posted installment is what the ledger says it is: it stays, and its posting is named once.
CREATE FUNCTION lease_installment_posted_guard() RETURNS trigger
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

CREATE TRIGGER lease_installment_posted_guard BEFORE UPDATE OR DELETE ON lease_installment
  FOR EACH ROW WHEN (OLD.posting_id IS NOT NULL) EXECUTE FUNCTION lease_installment_posted_guard();
CREATE TRIGGER lease_installment_no_truncate BEFORE TRUNCATE ON lease_installment
  FOR EACH STATEMENT EXECUTE FUNCTION lease_installment_posted_guard();
