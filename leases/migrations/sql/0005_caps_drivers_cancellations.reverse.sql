DROP TRIGGER lease_cancellation_fits ON lease_cancellation;
DROP FUNCTION lease_cancellation_fits();
DROP TRIGGER lease_cancelled_has_record ON lease;
DROP FUNCTION lease_cancelled_has_record();
DROP TRIGGER lease_cancelled_guard ON lease;
DROP FUNCTION lease_cancelled_guard();
DROP TRIGGER lease_driver_guard ON lease_driver;
DROP FUNCTION lease_driver_guard();
DROP FUNCTION lease_driver_drove(bigint, bigint, date);
ALTER TABLE lease_driver DROP CONSTRAINT lease_driver_not_twice_at_once;
ALTER TABLE lease_driver ADD CONSTRAINT lease_driver_not_twice_at_once EXCLUDE USING gist (
  int8range(lease_id, lease_id, '[]') WITH &&,
  int8range(driver_id, driver_id, '[]') WITH &&,
  daterange(starts_on, ends_on, '[]') WITH &&
);
DROP TRIGGER lease_cap_guard ON lease_cap;
DROP FUNCTION lease_cap_guard();
