DROP SEQUENCE ledger_posting_seq;
DROP FUNCTION uuid7();
