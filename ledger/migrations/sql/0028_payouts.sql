-- Paying DTRs. Every try is a payout_item, at most one of a DTR is alive (unique payout_item_one_alive), and whatever
-- pays a DTR goes through dtr_payment, whose triggers lock the DTR first: so nobody is paid twice, by whatever way.

-- ---------------------------------------------------------------------------------------------------------
-- How a driver is paid: entered, decided by another, replaced or blocked; never edited.
CREATE FUNCTION payout_instruction_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  may_change text[] := ARRAY['state', 'decided_by_id', 'decided_at', 'decision_note', 'blocked_at', 'blocked_why'];
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'REQUESTED' THEN
      RAISE EXCEPTION 'a payment method begins as waiting for approval' USING ERRCODE = 'BC067';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.sealed <> OLD.sealed AND OLD.sealed <> '' AND NEW.sealed <> ''
     AND to_jsonb(NEW) - 'sealed' = to_jsonb(OLD) - 'sealed' THEN
    RETURN NEW;  -- encrypted anew under another key: what it says is bound to the row
  END IF;
  IF to_jsonb(NEW) - may_change <> to_jsonb(OLD) - may_change
     OR (OLD.state, NEW.state) NOT IN (('REQUESTED', 'ACTIVE'), ('REQUESTED', 'REJECTED'), ('ACTIVE', 'REPLACED'),
                                       ('ACTIVE', 'BLOCKED'), ('BLOCKED', 'REPLACED'))
     OR (OLD.state <> 'REQUESTED' AND (NEW.decided_by_id, NEW.decided_at) IS DISTINCT FROM
                                      (OLD.decided_by_id, OLD.decided_at)) THEN
    RAISE EXCEPTION 'a payment method is never edited, and cannot become %', lower(NEW.state) USING ERRCODE = 'BC067';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER payout_instruction_guard BEFORE INSERT OR UPDATE ON payout_instruction
  FOR EACH ROW EXECUTE FUNCTION payout_instruction_guard();

-- ---------------------------------------------------------------------------------------------------------
-- Holds: placed on what is not on its way yet, released once.
CREATE FUNCTION payout_hold_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  report record;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF OLD.released_at IS NOT NULL OR NEW.released_at IS NULL
       OR to_jsonb(NEW) - ARRAY['released_at', 'released_by_id', 'release_reason']
          <> to_jsonb(OLD) - ARRAY['released_at', 'released_by_id', 'release_reason'] THEN
      RAISE EXCEPTION 'a hold is released once, and not otherwise changed' USING ERRCODE = 'BC067';
    END IF;
    RETURN NEW;
  END IF;
  SELECT number, status INTO report FROM dtr WHERE id = NEW.dtr_id FOR UPDATE;
  IF report.status IS DISTINCT FROM 'FINALIZED' OR NEW.released_at IS NOT NULL
     OR EXISTS (SELECT FROM payout_item WHERE dtr_id = NEW.dtr_id AND state = 'PENDING') THEN
    RAISE EXCEPTION '% is paid or on its way, and cannot be held back', report.number USING ERRCODE = 'BC066';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER payout_hold_guard BEFORE INSERT OR UPDATE ON payout_hold
  FOR EACH ROW EXECUTE FUNCTION payout_hold_guard();

