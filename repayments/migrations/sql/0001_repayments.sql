-- What a driver pays back by the week: rules that no service may pass by, and where everything stands.

-- The posting an installment stands on now: its own, or the last of those that took its place (RPR-…/1/2).
CREATE FUNCTION repayment_current_posting(first uuid) RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
  WITH RECURSIVE chain AS (
    SELECT first AS id, 1 AS number
    UNION ALL
    SELECT p.id, chain.number + 1 FROM chain JOIN ledger_posting p ON p.replaces_id = chain.id
  )
  SELECT id FROM chain ORDER BY number DESC LIMIT 1
);

CREATE VIEW repayment_installment_standing AS
SELECT i.id AS installment_id,
       p.id AS current_posting_id,
       CASE WHEN p.status = 'POSTED' THEN p.amount ELSE 0.00 END AS charged,
       CASE WHEN p.status = 'POSTED' THEN coalesce((p.components ->> 'principal')::numeric, p.amount) ELSE 0.00 END
         AS charged_principal,
       coalesce(b.balance, 0.00) AS open_amount,
       CASE
         WHEN i.cancelled_on IS NOT NULL THEN 'CANCELLED'
         WHEN i.posting_id IS NULL THEN 'SCHEDULED'
         WHEN p.status = 'VOIDED' THEN 'VOIDED'
         WHEN b.balance = 0 THEN 'PAID'
         ELSE 'POSTED'
       END AS status
  FROM repayment_installment i
  LEFT JOIN ledger_posting p ON p.id = repayment_current_posting(i.posting_id)
  LEFT JOIN ledger_balance b ON b.posting_id = p.id;

-- A loan's principal that is adrift is still money lent, so such a loan is not closed.
CREATE VIEW repayment_standing AS
SELECT r.id AS repayment_id, s.scheduled, s.posted, s.adrift, s.open_amount, s.next_due_on,
       CASE
         WHEN r.state IN ('DRAFT', 'CANCELLED') THEN r.state
         WHEN s.scheduled = 0 AND s.open_amount = 0 AND (r.kind = 'REPAIR' OR s.adrift = 0) THEN 'CLOSED'
         ELSE r.state
       END AS status
  FROM repayment r
 CROSS JOIN LATERAL (
   SELECT coalesce(sum(i.principal) FILTER (WHERE s.status = 'SCHEDULED'), 0.00) AS scheduled,
          coalesce(sum(s.charged_principal), 0.00) AS posted,
          CASE WHEN r.state = 'CANCELLED' THEN 0.00
               ELSE r.billed - r.forgiven - coalesce(sum(s.charged_principal), 0)
                    - coalesce(sum(i.principal) FILTER (WHERE s.status = 'SCHEDULED'), 0)
          END AS adrift,
          coalesce(sum(s.open_amount), 0.00) AS open_amount,
          min(i.due_on) FILTER (WHERE s.status = 'SCHEDULED') AS next_due_on
     FROM repayment_installment i
     JOIN repayment_installment_standing s ON s.installment_id = i.id
    WHERE i.repayment_id = r.id
 ) s;

-- What was agreed stays; only decisions and what follows from them are written again.
CREATE FUNCTION repayment_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  changing CONSTANT text[] := ARRAY['state', 'state_reason', 'state_since', 'weekly_principal', 'waived', 'forgiven'];
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'DRAFT' OR NEW.waived <> 0 OR NEW.forgiven <> 0 THEN
      RAISE EXCEPTION '% begins as a draft of which nothing is forgiven', NEW.number USING ERRCODE = 'BC040';
    END IF;
    RETURN NEW;
  END IF;
  IF to_jsonb(OLD) - changing <> to_jsonb(NEW) - changing THEN
    RAISE EXCEPTION '% was agreed and stays as it is', OLD.number USING ERRCODE = 'BC040';
  END IF;
  IF OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
    ('DRAFT', 'OPEN'), ('DRAFT', 'CANCELLED'), ('OPEN', 'HOLD'), ('HOLD', 'OPEN'), ('OPEN', 'CANCELLED'),
    ('HOLD', 'CANCELLED')
  ) THEN
    RAISE EXCEPTION '% is %, which does not become %', OLD.number, OLD.state, NEW.state USING ERRCODE = 'BC040';
  END IF;
  IF NEW.waived < OLD.waived OR NEW.forgiven < OLD.forgiven THEN
    RAISE EXCEPTION '%: what was forgiven stays forgiven', OLD.number USING ERRCODE = 'BC040';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER repayment_guard BEFORE INSERT OR UPDATE ON repayment
  FOR EACH ROW EXECUTE FUNCTION repayment_guard();

