-- Entries of the fleet's own events, which no posting stands behind: a toll that nobody owes, the drawer taken to the
-- bank, a settlement that arrived. Control accounts take them only where they say so.
ALTER TABLE ledger_entry_header DROP CONSTRAINT ledger_entry_origin;
ALTER TABLE ledger_entry_header ADD CONSTRAINT ledger_entry_origin CHECK (
  origin IN ('POSTING', 'TRIP', 'DTR', 'LOAN', 'DEPOSIT', 'TRANSFER', 'MANUAL', 'BATCH', 'RECON', 'HOUSE')
);

-- New ones go to the end: the place of each is its bit in `control_mask`.
CREATE OR REPLACE FUNCTION ledger_origins() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ARRAY['POSTING', 'TRIP', 'DTR', 'LOAN', 'DEPOSIT', 'TRANSFER', 'MANUAL', 'BATCH', 'RECON', 'HOUSE']
$$;
CREATE OR REPLACE FUNCTION ledger_origin_mask(origins text[]) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN cardinality(origins) = 0 THEN -1 ELSE (
    SELECT coalesce(bit_or(1 << array_position(
             ARRAY['POSTING', 'TRIP', 'DTR', 'LOAN', 'DEPOSIT', 'TRANSFER', 'MANUAL', 'BATCH', 'RECON', 'HOUSE'],
             origin)), 0)
      FROM unnest(origins) AS origin
  ) END
$$;
