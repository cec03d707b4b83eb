-- Source rows of packs other than the fleet's. What only trips have may be absent, for rows that are no trips; columns
-- and rules go to every partition from here, and those made later are made like the parent.
ALTER TABLE txn_source_parent
  ALTER COLUMN account_id DROP NOT NULL,
  ALTER COLUMN driver_id DROP NOT NULL,
  ALTER COLUMN lease_id DROP NOT NULL,
  ALTER COLUMN medallion_id DROP NOT NULL,
  ALTER COLUMN vehicle_id DROP NOT NULL,
  ALTER COLUMN week DROP NOT NULL,
  ALTER COLUMN started_at DROP NOT NULL,
  ALTER COLUMN ended_at DROP NOT NULL,
  ALTER COLUMN fare DROP NOT NULL,
  ALTER COLUMN extras DROP NOT NULL,
  ALTER COLUMN tips DROP NOT NULL,
  ALTER COLUMN tolls DROP NOT NULL,
  ALTER COLUMN mta_tax DROP NOT NULL,
  ALTER COLUMN improvement_surcharge DROP NOT NULL,
  ALTER COLUMN congestion_fee DROP NOT NULL,
  ALTER COLUMN airport_fee DROP NOT NULL,
  ALTER COLUMN cbd_toll DROP NOT NULL,
  ADD COLUMN policy_no varchar(40),
  ADD COLUMN tabarru_amount numeric(20, 6),
  ADD COLUMN tanahud_amount numeric(20, 6),
  ADD COLUMN invest_amount numeric(20, 6),
  ADD COLUMN ujroh_amount numeric(20, 6),
  ADD COLUMN admin_amount numeric(20, 6);
ALTER TABLE txn_source_parent
  -- A trip has all of a trip's columns, and nothing else has any: no query by account meets another pack's row.
  ADD CONSTRAINT txn_source_trip_is_whole CHECK (
    CASE WHEN txn_type = 'TRIP' THEN
      num_nulls(account_id, driver_id, lease_id, medallion_id, vehicle_id, week, started_at, ended_at, fare, extras,
                tips, tolls, mta_tax, improvement_surcharge, congestion_fee, airport_fee, cbd_toll) = 0
      AND num_nonnulls(policy_no, tabarru_amount, tanahud_amount, invest_amount, ujroh_amount, admin_amount) = 0
    ELSE
      num_nonnulls(account_id, driver_id, lease_id, medallion_id, vehicle_id, week, started_at, ended_at, fare, extras,
                   tips, tolls, mta_tax, improvement_surcharge, congestion_fee, airport_fee, cbd_toll) = 0
    END
  ),
  -- A share is never negative, and a claim has no savings and no fee for managing them.
  ADD CONSTRAINT txn_source_takaful_is_whole CHECK (
    txn_type NOT IN ('PREMIUM_RECEIPT', 'CLAIM_PAID')
    OR num_nulls(policy_no, tabarru_amount, tanahud_amount, invest_amount, ujroh_amount, admin_amount) = 0
       AND least(gross_amount, tabarru_amount, tanahud_amount, invest_amount, ujroh_amount, admin_amount) >= 0
       AND (txn_type = 'PREMIUM_RECEIPT' OR tanahud_amount = 0 AND ujroh_amount = 0)
  ),
  ADD CONSTRAINT chk_takaful_balance CHECK (
    CASE txn_type
      WHEN 'PREMIUM_RECEIPT' THEN
        gross_amount = tabarru_amount + tanahud_amount + invest_amount + ujroh_amount + admin_amount
      WHEN 'CLAIM_PAID' THEN gross_amount = tabarru_amount + invest_amount - admin_amount
      ELSE true
    END
  );

-- What is looked up by account is a trip: rows without one need no place in this index.
DROP INDEX txn_source_account_week_idx;
CREATE INDEX txn_source_account_week_idx ON txn_source_parent (account_id, week) WHERE account_id IS NOT NULL;