-- ---------------------------------------------------------------------------------------------------------
-- Items
CREATE FUNCTION payout_item_inserted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  report record;
BEGIN
  SELECT d.number, d.status, d.net_pay, d.driver_id, p.status AS payout_status INTO report
    FROM dtr d JOIN ledger_posting p ON p.id = d.payout_id WHERE d.id = NEW.dtr_id FOR UPDATE OF d;
  IF NOT FOUND OR NEW.state <> 'PENDING' OR NEW.trace_number IS NOT NULL OR NEW.withdrawn_at IS NOT NULL
     OR report.status <> 'FINALIZED' OR report.payout_status <> 'POSTED' OR NEW.amount <> report.net_pay THEN
    RAISE EXCEPTION '% cannot be paid: it is not finalized and unpaid with this net pay', report.number
      USING ERRCODE = 'BC065';
  END IF;
  IF EXISTS (SELECT FROM payout_hold WHERE dtr_id = NEW.dtr_id AND released_at IS NULL) THEN
    RAISE EXCEPTION '% is held back', report.number USING ERRCODE = 'BC066';
  END IF;
  IF NEW.method = 'ACH' THEN
    PERFORM FROM payout_batch WHERE id = NEW.batch_id AND state = 'DRAFT' FOR SHARE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'only a draft batch takes payments' USING ERRCODE = 'BC067';
    END IF;
    PERFORM FROM payout_instruction
      WHERE id = NEW.instruction_id AND driver_id = report.driver_id AND method = 'ACH' AND state = 'ACTIVE' FOR SHARE;
    IF NOT FOUND THEN
      RAISE EXCEPTION '% is not paid to bank details of its driver that are in force', report.number
        USING ERRCODE = 'BC065';
    END IF;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER payout_item_inserted BEFORE INSERT ON payout_item
  FOR EACH ROW EXECUTE FUNCTION payout_item_inserted();

-- States are set by the other triggers of this file. A statement of a service may take an item out of a draft, and give
-- the items of a batch their traces when its file is made.
CREATE FUNCTION payout_item_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  batch_state text;
BEGIN
  IF pg_trigger_depth() > 1 THEN
    IF to_jsonb(NEW) - 'state' <> to_jsonb(OLD) - 'state'
       OR (OLD.state, NEW.state) NOT IN (('PENDING', 'PAID'), ('PENDING', 'WITHDRAWN'), ('PAID', 'RETURNED')) THEN
      RAISE EXCEPTION 'a payment that is % does not become %', lower(OLD.state), lower(NEW.state)
        USING ERRCODE = 'BC067';
    END IF;
    RETURN NEW;
  END IF;
  SELECT state INTO batch_state FROM payout_batch WHERE id = OLD.batch_id FOR SHARE;
  IF OLD.state = 'PENDING' AND batch_state = 'DRAFT' AND NEW.withdrawn_at IS NOT NULL AND NEW.withdrawn_by_id IS NOT NULL
     AND to_jsonb(NEW) - ARRAY['state', 'withdrawn_at', 'withdrawn_by_id', 'withdrawn_reason']
         = to_jsonb(OLD) - ARRAY['state', 'withdrawn_at', 'withdrawn_by_id', 'withdrawn_reason'] THEN
    NEW.state := 'WITHDRAWN';
    RETURN NEW;
  END IF;
  IF OLD.state = 'PENDING' AND batch_state = 'FILED' AND OLD.trace_number IS NULL
     AND to_jsonb(NEW) - 'trace_number' = to_jsonb(OLD) - 'trace_number' THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a payment is not edited: its state follows the DTR''s payments' USING ERRCODE = 'BC067';
END $$;
CREATE TRIGGER payout_item_guard BEFORE UPDATE ON payout_item
  FOR EACH ROW EXECUTE FUNCTION payout_item_guard();

