DROP FUNCTION ledger_stage_reversal(bigint);
DROP FUNCTION ledger_validate_shard(bigint);
DROP FUNCTION ledger_add_up_trips(journal_run_shard);
DROP FUNCTION ledger_staged_mirror_faults(journal_run_shard, bigint);
DROP FUNCTION ledger_staged_source_faults(journal_run_shard);
DROP FUNCTION ledger_staged_entry_faults(journal_run_shard, bigint[]);
