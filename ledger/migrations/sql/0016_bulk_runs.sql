-- Bulk runs: how a run and its shards move from state to state, and what is staged for them.
--
-- Source rows come in shards. A shard is staged by a worker, validated and posted by the functions here, which run as
-- the owner: the application may not write what they write. Errors, beside those of 0002 and 0008:
--   BC011 a step that does not fit the state of its run or shard
--   BC012 source rows that have an entry already (DETAIL: {"rows": [...], "count": n})
--   BC013 a layer that does not say what the one before it said
--   BC014 trips that are settled (DETAIL: {"rows": [...], "count": n})

-- ---------------------------------------------------------------------------------------------------------
-- What is staged: one unlogged leaf per shard, attached when it is complete. A leaf that a crash of the server emptied
-- is staged again, with the same numbers. Amounts are signed: a debit is positive.
CREATE TABLE je_header_staging (
  run_id bigint NOT NULL,
  shard_id bigint NOT NULL,
  entry_id bigint NOT NULL,
  source_id bigint,
  je_date date NOT NULL,
  event_on date NOT NULL,
  template_id bigint,
  line_count smallint NOT NULL,
  total numeric(20, 6) NOT NULL,
  reference varchar(80) NOT NULL DEFAULT '',
  description varchar(160) NOT NULL DEFAULT '',
  reverses_id bigint,
  reverses_date date
) PARTITION BY LIST (shard_id);
CREATE TABLE je_line_staging (
  run_id bigint NOT NULL,
  shard_id bigint NOT NULL,
  entry_id bigint NOT NULL,
  line_number smallint NOT NULL,
  template_line smallint NOT NULL,
  je_date date NOT NULL,
  account_id integer NOT NULL,
  currency varchar(3) NOT NULL,
  fund varchar(10) NOT NULL,
  amount numeric(20, 6) NOT NULL
) PARTITION BY LIST (shard_id);

CREATE FUNCTION ledger_staging_refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: what is staged stands until its shard is opened again', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'BC006';
END $$;
-- Workers write to the leaf of their shard while it is open, nobody through the parents.
CREATE TRIGGER staged_stands BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON je_header_staging
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_staging_refuse_change();
CREATE TRIGGER staged_stands BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON je_line_staging
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_staging_refuse_change();

-- ---------------------------------------------------------------------------------------------------------
-- The functions below say that they write state and results; a direct UPDATE does not, and changes what a planner or a
-- worker notes alone.
CREATE FUNCTION ledger_bulk_step(is_on boolean) RETURNS void
LANGUAGE sql AS $$ SELECT set_config('ledger.bulk_step', CASE WHEN is_on THEN 'on' ELSE '' END, true) $$;
CREATE FUNCTION ledger_in_bulk_step() RETURNS boolean
LANGUAGE sql STABLE AS $$ SELECT coalesce(current_setting('ledger.bulk_step', true) = 'on', false) $$;

CREATE FUNCTION journal_run_shard_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  noted text[] := '{worker,taken_at,timings}';
BEGIN
  IF TG_OP = 'INSERT' THEN
    PERFORM FROM journal_run WHERE id = NEW.run_id AND state = 'PENDING' FOR KEY SHARE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'shards are added to a run that is PENDING' USING ERRCODE = 'BC011';
    END IF;
    IF NEW.state <> 'PENDING' OR (NEW.entries, NEW.lines, NEW.rejects, NEW.skipped) <> (0, 0, 0, 0) THEN
      RAISE EXCEPTION 'a shard begins PENDING, with nothing done' USING ERRCODE = 'BC011';
    END IF;
    IF NEW.entry_base % 262144 <> 1000000262144 % 262144 OR NEW.entry_base < 1000000262144
       OR NEW.entry_base > (SELECT last_value FROM ledger_batch_entry_id_seq) THEN
      RAISE EXCEPTION 'the numbers of a shard''s entries are drawn from their sequence' USING ERRCODE = 'BC011';
    END IF;
    RETURN NEW;
  END IF;
  -- Whoever says that he is a step, and is none, changes neither these nor, once they are staged, the rows.
  IF (OLD.id, OLD.run_id, OLD.number, OLD.txn_month, OLD.entry_base)
     <> (NEW.id, NEW.run_id, NEW.number, NEW.txn_month, NEW.entry_base)
     OR (OLD.state <> 'PENDING' AND (OLD.source_rows, OLD.first_source_id, OLD.last_source_id)
                                    <> (NEW.source_rows, NEW.first_source_id, NEW.last_source_id)) THEN
    RAISE EXCEPTION 'a shard keeps its run, month, rows and numbers' USING ERRCODE = 'BC011';
  END IF;
  IF NOT ledger_in_bulk_step() THEN
    IF OLD.state = 'PENDING' THEN
      noted := noted || '{source_rows,first_source_id,last_source_id}';
    END IF;
    IF (to_jsonb(OLD) - noted) <> (to_jsonb(NEW) - noted) THEN
      RAISE EXCEPTION 'what a shard came to is written by the steps of its run' USING ERRCODE = 'BC011';
    END IF;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER journal_run_shard_guard BEFORE INSERT OR UPDATE ON journal_run_shard
  FOR EACH ROW EXECUTE FUNCTION journal_run_shard_guard();

