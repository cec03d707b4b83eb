DO $$ BEGIN
  IF EXISTS (SELECT FROM txn_source_parent WHERE txn_type <> 'TRIP') THEN
    RAISE EXCEPTION 'there are source rows of other packs than the fleet''s, and they are kept as they came'
      USING ERRCODE = 'BC006';
  END IF;
END $$;
DROP INDEX txn_source_account_week_idx;
CREATE INDEX txn_source_account_week_idx ON txn_source_parent (account_id, week);
ALTER TABLE txn_source_parent
  DROP CONSTRAINT chk_takaful_balance,
  DROP CONSTRAINT txn_source_takaful_is_whole,
  DROP CONSTRAINT txn_source_trip_is_whole;
ALTER TABLE txn_source_parent
  DROP COLUMN policy_no,
  DROP COLUMN tabarru_amount,
  DROP COLUMN tanahud_amount,
  DROP COLUMN invest_amount,
  DROP COLUMN ujroh_amount,
  DROP COLUMN admin_amount,
  ALTER COLUMN account_id SET NOT NULL,
  ALTER COLUMN driver_id SET NOT NULL,
  ALTER COLUMN lease_id SET NOT NULL,
  ALTER COLUMN medallion_id SET NOT NULL,
  ALTER COLUMN vehicle_id SET NOT NULL,
  ALTER COLUMN week SET NOT NULL,
  ALTER COLUMN started_at SET NOT NULL,
  ALTER COLUMN ended_at SET NOT NULL,
  ALTER COLUMN fare SET NOT NULL,
  ALTER COLUMN extras SET NOT NULL,
  ALTER COLUMN tips SET NOT NULL,
  ALTER COLUMN tolls SET NOT NULL,
  ALTER COLUMN mta_tax SET NOT NULL,
  ALTER COLUMN improvement_surcharge SET NOT NULL,
  ALTER COLUMN congestion_fee SET NOT NULL,
  ALTER COLUMN airport_fee SET NOT NULL,
  ALTER COLUMN cbd_toll SET NOT NULL;
