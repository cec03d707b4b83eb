-- What a transfer takes elsewhere, for a limit in the same run: the work pgledger documents, with nothing beside it.
-- Both accounts locked in the order of their ids, checked, moved, a transfer row, and an entry for each account with
-- its balance before and after and its version. Keys, references and indexes as there; no journal, no audit trail.
CREATE TABLE bench_account (
  id text PRIMARY KEY DEFAULT 'account_' || uuid7(),
  currency text NOT NULL,
  balance numeric NOT NULL DEFAULT 0,
  version bigint NOT NULL DEFAULT 0,
  may_be_negative boolean NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE bench_transfer (
  id text PRIMARY KEY DEFAULT 'transfer_' || uuid7(),
  from_id text NOT NULL REFERENCES bench_account,
  to_id text NOT NULL REFERENCES bench_account,
  amount numeric NOT NULL CHECK (amount > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  event_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON bench_transfer (from_id);
CREATE INDEX ON bench_transfer (to_id);
CREATE INDEX ON bench_transfer (event_at);
CREATE TABLE bench_entry (
  id text PRIMARY KEY DEFAULT 'entry_' || uuid7(),
  account_id text NOT NULL REFERENCES bench_account,
  transfer_id text NOT NULL REFERENCES bench_transfer,
  amount numeric NOT NULL,
  balance_before numeric NOT NULL,
  balance_after numeric NOT NULL,
  account_version bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON bench_entry (account_id);
CREATE INDEX ON bench_entry (transfer_id);

CREATE FUNCTION bench_move(source text, destination text, value numeric) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  giver bench_account;
  taker bench_account;
  made text;
BEGIN
  IF value <= 0 OR source = destination THEN
    RAISE EXCEPTION 'not a transfer';
  END IF;
  PERFORM FROM bench_account WHERE id IN (source, destination) ORDER BY id FOR UPDATE;
  UPDATE bench_account SET balance = balance - value, version = version + 1, updated_at = now()
   WHERE id = source RETURNING * INTO giver;
  UPDATE bench_account SET balance = balance + value, version = version + 1, updated_at = now()
   WHERE id = destination RETURNING * INTO taker;
  IF giver.currency IS DISTINCT FROM taker.currency OR giver.balance < 0 AND NOT giver.may_be_negative THEN
    RAISE EXCEPTION 'refused';
  END IF;
  INSERT INTO bench_transfer (from_id, to_id, amount) VALUES (source, destination, value) RETURNING id INTO made;
  INSERT INTO bench_entry (account_id, transfer_id, amount, balance_before, balance_after, account_version)
  VALUES (source, made, -value, giver.balance + value, giver.balance, giver.version);
  INSERT INTO bench_entry (account_id, transfer_id, amount, balance_before, balance_after, account_version)
  VALUES (destination, made, value, taker.balance - value, taker.balance, taker.version);
  RETURN made;
END $$;
