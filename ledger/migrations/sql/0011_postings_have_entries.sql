-- Every posting has its entry in the journal, in the same statement; and one way in for both.

CREATE OR REPLACE FUNCTION ledger_posting_inserted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  earliest date;
  reversals boolean;
  ahead boolean;
  voided boolean;
  month record;
  wrong record;
BEGIN
  SELECT min(effective_on), bool_or(reversal_for_id IS NOT NULL OR replaces_id IS NOT NULL),
         bool_or(greatest(event_on, effective_on) > (statement_timestamp() AT TIME ZONE 'America/New_York')::date
                 OR created_at > statement_timestamp()),
         bool_or(status <> 'POSTED')
    INTO earliest, reversals, ahead, voided FROM new_rows;
  IF earliest IS NULL THEN
    RETURN NULL;
  END IF;
  IF ahead THEN
    RAISE EXCEPTION 'a posting can neither have happened nor be dated in the future' USING ERRCODE = 'BC002';
  END IF;
  IF voided THEN
    RAISE EXCEPTION 'a posting begins as POSTED; its reversal turns it VOIDED' USING ERRCODE = 'BC006';
  END IF;

  -- Its entry in the journal comes in the same statement; that the two agree is checked with the entry's lines, and
  -- with its header that their day is open. References are checked together: a constraint each would look every row
  -- up one by one.
  FOR month IN
    SELECT DISTINCT date_trunc('month', effective_on::timestamp)::date AS first_day,
           (date_trunc('month', effective_on::timestamp) + interval '1 month')::date AS next_month
      FROM new_rows
  LOOP
    SELECT n.reference_id, h.id IS NULL AS bare INTO wrong
      FROM new_rows n
      LEFT JOIN LATERAL (
        SELECT h.id FROM ledger_entry_header h
         WHERE h.posting_id = n.id AND h.je_date = n.effective_on AND h.batch_id = 0
           AND h.je_date >= month.first_day AND h.je_date < month.next_month
        OFFSET 0
      ) h ON true
      LEFT JOIN driver_account a ON a.id = n.account_id AND a.driver_id = n.driver_id AND a.lease_id = n.lease_id
      LEFT JOIN vehicle v ON v.id = n.vehicle_id
      LEFT JOIN medallion m ON m.id = n.medallion_id
      LEFT JOIN common_user u ON u.id = n.created_by_id
     WHERE n.effective_on >= month.first_day AND n.effective_on < month.next_month
       AND (a.id IS NULL OR v.id IS NULL OR m.id IS NULL OR u.id IS NULL OR h.id IS NULL)
     ORDER BY h.id NULLS LAST
     LIMIT 1;
    IF FOUND AND wrong.bare THEN
      RAISE EXCEPTION 'posting % comes without its journal entry', wrong.reference_id USING ERRCODE = 'BC008';
    ELSIF FOUND THEN
      RAISE EXCEPTION 'posting % names an account, driver, lease, vehicle, medallion or user that does not exist or fit', wrong.reference_id
        USING ERRCODE = 'BC002';
    END IF;
  END LOOP;

  IF reversals THEN
    SELECT n.reference_id INTO wrong
      FROM new_rows n LEFT JOIN ledger_posting o ON o.id = n.reversal_for_id
     WHERE n.reversal_for_id IS NOT NULL
       AND (o.id IS NULL OR o.reversal_for_id IS NOT NULL OR o.amount <> -n.amount
            OR o.account_id <> n.account_id OR o.category <> n.category
            OR o.reference_id <> n.reference_id)
     LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION 'the reversal of % is not the opposite of an original on the same account', wrong.reference_id
        USING ERRCODE = 'BC002';
    END IF;
    SELECT n.reference_id INTO wrong
      FROM new_rows n LEFT JOIN ledger_posting o ON o.id = n.replaces_id
     WHERE n.replaces_id IS NOT NULL
       AND (o.id IS NULL OR o.category <> n.category OR o.status <> 'VOIDED');
    IF FOUND THEN
      RAISE EXCEPTION '% replaces a posting that is not a voided one of its category', wrong.reference_id
        USING ERRCODE = 'BC002';
    END IF;
    IF EXISTS (
      SELECT FROM new_rows n JOIN dtr d ON d.payout_id = n.reversal_for_id
       WHERE n.category = 'PAYOUT' AND d.status = 'PAID'
    ) THEN
      RAISE EXCEPTION 'a payout that was paid cannot be voided' USING ERRCODE = 'BC004';
    END IF;
    UPDATE ledger_posting o SET status = 'VOIDED' FROM new_rows n WHERE o.id = n.reversal_for_id;
  END IF;

  INSERT INTO ledger_balance
    (posting_id, account_id, category, reference_id, original_amount, balance, effective_on, due_on, created_at)
  SELECT id, account_id, category, reference_id, amount, amount, effective_on, due_on, created_at
    FROM new_rows ORDER BY seq;

  UPDATE driver_account a SET balance = a.balance + moved.amount
    FROM (SELECT account_id, sum(amount) AS amount FROM new_rows GROUP BY account_id) moved
   WHERE a.id = moved.account_id;
  RETURN NULL;
