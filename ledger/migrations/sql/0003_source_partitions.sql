-- Source transactions: one partition per month, made by ensure_txn_source_month, never written by hand.
CREATE SEQUENCE txn_source_id_seq AS bigint;
CREATE TABLE txn_source_parent (
  id bigint NOT NULL DEFAULT nextval('txn_source_id_seq'),
  txn_month date NOT NULL,
  batch_id bigint NOT NULL,
  row_number integer NOT NULL,
  source varchar(20) NOT NULL,
  source_rowid varchar(64) NOT NULL,
  txn_type varchar(20) NOT NULL,
  product_code varchar(20) NOT NULL,
  channel varchar(20) NOT NULL,
  bank_value_date date NOT NULL,
  currency varchar(3) NOT NULL,
  gross_amount numeric(20, 6) NOT NULL,
  account_id bigint NOT NULL,
  driver_id bigint NOT NULL,
  lease_id bigint NOT NULL,
  medallion_id bigint NOT NULL,
  vehicle_id bigint NOT NULL,
  week date NOT NULL,
  started_at timestamptz NOT NULL,
  ended_at timestamptz NOT NULL,
  fare numeric(14, 2) NOT NULL,
  extras numeric(14, 2) NOT NULL,
  tips numeric(14, 2) NOT NULL,
  tolls numeric(14, 2) NOT NULL,
  mta_tax numeric(14, 2) NOT NULL,
  improvement_surcharge numeric(14, 2) NOT NULL,
  congestion_fee numeric(14, 2) NOT NULL,
  airport_fee numeric(14, 2) NOT NULL,
  cbd_toll numeric(14, 2) NOT NULL,
  PRIMARY KEY (id, txn_month),
  CONSTRAINT txn_source_month_is_first_day CHECK (extract(day FROM txn_month) = 1),
  CONSTRAINT txn_source_month_of_value_date CHECK (date_trunc('month', bank_value_date::timestamp)::date = txn_month),
  CONSTRAINT txn_source_week_is_sunday CHECK (extract(dow FROM week) = 0),
  CONSTRAINT txn_source_ends_after_start CHECK (ended_at >= started_at),
  CONSTRAINT chk_taxi_balance CHECK (
    txn_type <> 'TRIP'
    OR gross_amount = fare + extras + tips + tolls
                    + mta_tax + improvement_surcharge + congestion_fee + airport_fee + cbd_toll
  )
) PARTITION BY RANGE (txn_month);
CREATE INDEX txn_source_value_date_brin ON txn_source_parent USING brin (bank_value_date);
CREATE INDEX txn_source_product_channel_idx ON txn_source_parent (product_code, channel);
CREATE INDEX txn_source_account_week_idx ON txn_source_parent (account_id, week);

CREATE FUNCTION txn_source_refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: source rows are kept as they came', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'BC006';
END $$;
CREATE TRIGGER txn_source_append_only BEFORE UPDATE OR DELETE ON txn_source_parent
  FOR EACH ROW EXECUTE FUNCTION txn_source_refuse_change();
CREATE TRIGGER txn_source_no_truncate BEFORE TRUNCATE ON txn_source_parent
  FOR EACH STATEMENT EXECUTE FUNCTION txn_source_refuse_change();

-- Make the partition of one month if it is missing. Runs as the owner, for the application owns nothing; takes
-- a month within twenty years of today, so that a wrong date in a file cannot fill the catalogue.
CREATE FUNCTION ensure_txn_source_month(month date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  leaf text := 'txn_source_' || to_char(month, 'YYYYMM');
BEGIN
  IF month <> date_trunc('month', month::timestamp)::date OR abs(month - current_date) > 7320 THEN
    RAISE EXCEPTION '% is not the first day of a month within reach', month USING ERRCODE = 'BC002';
  END IF;
  IF to_regclass(leaf) IS NULL THEN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_txn_source_month'));
    IF to_regclass(leaf) IS NULL THEN
      -- Made apart and then attached: readers and loaders of other months need not wait for it.
      EXECUTE format('CREATE TABLE %I (LIKE txn_source_parent INCLUDING ALL)', leaf);
      EXECUTE format(
        'CREATE TRIGGER txn_source_no_truncate BEFORE TRUNCATE ON %I '
        'FOR EACH STATEMENT EXECUTE FUNCTION txn_source_refuse_change()', leaf
      );
      EXECUTE format(
        'ALTER TABLE txn_source_parent ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        leaf, month, (month + interval '1 month')::date
      );
    END IF;
  END IF;
  RETURN leaf;
END $$;
