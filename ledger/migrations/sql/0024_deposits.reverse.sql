DROP TRIGGER ledger_deposit_applied ON ledger_posting;
DROP FUNCTION ledger_deposit_applied();
DROP FUNCTION ledger_deposit_left(bigint);
DROP FUNCTION ledger_latest_posting(uuid);