-- A run becomes POSTED by being brought into the journal, here, and in no other way.
CREATE FUNCTION journal_run_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  reversed record;
  noted text[] := '{layers,timings,error_code,error}';
  lasting text[] := '{state,large,source_rows,policy_version,floor_date,entries,lines,rejects,skipped,debits,layers,
                      timings,error_code,error,reason,posted_by_id,staged_at,validated_at,posted_at,ended_at}';
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'PENDING' OR (NEW.entries, NEW.lines, NEW.rejects, NEW.skipped, NEW.debits) <> (0, 0, 0, 0, 0)
       OR num_nonnulls(NEW.staged_at, NEW.validated_at, NEW.posted_at, NEW.ended_at, NEW.posted_by_id) > 0 THEN
      RAISE EXCEPTION 'a run begins PENDING, with nothing done' USING ERRCODE = 'BC011';
    END IF;
    IF NEW.reverses_run_id IS NOT NULL THEN
      SELECT * INTO reversed FROM journal_run WHERE id = NEW.reverses_run_id FOR SHARE;
      IF (reversed.state = 'POSTED' AND reversed.reverses_run_id IS NULL AND reversed.pack = NEW.pack
          AND reversed.origin = NEW.origin AND reversed.month IS NOT DISTINCT FROM NEW.month
          AND reversed.import_batch_id IS NOT DISTINCT FROM NEW.import_batch_id) IS NOT TRUE THEN
        RAISE EXCEPTION 'a reversal takes back a run that is POSTED, whole, and no reversal itself'
          USING ERRCODE = 'BC011';
      END IF;
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.state = 'POSTED' AND (to_jsonb(OLD) - 'timings') <> (to_jsonb(NEW) - 'timings') THEN
    RAISE EXCEPTION 'run % is posted, and stays what it is', OLD.id USING ERRCODE = 'BC011';
  END IF;
  IF NOT ledger_in_bulk_step() THEN
    IF OLD.state = 'PENDING' THEN
      noted := noted || '{source_rows,policy_version,floor_date,large,reason}';
    END IF;
    IF (to_jsonb(OLD) - noted) <> (to_jsonb(NEW) - noted) THEN
      RAISE EXCEPTION 'a run moves from state to state by its steps alone' USING ERRCODE = 'BC011';
    END IF;
    RETURN NEW;
  END IF;
  IF (to_jsonb(OLD) - lasting) <> (to_jsonb(NEW) - lasting)
     OR OLD.state IN ('POSTED', 'FAILED') AND NEW.state <> OLD.state THEN
    RAISE EXCEPTION 'run % stays what it is', OLD.id USING ERRCODE = 'BC011';
  END IF;
  IF NEW.state = 'POSTED' AND OLD.state <> 'POSTED' THEN
    NEW.layers := OLD.layers || jsonb_build_object('ledger', ledger_bring_in_run(OLD.id));
    NEW.posted_at := clock_timestamp();
  END IF;
  IF NEW.state IN ('POSTED', 'FAILED') AND OLD.state <> NEW.state THEN
    NEW.ended_at := clock_timestamp();
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER journal_run_guard BEFORE INSERT OR UPDATE ON journal_run
  FOR EACH ROW EXECUTE FUNCTION journal_run_guard();

-- A run, or a shard with its run, held while it is worked on; refused unless they are in the states named. What is
-- done to a shard shares the run with other shards, and with whoever notes timings; what is done to the run excludes
-- the other steps.
CREATE FUNCTION ledger_held_run(run bigint, in_states text[]) RETURNS journal_run
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  held journal_run;
BEGIN
  SELECT * INTO held FROM journal_run WHERE id = run FOR UPDATE;
  IF NOT FOUND OR held.state <> ALL (in_states) THEN
    RAISE EXCEPTION 'run % is %, and this step is for %', run, coalesce(held.state, 'unknown'),
                    array_to_string(in_states, ' or ') USING ERRCODE = 'BC011';
  END IF;
  RETURN held;