-- ---------------------------------------------------------------------------------------------------------
-- A DTR that is on its way is paid by that and by nothing else; what came back came back of that. Runs after
-- `dtr_payment_inserted` (triggers go by name), which holds the DTR's row.
CREATE FUNCTION dtr_payment_of_item() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  alive payout_item;
BEGIN
  SELECT * INTO alive FROM payout_item WHERE dtr_id = NEW.dtr_id AND state IN ('PENDING', 'PAID');
  IF NEW.item_id IS DISTINCT FROM alive.id
     OR (alive.id IS NOT NULL AND alive.state <> CASE NEW.kind WHEN 'PAID' THEN 'PENDING' ELSE 'PAID' END) THEN
    RAISE EXCEPTION 'this DTR is paid by the batch or check it is in, and by nothing else' USING ERRCODE = 'BC065';
  END IF;
  IF NEW.kind = 'PAID' AND EXISTS (SELECT FROM payout_hold WHERE dtr_id = NEW.dtr_id AND released_at IS NULL) THEN
    RAISE EXCEPTION 'this DTR is held back' USING ERRCODE = 'BC066';
  END IF;
  IF alive.id IS NULL THEN
    RETURN NEW;
  END IF;
  IF NEW.kind = 'PAID' THEN
    IF NEW.method <> alive.method OR (alive.method = 'ACH' AND NOT EXISTS (
         SELECT FROM payout_batch WHERE id = alive.batch_id AND state = 'FILED')) THEN
      RAISE EXCEPTION 'a transfer is paid when its batch, whose file was made, is sent' USING ERRCODE = 'BC067';
    END IF;
  ELSIF alive.method = 'CHECK' THEN
    UPDATE payout_check SET state = 'VOIDED', voided_on = NEW."on", void_reason = NEW.reason WHERE item_id = alive.id;
  END IF;
  UPDATE payout_item SET state = NEW.kind WHERE id = alive.id;
  RETURN NEW;
END $$;
CREATE TRIGGER dtr_payment_of_item BEFORE INSERT ON dtr_payment
  FOR EACH ROW EXECUTE FUNCTION dtr_payment_of_item();

-- A payout whose money is on its way cannot be voided: the file may be at the bank already.
CREATE FUNCTION payout_on_its_way() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  report record;
BEGIN
  SELECT id, number INTO report FROM dtr WHERE payout_id = NEW.reversal_for_id FOR UPDATE;
  IF FOUND AND EXISTS (SELECT FROM payout_item WHERE dtr_id = report.id AND state = 'PENDING') THEN
    RAISE EXCEPTION 'the net pay of % is in a batch that is not sent: take it out, or reverse the batch', report.number
      USING ERRCODE = 'BC068';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER payout_on_its_way AFTER INSERT ON ledger_posting
  FOR EACH ROW WHEN (NEW.category = 'PAYOUT' AND NEW.reversal_for_id IS NOT NULL)
  EXECUTE FUNCTION payout_on_its_way();