END $$;

-- As before, with one look-up per item in place of two.
CREATE OR REPLACE FUNCTION ledger_allocation_inserted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  earliest date;
  latest date;
  undoing boolean;
  missed bigint;
  wrong date;
BEGIN
  SELECT min(effective_on), max(effective_on), bool_or(amount < 0) INTO earliest, latest, undoing FROM new_rows;
  IF earliest IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM ledger_check_open(earliest, 'an allocation');

  IF earliest < latest AND EXISTS (
    SELECT FROM (
      SELECT effective_on, lag(effective_on) OVER (PARTITION BY item ORDER BY id) AS before
        FROM (SELECT id, debit_id AS item, effective_on FROM new_rows
              UNION ALL SELECT id, credit_id, effective_on FROM new_rows) both_sides
    ) in_order WHERE effective_on < before
  ) THEN
    RAISE EXCEPTION 'allocations of one item are not in the order of their dates' USING ERRCODE = 'BC003';
  END IF;
  IF undoing AND EXISTS (
    SELECT FROM new_rows n LEFT JOIN ledger_allocation o
        ON o.id = n.undoes_id AND o.amount = -n.amount AND o.credit_id = n.credit_id AND o.debit_id = n.debit_id
     WHERE n.amount < 0 AND o.id IS NULL
  ) THEN
    RAISE EXCEPTION 'an undo must mirror the allocation it names' USING ERRCODE = 'BC002';
  END IF;

  -- Checked and moved in one: an item that is not there, not of this account, not of this side, or allocated on a
  -- later day already, is not met, and then the counts differ.
  WITH moved AS MATERIALIZED (
    SELECT item, account_id, is_debit, sum(amount) AS amount, min(effective_on) AS first_on,
           max(effective_on) AS last_on, array_agg(DISTINCT other) AS refs
      FROM (
        SELECT debit_id AS item, account_id, true AS is_debit, credit_id AS other, amount, effective_on FROM new_rows
        UNION ALL
        SELECT credit_id, account_id, false, debit_id, amount, effective_on FROM new_rows
      ) both_sides
     GROUP BY item, account_id, is_debit
  ),
  met AS (
    UPDATE ledger_balance b
       SET balance = b.balance - CASE WHEN moved.is_debit THEN moved.amount ELSE -moved.amount END,
           last_allocated_on = moved.last_on,
           applied_payment_refs = CASE
             WHEN undoing THEN ARRAY(
               -- Recounted, for an undo takes away only what no other allocation still holds.
               SELECT DISTINCT a.other FROM (
                 SELECT CASE WHEN l.debit_id = b.posting_id THEN l.credit_id ELSE l.debit_id END AS other, l.amount
                   FROM ledger_allocation l
                  WHERE l.account_id = b.account_id AND b.posting_id IN (l.debit_id, l.credit_id)
               ) a GROUP BY a.other HAVING sum(a.amount) > 0
             )
             WHEN b.applied_payment_refs && moved.refs THEN ARRAY(
               SELECT DISTINCT r FROM unnest(b.applied_payment_refs || moved.refs) r
             )
             ELSE b.applied_payment_refs || moved.refs
           END
      FROM moved
     WHERE b.posting_id = moved.item AND b.account_id = moved.account_id
       AND (b.original_amount > 0) = moved.is_debit
       AND moved.first_on >= b.effective_on AND moved.first_on >= coalesce(b.last_allocated_on, '-infinity')
    RETURNING 1
  )
  SELECT (SELECT count(*) FROM moved) - (SELECT count(*) FROM met) INTO missed;
  IF missed > 0 THEN
    -- Accounts and sides are as they were before, so they tell the two faults apart.
    SELECT n.effective_on INTO wrong
      FROM new_rows n
      LEFT JOIN ledger_balance c ON c.posting_id = n.credit_id
      LEFT JOIN ledger_balance d ON d.posting_id = n.debit_id
     WHERE (c.account_id = n.account_id AND c.original_amount < 0
            AND d.account_id = n.account_id AND d.original_amount > 0) IS NOT TRUE
     LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION 'an allocation needs a credit and a debit of its own account' USING ERRCODE = 'BC002';
    END IF;
    RAISE EXCEPTION 'an allocation dated % comes before its items or an earlier allocation of them', earliest
      USING ERRCODE = 'BC003';
  END IF;
  RETURN NULL;