-- An installment is posted once, as what it says, while its repayment is open; or it is cancelled once.
CREATE FUNCTION repayment_installment_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  changing CONSTANT text[] := ARRAY['posting_id', 'cancelled_on', 'cancelled_because', 'amount'];
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.posting_id IS NOT NULL OR NEW.cancelled_on IS NOT NULL THEN
      RAISE EXCEPTION 'installment % begins as scheduled', NEW.reference_id USING ERRCODE = 'BC041';
    END IF;
    IF NEW.reference_id IS DISTINCT FROM
       (SELECT r.number FROM repayment r WHERE r.id = NEW.repayment_id) || '/' || NEW.position THEN
      RAISE EXCEPTION 'installment % is not called after its repayment', NEW.reference_id USING ERRCODE = 'BC041';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.posting_id IS NOT NULL OR OLD.cancelled_on IS NOT NULL OR to_jsonb(OLD) - changing <> to_jsonb(NEW) - changing
  THEN
    RAISE EXCEPTION 'installment % stays as it is; cancel it and add another', OLD.reference_id USING ERRCODE = 'BC041';
  END IF;
  IF NEW.posting_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM ledger_posting p
      JOIN repayment r ON r.id = NEW.repayment_id
     WHERE p.id = NEW.posting_id AND p.category = r.kind AND p.account_id = r.account_id AND r.state = 'OPEN'
       AND p.amount = OLD.principal + OLD.interest AND p.reference_id = OLD.reference_id
       AND p.reversal_for_id IS NULL AND p.replaces_id IS NULL
       AND (r.kind = 'REPAIR' OR (p.components ->> 'principal')::numeric = OLD.principal)
  ) THEN
    RAISE EXCEPTION 'installment % does not fit its posting, or is not open', OLD.reference_id
      USING ERRCODE = 'BC042';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER repayment_installment_guard BEFORE INSERT OR UPDATE ON repayment_installment
  FOR EACH ROW EXECUTE FUNCTION repayment_installment_guard();

-- When the transaction ends: the installments in force add up to what is repaid, in their order.
CREATE FUNCTION repayment_adds_up() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  plan repayment%ROWTYPE;
  wrong record;
BEGIN
  IF TG_TABLE_NAME = 'repayment' THEN
    SELECT * INTO plan FROM repayment WHERE id = NEW.id;
  ELSE
    SELECT * INTO plan FROM repayment WHERE id = NEW.repayment_id;
  END IF;
  IF plan.state = 'CANCELLED' THEN
    IF EXISTS (SELECT FROM repayment_installment i
                WHERE i.repayment_id = plan.id AND i.posting_id IS NULL AND i.cancelled_on IS NULL) THEN
      RAISE EXCEPTION '% is cancelled and has installments to come', plan.number USING ERRCODE = 'BC043';
    END IF;
    RETURN NULL;
  END IF;
  IF plan.billed - plan.waived <> (
    SELECT coalesce(sum(i.principal), 0) FROM repayment_installment i
     WHERE i.repayment_id = plan.id AND i.cancelled_on IS NULL
  ) THEN
    RAISE EXCEPTION 'the installments of % do not add up to what is repaid', plan.number USING ERRCODE = 'BC043';
  END IF;
  SELECT * INTO wrong FROM (
    SELECT i.reference_id, i.due_on, i.left,
           plan.billed - sum(i.principal) OVER (ORDER BY i.position) AS remains,
           lag(i.due_on) OVER (ORDER BY i.position) AS former_due_on
      FROM repayment_installment i WHERE i.repayment_id = plan.id AND i.cancelled_on IS NULL
  ) ordered
  WHERE ordered.due_on < former_due_on OR ordered.left <> remains LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'installment % is out of its order', wrong.reference_id USING ERRCODE = 'BC043';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER repayment_adds_up AFTER INSERT OR UPDATE ON repayment
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION repayment_adds_up();
CREATE CONSTRAINT TRIGGER repayment_installment_adds_up AFTER INSERT OR UPDATE OF cancelled_on ON repayment_installment
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION repayment_adds_up();
