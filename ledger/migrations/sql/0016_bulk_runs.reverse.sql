-- Entries of a run lie in partitions of its own and cannot be told from others without it.
DO $$ BEGIN
  IF EXISTS (SELECT FROM journal_run WHERE state = 'POSTED') THEN
    RAISE EXCEPTION 'the journal holds entries of bulk runs; this migration is not taken back';
  END IF;
END $$;
SELECT ledger_drop_run_tables(id, true) FROM journal_run;
DROP FUNCTION ledger_run_validated(bigint);
DROP FUNCTION ledger_run_staged(bigint);
DROP FUNCTION ledger_staging_is_lost(bigint);
DROP FUNCTION ledger_shard_staged(bigint, int, int, int, int, numeric, numeric, numeric, numeric, numeric, jsonb);
DROP FUNCTION ledger_open_shard(bigint);
DROP FUNCTION ledger_held_shard(bigint, text, text[]);
DROP FUNCTION ledger_held_run(bigint, text[]);
DROP TRIGGER journal_run_guard ON journal_run;
DROP FUNCTION journal_run_guard();
DROP TRIGGER journal_run_shard_guard ON journal_run_shard;
DROP FUNCTION journal_run_shard_guard();
DROP FUNCTION ledger_drop_run_tables(bigint, boolean);
DROP FUNCTION ledger_in_bulk_step();
DROP FUNCTION ledger_bulk_step(boolean);
DROP TABLE je_line_staging;
DROP TABLE je_header_staging;
DROP FUNCTION ledger_staging_refuse_change();