END $$;

-- ---------------------------------------------------------------------------------------------------------
-- The one way postings come in, whatever they are for, and for one as for a hundred thousand: an array for every
-- column of the postings, and one for every column of their entries' lines (`line_posting` counts the postings
-- from 1; a positive `line_amount` is a debit; `line_counts` and `totals`, of debits, are the entries'). One statement, for each round trip costs more than its work.
CREATE FUNCTION ledger_post(
  recorded_on date, accounting_date date, in_run_week date, actor bigint, audit_action text, is_automatic boolean,
  policy bigint, valid_from date, valid_to date,
  account_ids bigint[], categories text[], amounts numeric[], reference_ids text[], products text[],
  parts jsonb[], descriptions text[], reversal_for_ids uuid[], replaces_ids uuid[], events_on date[], dues_on date[],
  reasons text[], vehicle_ids bigint[], medallion_ids bigint[], templates bigint[], line_counts int[],
  totals numeric[], line_posting int[], line_number int[], line_account int[], line_fund text[], line_amount numeric[]
) RETURNS TABLE (posting_id uuid, reference text)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  day date := ledger_posting_date(recorded_on, accounting_date);
BEGIN
  -- Lines made from templates that changed meanwhile, or that are not in force on the day this gets: nothing is
  -- posted, and the answer is that day in place of a posting.
  IF day < valid_from OR day > valid_to OR policy IS DISTINCT FROM (SELECT version FROM template_policy) THEN
    RETURN QUERY SELECT NULL::uuid, to_char(day, 'YYYY-MM-DD');
    RETURN;
  END IF;
  PERFORM ensure_journal_month(day);
  -- Planning the statement for a few rows costs more than running it; for many, a plan for their number pays.
  PERFORM set_config(
    'plan_cache_mode', CASE WHEN cardinality(account_ids) <= 50 THEN 'force_generic_plan' ELSE 'force_custom_plan' END,
    true
  );
  RETURN QUERY
  WITH input AS MATERIALIZED (
    SELECT r.position, uuid7() AS id, nextval('ledger_entry_id_seq') AS entry_id, r.account_id, r.category, r.amount,
           r.reference_id, coalesce(r.product, '') AS product, r.components, coalesce(r.description, '') AS description,
           r.reversal_for_id, r.replaces_id, r.event_on, r.due_on, coalesce(r.reason, '') AS reason, r.vehicle_id,
           r.medallion_id, r.template_id, r.line_count, r.total
      FROM unnest(
             account_ids, categories, amounts, reference_ids, products, parts, descriptions, reversal_for_ids,
             replaces_ids, events_on, dues_on, reasons, vehicle_ids, medallion_ids, templates, line_counts, totals
           ) WITH ORDINALITY
        AS r(account_id, category, amount, reference_id, product, components, description, reversal_for_id,
             replaces_id, event_on, due_on, reason, vehicle_id, medallion_id, template_id, line_count, total, position)
  ),
  -- Accounts are locked before the insert draws its sequence numbers, so that within an account they grow in the
  -- order postings become visible; a DTR counts on that. An unknown account leaves driver_id null and is refused.
  locked AS MATERIALIZED (
    SELECT a.id, a.driver_id, a.lease_id, l.vehicle_id, l.medallion_id
      FROM driver_account a JOIN lease l ON l.id = a.lease_id
     WHERE a.id IN (SELECT account_id FROM input)
     ORDER BY a.id
       FOR NO KEY UPDATE OF a
  ),
  posted AS (
    INSERT INTO ledger_posting
      (id, account_id, driver_id, lease_id, vehicle_id, medallion_id, category, amount, reference_id, product,
       components, description, reversal_for_id, replaces_id, effective_on, event_on, due_on, run_week, reason,
       created_by_id)
    SELECT i.id, i.account_id, a.driver_id, a.lease_id, coalesce(i.vehicle_id, a.vehicle_id),
           coalesce(i.medallion_id, a.medallion_id), i.category, i.amount, i.reference_id, i.product, i.components,
           i.description, i.reversal_for_id, i.replaces_id, day, i.event_on,
           CASE WHEN i.amount > 0 THEN coalesce(i.due_on, day + (6 - extract(dow FROM day)::int)) END,
           in_run_week, i.reason, actor
      FROM input i LEFT JOIN locked a ON a.id = i.account_id
     ORDER BY i.position
    RETURNING id, reference_id, amount
  ),
  entered AS (
    INSERT INTO ledger_entry_header
      (id, je_date, origin, template_id, posting_id, event_on, line_count, total, created_by_id)
    SELECT i.entry_id, day, 'POSTING', i.template_id, i.id, i.event_on, i.line_count, i.total, actor
      FROM input i
     ORDER BY i.position
  ),
  lined AS (
    INSERT INTO ledger_entry_line (entry_id, line_number, je_date, account_id, currency, side, fund, amount)
    SELECT i.entry_id, l.number, day, l.account_id, 'USD', CASE WHEN l.amount > 0 THEN 'DR' ELSE 'CR' END,
           coalesce(l.fund, 'OP'), abs(l.amount)
      FROM unnest(line_posting, line_number, line_account, line_fund, line_amount)
             AS l(posting, number, account_id, fund, amount)
      JOIN input i ON i.position = l.posting
     ORDER BY i.position, l.number
  ),
  audited AS (
    INSERT INTO audit_entry (actor_id, action, subject, automatic, after)
    SELECT actor, audit_action,
           CASE WHEN count(*) = 1 THEN 'posting:' || min(p.id::text) ELSE 'postings:' || count(*) END,
           is_automatic, jsonb_build_object('amount', sum(p.amount)::text, 'first_reference', min(p.reference_id))
      FROM posted p
    HAVING audit_action <> ''
  )
  SELECT p.id, p.reference_id::text FROM posted p;
  PERFORM set_config('plan_cache_mode', 'auto', true);
