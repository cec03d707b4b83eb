-- Suspensions, replaced installments, early ends and caps: what no service may pass by.
--
-- SQLSTATEs: BC031 a fee above the cap, BC032 a day billed twice, BC033 a row that does not fit its posting.

-- A day of a lease is suspended once; what was withdrawn suspends nothing.
ALTER TABLE lease_suspension ADD CONSTRAINT lease_suspension_once_a_day EXCLUDE USING gist (
  int8range(lease_id, lease_id, '[]') WITH &&,
  daterange(starts_on, ends_on, '[]') WITH &&
) WHERE (NOT withdrawn);

-- No account overflows by what a lease costs: one that did would stop the weekly run of the whole fleet.
ALTER TABLE lease_fee ADD CONSTRAINT lease_fee_not_too_large CHECK (weekly_fee <= 99999.99);
ALTER TABLE lease_termination ADD CONSTRAINT lease_termination_fee_not_too_large CHECK (cancellation_fee <= 99999.99);

-- The posting an installment stands on now: its own, or the last of the corrections that replaced one another.
CREATE FUNCTION lease_installment_current_posting(first uuid) RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
  WITH RECURSIVE chain AS (
    SELECT first AS id, 1 AS number
    UNION ALL
    SELECT p.id, chain.number + 1 FROM chain JOIN ledger_posting p ON p.replaces_id = chain.id
  )
  SELECT id FROM chain ORDER BY number DESC LIMIT 1
);

-- A posted installment stays as it is. Once its posting is voided, other terms may take its place: it is then
-- numbered among the replaced ones, and nothing else of it changes.
CREATE OR REPLACE FUNCTION lease_installment_posted_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    IF EXISTS (SELECT FROM lease_installment WHERE posting_id IS NOT NULL) THEN
      RAISE EXCEPTION 'lease installments were posted and cannot be truncated' USING ERRCODE = 'BC006';
    END IF;
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' AND OLD.replaced = 0 AND NEW.replaced > 0
     AND to_jsonb(OLD) - 'replaced' - 'replaced_on' = to_jsonb(NEW) - 'replaced' - 'replaced_on'
     AND EXISTS (SELECT FROM ledger_posting WHERE id = OLD.posting_id AND status = 'VOIDED') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'lease installment % was posted and cannot be changed or deleted', OLD.reference_id
    USING ERRCODE = 'BC006';
END $$;

-- A row that arrives posted came with its posting, in the same transaction: the two say the same.
CREATE FUNCTION lease_installment_arrives_posted() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF NEW.replaced <> 0 OR NOT EXISTS (
    SELECT FROM ledger_posting p
     WHERE p.id = NEW.posting_id AND p.category = 'LEASE' AND p.status = 'POSTED' AND p.lease_id = NEW.lease_id
       AND p.amount = NEW.amount AND p.reference_id = NEW.reference_id AND p.due_on = NEW.due_on
  ) THEN
    RAISE EXCEPTION 'lease installment % does not fit its posting', NEW.reference_id USING ERRCODE = 'BC033';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER lease_installment_arrives_posted BEFORE INSERT ON lease_installment
  FOR EACH ROW WHEN (NEW.posting_id IS NOT NULL) EXECUTE FUNCTION lease_installment_arrives_posted();

-- Among the rows that stand, a day of a lease is in one. Looked up for each new row in the key on lease and day, once
-- per statement: an exclusion would cost the weekly run an index more. Stretches lie within a week, so what overlaps
-- one begins at most six days before it.
CREATE FUNCTION lease_installment_days_once() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  twice text;
BEGIN
  SELECT n.reference_id INTO twice
    FROM new_rows n
   CROSS JOIN LATERAL (
     SELECT FROM lease_installment i
      WHERE i.lease_id = n.lease_id AND i.period_start BETWEEN n.period_start - 6 AND n.period_end
        AND i.period_end >= n.period_start AND i.replaced = 0 AND i.id <> n.id
     OFFSET 0
   ) other
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'lease installment % bills a day that is billed already', twice USING ERRCODE = 'BC032';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER lease_installment_days_once AFTER INSERT ON lease_installment
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION lease_installment_days_once();