-- ---------------------------------------------------------------------------------------------------------
-- Batches
CREATE FUNCTION payout_batch_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  step text := CASE TG_OP WHEN 'UPDATE' THEN OLD.state || ' to ' || NEW.state END;
  may_change text[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'DRAFT' OR NEW.approved_by_id IS NOT NULL THEN
      RAISE EXCEPTION 'a batch begins as a draft' USING ERRCODE = 'BC067';
    END IF;
    RETURN NEW;
  END IF;
  may_change := CASE
    WHEN step = 'DRAFT to APPROVED' THEN ARRAY['approved_by_id', 'approved_at', 'payments', 'total']
    WHEN step = 'APPROVED to FILED' THEN
      ARRAY['file_made_at', 'file_modifier', 'file_on', 'file_sha256', 'effective_on', 'originator']
    WHEN step = 'FILED to SENT' THEN ARRAY['sent_on']
    WHEN step = 'SENT to SETTLED' THEN ARRAY['settled_on']
    WHEN step IN ('DRAFT to REVERSED', 'APPROVED to REVERSED', 'FILED to REVERSED') THEN
      ARRAY['reversed_by_id', 'reversed_at', 'reverse_reason']
    WHEN step = 'FILED to FILED' AND OLD.file_sha256 = '' THEN ARRAY['file_sha256']
  END;
  IF may_change IS NULL OR to_jsonb(NEW) - array_append(may_change, 'state') <> to_jsonb(OLD) - array_append(may_change, 'state') THEN
    RAISE EXCEPTION 'batch % cannot go from %', OLD.number, lower(step) USING ERRCODE = 'BC067';
  END IF;
  CASE NEW.state
    WHEN 'APPROVED' THEN
      SELECT count(*), sum(amount) INTO NEW.payments, NEW.total
        FROM payout_item WHERE batch_id = NEW.id AND state = 'PENDING';
      IF NEW.payments = 0 OR NEW.approved_by_id IS NULL OR NEW.approved_at IS NULL THEN
        RAISE EXCEPTION 'batch % has nothing to approve, or nobody who did', OLD.number USING ERRCODE = 'BC067';
      END IF;
    WHEN 'FILED' THEN
      IF NEW.file_made_at IS NULL OR NEW.file_on IS NULL OR NEW.effective_on <= NEW.file_on
         OR NEW.originator IS NULL OR NEW.file_modifier = '' THEN
        RAISE EXCEPTION 'the file of batch % is not described', OLD.number USING ERRCODE = 'BC067';
      END IF;
      PERFORM FROM payout_instruction i JOIN payout_item t ON t.instruction_id = i.id
        WHERE t.batch_id = NEW.id AND t.state = 'PENDING' FOR SHARE OF i;
      IF OLD.state = 'APPROVED' AND EXISTS (
        SELECT FROM payout_item t JOIN payout_instruction i ON i.id = t.instruction_id
         WHERE t.batch_id = NEW.id AND t.state = 'PENDING' AND i.state <> 'ACTIVE') THEN
        RAISE EXCEPTION 'batch % pays to bank details that are no longer in force', OLD.number USING ERRCODE = 'BC067';
      END IF;
    WHEN 'SENT' THEN
      IF NEW.sent_on IS NULL OR NEW.sent_on < NEW.file_on OR NEW.sent_on > NEW.effective_on OR NEW.file_sha256 = ''
         OR EXISTS (SELECT FROM payout_item WHERE batch_id = NEW.id AND state = 'PENDING') THEN
        RAISE EXCEPTION 'batch % is sent with all its payments booked, between making its file and its effective day',
          OLD.number USING ERRCODE = 'BC067';
      END IF;
    WHEN 'SETTLED' THEN
      IF NEW.settled_on IS NULL OR NEW.settled_on < NEW.sent_on THEN
        RAISE EXCEPTION 'batch % is not settled before it was sent', OLD.number USING ERRCODE = 'BC067';
      END IF;
    WHEN 'REVERSED' THEN
      IF NEW.reversed_by_id IS NULL OR NEW.reversed_at IS NULL OR length(NEW.reverse_reason) < 10
         OR EXISTS (SELECT FROM payout_item WHERE batch_id = NEW.id AND state IN ('PAID', 'RETURNED')) THEN
        RAISE EXCEPTION 'batch % is reversed whole, with a reason, before any of it is paid', OLD.number
          USING ERRCODE = 'BC067';
      END IF;
      UPDATE payout_item SET state = 'WITHDRAWN' WHERE batch_id = NEW.id AND state = 'PENDING';
  END CASE;
  RETURN NEW;
END $$;
CREATE TRIGGER payout_batch_guard BEFORE INSERT OR UPDATE ON payout_batch
  FOR EACH ROW EXECUTE FUNCTION payout_batch_guard();

-- ---------------------------------------------------------------------------------------------------------
-- Check numbers come from the current book and from nowhere else.
CREATE FUNCTION payout_checkbook_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.last_number <> NEW.first_number - 1 OR NOT NEW.is_current
       OR NEW.first_number <= (SELECT coalesce(max(last_number), 0) FROM payout_checkbook) THEN
      RAISE EXCEPTION 'a checkbook begins above all numbers that were used' USING ERRCODE = 'BC069';
    END IF;
    RETURN NEW;
  END IF;
  IF pg_trigger_depth() > 1 THEN
    IF NEW.last_number = OLD.last_number + 1 AND to_jsonb(NEW) - 'last_number' = to_jsonb(OLD) - 'last_number' THEN
      RETURN NEW;
    END IF;
  ELSIF OLD.is_current AND NOT NEW.is_current AND to_jsonb(NEW) - 'is_current' = to_jsonb(OLD) - 'is_current' THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'check numbers are given out one by one, by the database' USING ERRCODE = 'BC069';
END $$;
CREATE TRIGGER payout_checkbook_guard BEFORE INSERT OR UPDATE ON payout_checkbook
  FOR EACH ROW EXECUTE FUNCTION payout_checkbook_guard();

CREATE FUNCTION payout_check_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'ISSUED' OR NEW.voided_on IS NOT NULL OR NEW.cleared_on IS NOT NULL OR NOT EXISTS (
      SELECT FROM payout_item WHERE id = NEW.item_id AND method = 'CHECK' AND state = 'PENDING' AND amount = NEW.amount
    ) THEN
      RAISE EXCEPTION 'a check is issued for a payment by check, in its amount' USING ERRCODE = 'BC069';
    END IF;
    IF NEW.reissue_of_id IS NOT NULL AND NOT EXISTS (
      SELECT FROM payout_check c JOIN payout_item o ON o.id = c.item_id JOIN payout_item n ON n.id = NEW.item_id
       WHERE c.id = NEW.reissue_of_id AND c.state = 'VOIDED' AND o.dtr_id = n.dtr_id) THEN
      RAISE EXCEPTION 'a check replaces a void one of the same DTR' USING ERRCODE = 'BC069';
    END IF;
    UPDATE payout_checkbook SET last_number = last_number + 1 WHERE is_current
      RETURNING id, last_number INTO NEW.checkbook_id, NEW.number;
    IF NEW.number IS NULL THEN
      RAISE EXCEPTION 'there is no checkbook to take a number from' USING ERRCODE = 'BC069';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.state = 'ISSUED' AND NEW.state = 'VOIDED' AND pg_trigger_depth() > 1
     AND to_jsonb(NEW) - ARRAY['state', 'voided_on', 'void_reason']
         = to_jsonb(OLD) - ARRAY['state', 'voided_on', 'void_reason'] THEN
    RETURN NEW;
  END IF;
  IF OLD.state = 'ISSUED' AND NEW.state = 'CLEARED' AND NEW.cleared_on >= NEW.issued_on
     AND to_jsonb(NEW) - ARRAY['state', 'cleared_on'] = to_jsonb(OLD) - ARRAY['state', 'cleared_on'] THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'check % is %, and cannot become %', OLD.number, lower(OLD.state), lower(NEW.state)
    USING ERRCODE = 'BC069';
END $$;
CREATE TRIGGER payout_check_guard BEFORE INSERT OR UPDATE ON payout_check
  FOR EACH ROW EXECUTE FUNCTION payout_check_guard();

INSERT INTO payout_checkbook (first_number, last_number, is_current) VALUES (1001, 1000, true);

-- ---------------------------------------------------------------------------------------------------------
-- What the bank sent back is kept as it came; a person's handling of it is added once.
CREATE FUNCTION payout_return_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  may_change text[] := ARRAY['state', 'item_id', 'problem', 'blocked', 'handled_by_id', 'handled_at', 'handled_note'];
BEGIN
  IF NEW.sealed <> OLD.sealed AND NEW.sealed <> '' AND to_jsonb(NEW) - 'sealed' = to_jsonb(OLD) - 'sealed' THEN
    RETURN NEW;
  END IF;
  IF OLD.state <> 'OPEN' OR NEW.state = 'OPEN' OR NEW.handled_by_id IS NULL OR NEW.handled_at IS NULL
     OR to_jsonb(NEW) - may_change <> to_jsonb(OLD) - may_change THEN
    RAISE EXCEPTION 'what the bank sent back stands; it is handled once' USING ERRCODE = 'BC067';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER payout_return_guard BEFORE UPDATE ON payout_return
  FOR EACH ROW EXECUTE FUNCTION payout_return_guard();