END $$;
CREATE FUNCTION ledger_held_shard(shard bigint, in_state text, run_states text[]) RETURNS journal_run_shard
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  held journal_run_shard;
  run_state text;
BEGIN
  SELECT state INTO run_state FROM journal_run
   WHERE id = (SELECT run_id FROM journal_run_shard WHERE id = shard) FOR KEY SHARE;
  SELECT * INTO held FROM journal_run_shard WHERE id = shard FOR NO KEY UPDATE;
  IF held.state IS DISTINCT FROM in_state OR run_state <> ALL (run_states) THEN
    RAISE EXCEPTION 'shard % is % and its run %: this step is for % in a run that is %', shard,
                    coalesce(held.state, 'unknown'), coalesce(run_state, 'unknown'), in_state,
                    array_to_string(run_states, ' or ') USING ERRCODE = 'BC011';
  END IF;
  RETURN held;
END $$;

-- ---------------------------------------------------------------------------------------------------------
-- Staging a shard.

-- Makes the shard's leaves, or empties those of an attempt before.
CREATE FUNCTION ledger_open_shard(shard bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  held journal_run_shard := ledger_held_shard(shard, 'PENDING', '{PENDING}');
  parent text;
  leaf text;
BEGIN
  DELETE FROM journal_run_reject WHERE shard_id = shard;
  DELETE FROM journal_run_trip_total WHERE shard_id = shard;
  FOREACH parent IN ARRAY ARRAY['je_header_staging', 'je_line_staging'] LOOP
    leaf := parent || '_' || shard;
    IF to_regclass(leaf) IS NOT NULL THEN
      EXECUTE format('DROP TRIGGER IF EXISTS staged_stands ON %I', leaf);
      EXECUTE format('TRUNCATE %I', leaf);
    ELSE
      -- Nothing is vacuumed that is read a few times and dropped; the check spares the scan when it is attached.
      EXECUTE format(
        'CREATE UNLOGGED TABLE %I (LIKE %I INCLUDING DEFAULTS, CONSTRAINT of_its_shard CHECK (shard_id = %s)) '
        'WITH (autovacuum_enabled = false)', leaf, parent, shard
      );
      EXECUTE format(
        'ALTER TABLE %I ALTER COLUMN run_id SET DEFAULT %s, ALTER COLUMN shard_id SET DEFAULT %s',
        leaf, held.run_id, shard
      );
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'batconnect_app') THEN
      EXECUTE format('GRANT SELECT, INSERT ON %I TO batconnect_app', leaf);
    END IF;
  END LOOP;
END $$;

-- Says what was staged; from here on the leaves take no change.
CREATE FUNCTION ledger_shard_staged(
  shard bigint, entries int, lines int, rejects int, skipped int, source_gross numeric, source_ids_sum numeric,
  debits numeric, keys_total numeric, weighted_total numeric, timings jsonb
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  held journal_run_shard := ledger_held_shard(shard, 'PENDING', '{PENDING}');
  parent text;
  leaf text;
BEGIN
  IF entries + rejects + skipped IS DISTINCT FROM held.source_rows THEN
    RAISE EXCEPTION 'shard % has % source rows, not % entries, % rejects and % skipped', shard, held.source_rows, entries,
                    rejects, skipped USING ERRCODE = 'BC013';
  END IF;
  FOREACH parent IN ARRAY ARRAY['je_header_staging', 'je_line_staging'] LOOP
    leaf := parent || '_' || shard;
    IF to_regclass(leaf) IS NULL THEN
      RAISE EXCEPTION 'shard % was not opened', shard USING ERRCODE = 'BC011';
    END IF;
    EXECUTE format(
      'CREATE TRIGGER staged_stands BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I '
      'FOR EACH STATEMENT EXECUTE FUNCTION ledger_staging_refuse_change()', leaf
    );
    IF NOT (SELECT relispartition FROM pg_class WHERE oid = to_regclass(leaf)) THEN
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES IN (%s)', parent, leaf, shard);
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'batconnect_app') THEN
      EXECUTE format('REVOKE ALL ON %I FROM batconnect_app', leaf);
    END IF;
  END LOOP;
  PERFORM ledger_bulk_step(true);
  UPDATE journal_run_shard s
     SET state = 'STAGED', entries = ledger_shard_staged.entries, lines = ledger_shard_staged.lines,
         rejects = ledger_shard_staged.rejects, skipped = ledger_shard_staged.skipped,
         source_gross = ledger_shard_staged.source_gross, source_ids_sum = ledger_shard_staged.source_ids_sum,
         debits = ledger_shard_staged.debits, keys_total = ledger_shard_staged.keys_total,
         weighted_total = ledger_shard_staged.weighted_total, timings = coalesce(ledger_shard_staged.timings, s.timings),
         months = '[]', accounts = '{}'
   WHERE s.id = shard;
  PERFORM ledger_bulk_step(false);
