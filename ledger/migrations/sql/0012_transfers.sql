-- Money from one account to another, in one statement: checked, locked, entered in the journal and audited. Each
-- round trip costs more than the work, and so does each statement within.

-- Both accounts, and whether the rules that need no balance are kept; no row when there is no such account. Written so
-- that it becomes a part of the statement that calls it.
CREATE FUNCTION ledger_transfer_parties(source uuid, destination uuid, value numeric, money text) RETURNS TABLE (
  source_id int, source_code text, source_moves numeric, destination_id int, destination_code text,
  destination_moves numeric, exponent int, sound boolean
)
LANGUAGE sql STABLE AS $$
  SELECT s.id, s.code, CASE WHEN s.type IN ('ASSET', 'EXPENSE') THEN value ELSE -value END,
         d.id, d.code, CASE WHEN d.type IN ('ASSET', 'EXPENSE') THEN -value ELSE value END, c.exponent,
         s.id <> d.id AND s.active AND d.active AND s.currency_id = money AND d.currency_id = money
           AND (s.control_origins = '{}' OR 'TRANSFER' = ANY (s.control_origins))
           AND (d.control_origins = '{}' OR 'TRANSFER' = ANY (d.control_origins))
           AND value > 0 AND value < 'NaN' AND value = round(value, c.exponent)
           AND value <= coalesce(k.transfer_limit, value)
    FROM chart_of_accounts s
    JOIN chart_of_accounts d ON d.uid = destination
    JOIN currency c ON c.code = s.currency_id
    LEFT JOIN account_kind k ON k.code = s.kind_id
   WHERE s.uid = source
$$;

-- Which rule a transfer breaks, by name, and the facts its sentence needs. Asked once it is known that it breaks one.
CREATE FUNCTION ledger_transfer_problem(
  source uuid, destination uuid, value numeric, money text, OUT problem text, OUT facts jsonb
)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
  s record;
  d record;
  places int := (SELECT exponent FROM currency WHERE code = money);
  most numeric;
BEGIN
  facts := '{}';
  IF source = destination THEN
    problem := 'same_account';
    RETURN;
  END IF;
  SELECT uid, code, currency_id, active, control_origins, kind_id INTO s FROM chart_of_accounts WHERE uid = source;
  SELECT uid, code, currency_id, active, control_origins INTO d FROM chart_of_accounts WHERE uid = destination;
  most := (SELECT transfer_limit FROM account_kind WHERE code = s.kind_id);
  IF s.uid IS NULL OR d.uid IS NULL THEN
    problem := 'unknown_account';
    facts := jsonb_build_object('account', CASE WHEN s.uid IS NULL THEN source ELSE destination END);
  ELSIF s.control_origins <> '{}' AND NOT 'TRANSFER' = ANY (s.control_origins) THEN
    problem := 'control_account';
    facts := jsonb_build_object('account', s.code);
  ELSIF d.control_origins <> '{}' AND NOT 'TRANSFER' = ANY (d.control_origins) THEN
    problem := 'control_account';
    facts := jsonb_build_object('account', d.code);
  ELSIF NOT s.active OR NOT d.active THEN
    problem := 'inactive_account';
    facts := jsonb_build_object('account', CASE WHEN s.active THEN d.code ELSE s.code END);
  ELSIF places IS NULL THEN
    problem := 'unknown_currency';
    facts := jsonb_build_object('currency', money);
  ELSIF s.currency_id <> money THEN
    problem := 'currency_mismatch';
    facts := jsonb_build_object('account', s.code, 'account_currency', s.currency_id, 'currency', money);
  ELSIF d.currency_id <> money THEN
    problem := 'currency_mismatch';
    facts := jsonb_build_object('account', d.code, 'account_currency', d.currency_id, 'currency', money);
  ELSIF value <= 0 OR value = 'NaN' THEN
    problem := 'amount_not_positive';
  ELSIF value <> round(value, places) THEN
    problem := 'amount_too_fine';
    facts := jsonb_build_object('currency', money, 'decimals', places);
  ELSIF value > most THEN
    problem := 'above_limit';
    facts := jsonb_build_object('account', s.code, 'limit', round(most, places)::text, 'currency', money);
  ELSE
    problem := 'changing';  -- somebody put it right between the question and this answer
  END IF;
END $$;