-- The cancellation fee of an early end is the posting it names.
CREATE FUNCTION lease_termination_fits_posting() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM ledger_posting p
     WHERE p.id = NEW.posting_id AND p.category = 'CANCELLATION_FEE' AND p.lease_id = NEW.lease_id
       AND p.amount = NEW.cancellation_fee AND p.reversal_for_id IS NULL
  ) THEN
    RAISE EXCEPTION 'an early end does not fit the posting of its cancellation fee' USING ERRCODE = 'BC033';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER lease_termination_fits_posting BEFORE INSERT ON lease_termination
  FOR EACH ROW WHEN (NEW.posting_id IS NOT NULL) EXECUTE FUNCTION lease_termination_fits_posting();

-- ---------------------------------------------------------------------------------------------------------
-- Caps. The type of a lease's vehicle on a day is that of the one last put on its medallion by the end of the day.
CREATE FUNCTION lease_cap_on(lease bigint, on_day date) RETURNS bigint
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT c.id
    FROM lease l
    JOIN vehicle own ON own.id = l.vehicle_id
    LEFT JOIN LATERAL (
      SELECT v.vehicle_type
        FROM vehicle_assignment a JOIN vehicle v ON v.id = a.vehicle_id
       WHERE a.medallion_id = l.medallion_id
         AND a.started_at < (on_day + 1)::timestamp AT TIME ZONE 'America/New_York'
         AND (a.ended_at IS NULL OR a.ended_at > on_day::timestamp AT TIME ZONE 'America/New_York')
       ORDER BY a.started_at DESC
       LIMIT 1
    ) carried ON true
    JOIN lease_cap c
      ON c.lease_type = l.lease_type AND c.effective_from <= on_day
     AND c.vehicle_type IN (coalesce(carried.vehicle_type, own.vehicle_type), '')
   WHERE l.id = lease
   ORDER BY c.vehicle_type = '', c.effective_from DESC
   LIMIT 1
$$;

-- The first day from `first_day` to `last_day` (null: for good) on which this weekly fee is above the cap in force.
-- Only days on which caps or vehicles change need a look.
CREATE FUNCTION lease_fee_breach(lease bigint, fee numeric, first_day date, last_day date)
RETURNS TABLE (day date, cap_id bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT d.day, c.id
    FROM (
      SELECT first_day AS day
      UNION
      SELECT c.effective_from FROM lease_cap c
      UNION
      SELECT (a.started_at AT TIME ZONE 'America/New_York')::date
        FROM vehicle_assignment a JOIN lease l ON l.medallion_id = a.medallion_id WHERE l.id = lease
    ) d
    JOIN lease_cap c ON c.id = lease_cap_on(lease, d.day)
   WHERE d.day >= first_day AND (last_day IS NULL OR d.day <= last_day) AND c.weekly_cap < fee
   ORDER BY d.day
   LIMIT 1
$$;

-- A fee that is written is under the caps that are known; one that a later cap overtook is left alone until it changes.
CREATE FUNCTION lease_fee_under_cap() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  breach record;
BEGIN
  IF NOT EXISTS (SELECT FROM lease_cap) THEN
    RETURN NULL;
  END IF;
  SELECT b.day, c.rule, c.weekly_cap INTO breach
    FROM lease l
    CROSS JOIN LATERAL (
      SELECT min(f.effective_from) - 1 AS last_day FROM lease_fee f
       WHERE f.lease_id = l.id AND f.effective_from > NEW.effective_from
    ) until
    CROSS JOIN LATERAL lease_fee_breach(l.id, NEW.weekly_fee, NEW.effective_from, least(l.ends_on, until.last_day)) b
    JOIN lease_cap c ON c.id = b.cap_id
   WHERE l.id = NEW.lease_id;
  IF FOUND THEN
    RAISE EXCEPTION 'rule % caps this lease at % a week on %', breach.rule, breach.weekly_cap, breach.day
      USING ERRCODE = 'BC031';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER lease_fee_under_cap AFTER INSERT OR UPDATE OF weekly_fee, effective_from ON lease_fee
  FOR EACH ROW EXECUTE FUNCTION lease_fee_under_cap();
