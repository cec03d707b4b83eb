DROP VIEW ledger_rebuild;
DROP FUNCTION ledger_rebuild_projections();
DROP FUNCTION ledger_projection_differences(bigint[], int[]);
DROP INDEX ledger_posting_seq_brin;
