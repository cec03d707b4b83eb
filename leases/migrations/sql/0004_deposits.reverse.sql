DROP TRIGGER deposit_refund_guard ON deposit_refund;
DROP FUNCTION deposit_refund_guard();
DROP TRIGGER deposit_release_guard ON deposit_release;
DROP FUNCTION deposit_release_guard();
DROP TRIGGER deposit_part_guard ON deposit_part;
DROP FUNCTION deposit_part_guard();
DROP TRIGGER lease_deposit_guard ON lease_deposit;
DROP FUNCTION lease_deposit_guard();
DROP FUNCTION deposit_held(bigint);