END $$;

-- The same for entries that are no driver posting's: one array for every column of the headers, one for every column
-- of their lines (`line_entry` counts the entries from 1). Guarded accounts are locked, in order, before the entries
-- draw their numbers, so that each account's entries become visible in the order of their numbers.
CREATE FUNCTION ledger_enter(
  entry_origin text, actor bigint, batch bigint,
  dates date[], events_on date[], templates bigint[], sources bigint[], refs text[], descriptions text[],
  metas jsonb[], reverses_ids bigint[], reverses_dates date[],
  line_entry int[], line_account int[], line_fund text[], line_currency text[], line_amount numeric[]
) RETURNS TABLE (entry_id bigint, entry_date date)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM ensure_journal_month(d.month)
     FROM (SELECT DISTINCT date_trunc('month', u::timestamp)::date AS month FROM unnest(dates) u) d;
  PERFORM ledger_lock_guarded(line_account);
  PERFORM set_config(
    'plan_cache_mode', CASE WHEN cardinality(dates) <= 50 THEN 'force_generic_plan' ELSE 'force_custom_plan' END, true
  );
  RETURN QUERY
  WITH input AS MATERIALIZED (
    SELECT r.*, nextval('ledger_entry_id_seq') AS id
      FROM unnest(
             dates, events_on, templates, sources, refs, descriptions, metas, reverses_ids, reverses_dates
           ) WITH ORDINALITY
        AS r(je_date, event_on, template_id, source_id, reference, description, metadata, reverses_id, reverses_date,
             position)
  ),
  line AS MATERIALIZED (
    SELECT l.entry, l.account_id, coalesce(l.fund, 'OP') AS fund, coalesce(l.currency, 'USD') AS currency, l.amount,
           row_number() OVER (PARTITION BY l.entry ORDER BY l.position) AS line_number
      FROM unnest(line_entry, line_account, line_fund, line_currency, line_amount) WITH ORDINALITY
        AS l(entry, account_id, fund, currency, amount, position)
  ),
  entered AS (
    INSERT INTO ledger_entry_header
      (id, je_date, batch_id, origin, template_id, source_id, reverses_id, reverses_date, event_on, line_count, total,
       reference, description, metadata, created_by_id)
    SELECT i.id, i.je_date, batch, entry_origin, i.template_id, i.source_id, i.reverses_id, i.reverses_date,
           coalesce(i.event_on, i.je_date), coalesce(l.lines, 0), coalesce(l.total, 0), coalesce(i.reference, ''),
           coalesce(i.description, ''), i.metadata, actor
      FROM input i
      LEFT JOIN (
        SELECT entry, count(*) AS lines, sum(amount) FILTER (WHERE amount > 0) AS total FROM line GROUP BY entry
      ) l ON l.entry = i.position
     ORDER BY i.position
    RETURNING id, je_date
  ),
  lined AS (
    INSERT INTO ledger_entry_line (entry_id, line_number, je_date, batch_id, account_id, currency, side, fund, amount)
    SELECT i.id, l.line_number, i.je_date, batch, l.account_id, l.currency,
           CASE WHEN l.amount > 0 THEN 'DR' ELSE 'CR' END, l.fund, abs(l.amount)
      FROM line l JOIN input i ON i.position = l.entry
     ORDER BY i.position, l.line_number
  )
  SELECT e.id, e.je_date FROM entered e;
  PERFORM set_config('plan_cache_mode', 'auto', true);
END $$;
