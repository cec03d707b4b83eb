ALTER TABLE ledger_entry_header DROP CONSTRAINT ledger_entry_origin;
ALTER TABLE ledger_entry_header ADD CONSTRAINT ledger_entry_origin CHECK (
  origin IN ('POSTING', 'TRIP', 'DTR', 'LOAN', 'DEPOSIT', 'TRANSFER', 'MANUAL', 'BATCH', 'RECON')
);
CREATE OR REPLACE FUNCTION ledger_origins() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ARRAY['POSTING', 'TRIP', 'DTR', 'LOAN', 'DEPOSIT', 'TRANSFER', 'MANUAL', 'BATCH', 'RECON']
$$;
CREATE OR REPLACE FUNCTION ledger_origin_mask(origins text[]) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN cardinality(origins) = 0 THEN -1 ELSE (
    SELECT coalesce(bit_or(1 << array_position(
             ARRAY['POSTING', 'TRIP', 'DTR', 'LOAN', 'DEPOSIT', 'TRANSFER', 'MANUAL', 'BATCH', 'RECON'], origin)), 0)
      FROM unnest(origins) AS origin
  ) END
$$;