-- A rule that is broken is answered in `problem` and `facts`; nothing is written then. The journal's own rules are
-- checked again by its triggers, which also refuse closed days and move the balances; those raise. What guarded
-- accounts have afterwards is in `source_after` and `destination_after`; others keep no running balance, and get null.
--
-- Runs as the owner, for locking a guarded balance takes a right to update it, which the application has not.
CREATE FUNCTION ledger_transfer(
  actor bigint, is_automatic boolean, source uuid, destination uuid, value numeric, money text, day date, note text,
  meta jsonb,
  OUT problem text, OUT facts jsonb, OUT entry_id bigint, OUT source_after numeric, OUT destination_after numeric,
  OUT decimals int
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
-- Planning these statements, and those of the triggers they fire, costs more than running them.
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  a record;
BEGIN
  -- The month's partitions before anything is held, as all who enter do.
  IF to_regclass('ledger_entry_line_' || to_char(day, 'YYYYMM') || '_0') IS NULL THEN
    PERFORM ensure_journal_month(day);
  END IF;
  -- Guarded accounts are held in the order of their ids, so that two that move the same accounts wait and do not
  -- deadlock; and before the entry draws its number, so that each account's entries become visible in the order of
  -- their numbers. As a rule both are guarded: then they are found and held at once, first `lower`, then `higher`.
  SELECT p.*, CASE WHEN p.source_id < p.destination_id THEN lower.balance ELSE higher.balance END AS source_has,
         CASE WHEN p.source_id < p.destination_id THEN lower.floor ELSE higher.floor END AS source_floor,
         CASE WHEN p.source_id < p.destination_id THEN higher.balance ELSE lower.balance END AS destination_has,
         CASE WHEN p.source_id < p.destination_id THEN higher.floor ELSE lower.floor END AS destination_floor
    INTO a
    FROM ledger_transfer_parties(source, destination, value, money) p
    JOIN guarded_balance lower ON lower.account_id = least(p.source_id, p.destination_id)
    JOIN guarded_balance higher ON higher.account_id = greatest(p.source_id, p.destination_id)
     FOR NO KEY UPDATE OF lower, higher;
  IF NOT FOUND THEN
    PERFORM ledger_lock_guarded(ARRAY(SELECT id FROM chart_of_accounts WHERE uid IN (source, destination)));
    SELECT p.*, s.balance AS source_has, s.floor AS source_floor, d.balance AS destination_has,
           d.floor AS destination_floor
      INTO a
      FROM ledger_transfer_parties(source, destination, value, money) p
      LEFT JOIN guarded_balance s ON s.account_id = p.source_id
      LEFT JOIN guarded_balance d ON d.account_id = p.destination_id;
  END IF;
  IF a.sound IS NOT TRUE THEN
    SELECT p.problem, p.facts INTO problem, facts
      FROM ledger_transfer_problem(source, destination, value, money) p;
    RETURN;
  END IF;
  IF a.source_has + a.source_moves < a.source_floor THEN
    problem := 'overdrawn';
    facts := jsonb_build_object(
      'account', a.source_code, 'available', round(a.source_has - a.source_floor, a.exponent)::text, 'currency', money
    );
    RETURN;
  ELSIF a.destination_has + a.destination_moves < a.destination_floor THEN
    problem := 'overdrawn';
    facts := jsonb_build_object(
      'account', a.destination_code, 'available', round(a.destination_has - a.destination_floor, a.exponent)::text,
      'currency', money
    );
    RETURN;
  END IF;

  entry_id := nextval('ledger_entry_id_seq');
  source_after := a.source_has + a.source_moves;
  destination_after := a.destination_has + a.destination_moves;
  decimals := a.exponent;
  WITH entered AS (
    INSERT INTO ledger_entry_header
      (id, je_date, origin, event_on, line_count, total, description, metadata, created_by_id)
    VALUES (ledger_transfer.entry_id, day, 'TRANSFER', day, 2, value, note, meta, actor)
  ),
  lined AS (
    INSERT INTO ledger_entry_line (entry_id, line_number, je_date, account_id, currency, side, amount)
    VALUES (ledger_transfer.entry_id, 1, day, a.source_id, money, 'DR', value),
           (ledger_transfer.entry_id, 2, day, a.destination_id, money, 'CR', value)
  )
  INSERT INTO audit_entry (actor_id, action, subject, automatic, after)
  VALUES (
    actor, 'transfer.made', 'entry:JE-' || to_char(day, 'YYYYMM') || '-' || ledger_transfer.entry_id, is_automatic,
    jsonb_build_object(
      'source', a.source_code, 'destination', a.destination_code, 'amount', value::text, 'currency', money
    )
  );
END $$;