END $$;

-- Whether a crash emptied a shard's leaves; then shard and run are PENDING again. Asked before anything is held: the
-- run is held whole for this, and a crash ends every transaction.
CREATE FUNCTION ledger_staging_is_lost(shard bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  held journal_run_shard;
  leaf text;
  found_rows boolean;
  lost boolean := false;
BEGIN
  SELECT * INTO held FROM journal_run_shard WHERE id = shard;
  IF held.entries > 0 AND held.state IN ('STAGED', 'VALIDATED') THEN
    FOREACH leaf IN ARRAY ARRAY['je_header_staging_' || shard, 'je_line_staging_' || shard] LOOP
      found_rows := false;
      IF to_regclass(leaf) IS NOT NULL THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', leaf) INTO found_rows;
      END IF;
      lost := lost OR NOT found_rows;
    END LOOP;
  END IF;
  IF lost THEN
    PERFORM FROM journal_run WHERE id = held.run_id FOR UPDATE;
    PERFORM ledger_bulk_step(true);
    UPDATE journal_run_shard SET state = 'PENDING' WHERE id = shard AND state IN ('STAGED', 'VALIDATED');
    UPDATE journal_run SET state = 'PENDING' WHERE id = held.run_id AND state IN ('STAGED', 'VALIDATED');
    PERFORM ledger_bulk_step(false);
  END IF;
  RETURN lost;
END $$;

-- ---------------------------------------------------------------------------------------------------------
-- The run follows its shards. Both answer the run's state; it stays what it was while a shard is not as far.
CREATE FUNCTION ledger_run_staged(run bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  held journal_run := ledger_held_run(run, '{PENDING,STAGED}');
BEGIN
  IF held.state = 'STAGED' OR EXISTS (SELECT FROM journal_run_shard WHERE run_id = run AND state = 'PENDING')
     OR NOT EXISTS (SELECT FROM journal_run_shard WHERE run_id = run) THEN
    RETURN held.state;
  END IF;
  PERFORM ledger_bulk_step(true);
  UPDATE journal_run r
     SET state = 'STAGED', staged_at = clock_timestamp(), source_rows = s.source_rows, entries = s.entries,
         lines = s.lines, rejects = s.rejects, skipped = s.skipped, debits = s.debits,
         layers = r.layers || jsonb_build_object(
           'source', jsonb_build_object('rows', s.source_rows, 'gross', s.gross, 'ids', s.ids),
           'frame', jsonb_build_object('entries', s.entries, 'lines', s.lines, 'debits', s.debits,
                                       'keys_total', s.keys_total, 'weighted_total', s.weighted_total)
         )
    FROM (
      SELECT sum(source_rows) AS source_rows, sum(entries) AS entries, sum(lines) AS lines, sum(rejects) AS rejects,
             sum(skipped) AS skipped, sum(debits) AS debits, sum(source_gross) AS gross, sum(source_ids_sum) AS ids,
             sum(keys_total) AS keys_total, sum(weighted_total) AS weighted_total
        FROM journal_run_shard WHERE run_id = run
    ) s
   WHERE r.id = run;
  PERFORM ledger_bulk_step(false);
  RETURN 'STAGED';
END $$;

-- Rejects fail a run that is to post all or nothing; a dry run has done its work when it can tell them.
CREATE FUNCTION ledger_run_validated(run bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  held journal_run := ledger_held_run(run, '{PENDING,STAGED,VALIDATED}');
  next_state text := 'VALIDATED';
BEGIN
  IF held.state <> 'STAGED'
     OR EXISTS (SELECT FROM journal_run_shard WHERE run_id = run AND state IN ('PENDING', 'STAGED')) THEN
    RETURN held.state;
  END IF;
  IF held.rejects > 0 AND NOT held.accept_valid AND NOT held.dry_run THEN
    next_state := 'FAILED';
  END IF;
  PERFORM ledger_bulk_step(true);
  UPDATE journal_run
     SET state = next_state, validated_at = clock_timestamp(), large = coalesce(held.large, held.entries > 20000),
         error_code = CASE next_state WHEN 'FAILED' THEN 'batch.rejects' ELSE '' END,
         error = CASE next_state WHEN 'FAILED' THEN held.rejects || ' rows were rejected' ELSE '' END,
         -- Each shard's staging was found to say what its frame said.
         layers = layers || jsonb_build_object('staging', layers -> 'frame')
   WHERE id = run;
  PERFORM ledger_bulk_step(false);
  RETURN next_state;
END $$;
