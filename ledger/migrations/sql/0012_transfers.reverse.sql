DROP FUNCTION ledger_transfer;
DROP FUNCTION ledger_transfer_problem;
DROP FUNCTION ledger_transfer_parties;
