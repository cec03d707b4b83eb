-- Rules of tolls and tickets that nothing can pass by: items stand as they came, decisions follow one another, and what
-- a decision says of money is what the ledger has. Errors carry BC055 (out of turn), BC056 (former money stands), BC057
-- (money does not fit) and BC058 (an item without a decision, or changed).

-- An item never changes; what follows its decisions is written by their trigger alone.
CREATE FUNCTION agency_item_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  following constant text[] := ARRAY['state', 'score', 'decision_id'];
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state IS NOT NULL OR NEW.score IS NOT NULL OR NEW.decision_id IS NOT NULL THEN
      RAISE EXCEPTION 'what stands about % follows its decisions', NEW.number USING ERRCODE = 'BC058';
    END IF;
  ELSIF pg_trigger_depth() < 2 OR to_jsonb(NEW) - following IS DISTINCT FROM to_jsonb(OLD) - following THEN
    RAISE EXCEPTION 'toll or ticket % stands as it came', OLD.number USING ERRCODE = 'BC058';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER agency_item_guard BEFORE INSERT OR UPDATE ON agency_item
  FOR EACH ROW EXECUTE FUNCTION agency_item_guard();

-- None is left without an end: at the latest when its transaction ends, every item has a decision.
CREATE FUNCTION agency_item_decided() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM agency_item WHERE id = NEW.id AND decision_id IS NULL) THEN
    RAISE EXCEPTION 'nothing was decided about toll or ticket %', NEW.number USING ERRCODE = 'BC058';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER agency_item_decided AFTER INSERT ON agency_item
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION agency_item_decided();

-- As its owner: nobody else may write what follows from decisions.
CREATE FUNCTION agency_decisions_inserted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  wrong record;
BEGIN
  -- Each look is by key, and OFFSET 0 keeps it so: the plan may be made while the tables are empty.
  -- One after the other: a second one of the same moment has the same place, which is unique.
  SELECT i.number INTO wrong
    FROM new_rows n
    CROSS JOIN LATERAL (SELECT number, decision_id FROM agency_item WHERE id = n.item_id OFFSET 0) i
    LEFT JOIN LATERAL (SELECT place FROM agency_decision WHERE id = i.decision_id OFFSET 0) d ON true
   WHERE n.place <> coalesce(d.place, 0) + 1 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION '% was decided about meanwhile', wrong.number USING ERRCODE = 'BC055';
  END IF;

  -- What the former decision posted is taken back, or is what this one goes on with; or another one of the number,
  -- which comes in the same statement, as when a revision takes its place.
  SELECT i.number INTO wrong
    FROM new_rows n
    CROSS JOIN LATERAL (SELECT kind, number, decision_id FROM agency_item WHERE id = n.item_id OFFSET 0) i
    CROSS JOIN LATERAL (SELECT posting_id, fee_posting_id, entry_id FROM agency_decision
                         WHERE id = i.decision_id OFFSET 0) d
    CROSS JOIN LATERAL (VALUES (d.posting_id), (d.fee_posting_id)) AS former (id)
    CROSS JOIN LATERAL (SELECT id, status FROM ledger_posting
                         WHERE id = misc_expense_current_posting(former.id) OFFSET 0) p
   WHERE n.place > 1 AND former.id IS NOT NULL AND p.status = 'POSTED' AND NOT EXISTS (
     SELECT FROM new_rows m JOIN agency_item o ON o.id = m.item_id
      WHERE (o.kind, o.number) = (i.kind, i.number) AND p.id IN (m.posting_id, m.fee_posting_id)) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'what was posted for % before still stands', wrong.number USING ERRCODE = 'BC056';
  END IF;
  SELECT i.number INTO wrong
    FROM new_rows n
    CROSS JOIN LATERAL (SELECT number, decision_id FROM agency_item WHERE id = n.item_id OFFSET 0) i
    CROSS JOIN LATERAL (SELECT entry_id FROM agency_decision WHERE id = i.decision_id OFFSET 0) d
   WHERE n.place > 1 AND d.entry_id IS NOT NULL
     AND NOT EXISTS (SELECT FROM ledger_entry_reversal v WHERE v.entry_id = d.entry_id) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the fleet cost of % still stands', wrong.number USING ERRCODE = 'BC056';
  END IF;

  -- A posting is of the item, on the account and of the amount that the decision says; an entry likewise.
  SELECT i.number INTO wrong
    FROM new_rows n
    CROSS JOIN LATERAL (SELECT kind, number, event_on FROM agency_item WHERE id = n.item_id OFFSET 0) i
    LEFT JOIN LATERAL (SELECT * FROM ledger_posting WHERE id = n.posting_id OFFSET 0) p ON true
    LEFT JOIN LATERAL (SELECT * FROM ledger_posting WHERE id = n.fee_posting_id OFFSET 0) f ON true
   WHERE n.posting_id IS NOT NULL
     AND ((p.category, p.account_id, p.amount, p.event_on, p.status) IS DISTINCT FROM
          (i.kind, n.account_id, n.amount, i.event_on, 'POSTED')
          OR p.reversal_for_id IS NOT NULL
          OR NOT (p.reference_id = i.number OR starts_with(p.reference_id, i.number || '/'))
          OR n.fee_posting_id IS NOT NULL
             AND (f.category, f.account_id, f.status) IS DISTINCT FROM ('MISC', n.account_id, 'POSTED')) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the decision on % does not fit its posting', wrong.number USING ERRCODE = 'BC057';
  END IF;
  SELECT i.number INTO wrong
    FROM new_rows n
    CROSS JOIN LATERAL (SELECT number FROM agency_item WHERE id = n.item_id OFFSET 0) i
    LEFT JOIN LATERAL (SELECT origin, reference, total FROM ledger_entry_header
                        WHERE id = n.entry_id AND je_date = n.entry_date OFFSET 0) h ON true
   WHERE n.entry_id IS NOT NULL AND (h.origin, h.reference, h.total) IS DISTINCT FROM ('HOUSE', i.number, abs(n.amount))
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the decision on % does not fit its journal entry', wrong.number USING ERRCODE = 'BC057';
  END IF;

  -- Of two with one number that change places, the one that gives way comes first: only one may be charged.
  UPDATE agency_item i SET state = n.state, score = n.score, decision_id = n.id FROM new_rows n
   WHERE i.id = n.item_id AND n.state NOT IN ('POSTED', 'FLEET_COST');
  UPDATE agency_item i SET state = n.state, score = n.score, decision_id = n.id FROM new_rows n
   WHERE i.id = n.item_id AND n.state IN ('POSTED', 'FLEET_COST');
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION agency_decisions_inserted() FROM PUBLIC;
CREATE TRIGGER agency_decisions_inserted AFTER INSERT ON agency_decision REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION agency_decisions_inserted();
