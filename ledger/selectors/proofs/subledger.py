"""The proofs of the sub-ledger: postings, open items, accounts, trips, DTRs and weeks, without the journal.

Each is a query for the first thing that breaks it; it recomputes a projection from postings and allocations.
"""

from .check import Check

THREE_SUMS = """
SELECT format('account %s (%s, lease %s): postings %s, open items %s, running balance %s',
              a.id, d.name, l.number, coalesce(p.total, 0), coalesce(b.total, 0), a.balance)
  FROM driver_account a
  JOIN driver d ON d.id = a.driver_id
  JOIN lease l ON l.id = a.lease_id
  LEFT JOIN (SELECT account_id, sum(amount) AS total FROM ledger_posting GROUP BY 1) p ON p.account_id = a.id
  LEFT JOIN (SELECT account_id, sum(balance) AS total FROM ledger_balance GROUP BY 1) b ON b.account_id = a.id
 WHERE coalesce(p.total, 0) <> a.balance OR coalesce(b.total, 0) <> a.balance
 ORDER BY a.id LIMIT 1
"""

OPEN_ITEMS_REBUILT = """
WITH moved AS (
  SELECT item, sum(amount) AS amount, max(effective_on) AS last_on
    FROM (SELECT debit_id AS item, amount, effective_on FROM ledger_allocation
          UNION ALL SELECT credit_id, -amount, effective_on FROM ledger_allocation) sides
   GROUP BY item
)
SELECT format('%s %s of account %s: open %s, from its allocations %s', coalesce(p.category, b.category),
              coalesce(p.reference_id, b.reference_id), coalesce(p.account_id, b.account_id), b.balance,
              p.amount - coalesce(m.amount, 0))
  FROM ledger_posting p
  FULL JOIN ledger_balance b ON b.posting_id = p.id
  LEFT JOIN moved m ON m.item = p.id
 WHERE p.id IS NULL OR b.posting_id IS NULL
    OR b.balance <> p.amount - coalesce(m.amount, 0)
    OR (b.account_id, b.category, b.reference_id, b.original_amount, b.effective_on)
       IS DISTINCT FROM (p.account_id, p.category, p.reference_id, p.amount, p.effective_on)
    OR b.last_allocated_on IS DISTINCT FROM m.last_on
 ORDER BY p.seq LIMIT 1
"""

NO_ITEM_CROSSES_ZERO = """
SELECT format('%s %s of account %s: %s open of %s', category, reference_id, account_id, balance, original_amount)
  FROM ledger_balance
 WHERE balance * sign(original_amount) < 0 OR abs(balance) > abs(original_amount)
 ORDER BY posting_id LIMIT 1
"""

PAYMENT_REFERENCES = """
WITH in_force AS (
  SELECT item, array_agg(other ORDER BY other) AS refs
    FROM (SELECT item, other FROM (
            SELECT debit_id AS item, credit_id AS other, amount FROM ledger_allocation
            UNION ALL SELECT credit_id, debit_id, amount FROM ledger_allocation) sides
          GROUP BY item, other HAVING sum(amount) > 0) net
   GROUP BY item
)
SELECT format('%s %s of account %s: lists %s, in force are %s', b.category, b.reference_id, b.account_id,
              b.applied_payment_refs, coalesce(f.refs, '{}'))
  FROM ledger_balance b LEFT JOIN in_force f ON f.item = b.posting_id
 WHERE ARRAY(SELECT unnest(b.applied_payment_refs) ORDER BY 1) <> coalesce(f.refs, '{}')
 ORDER BY b.posting_id LIMIT 1
"""

REVERSALS = """
SELECT format('%s %s of account %s: %s with %s reversals adding up to %s, and %s open', o.category, o.reference_id,
              o.account_id, o.status, count(r.id), coalesce(sum(r.amount), 0),
              min(b.balance) + coalesce(sum(rb.balance), 0))
  FROM ledger_posting o
  JOIN ledger_balance b ON b.posting_id = o.id
  LEFT JOIN ledger_posting r ON r.reversal_for_id = o.id
  LEFT JOIN ledger_balance rb ON rb.posting_id = r.id
 WHERE o.status = 'VOIDED' OR r.id IS NOT NULL
 GROUP BY o.id, o.category, o.reference_id, o.account_id, o.status, o.amount
HAVING o.status <> 'VOIDED' OR count(r.id) <> 1 OR sum(r.amount) <> -o.amount
    OR min(b.balance) <> 0 OR sum(rb.balance) <> 0
 ORDER BY o.id LIMIT 1
"""

ALLOCATIONS = """
SELECT format('allocation %s of account %s: %s', x.id, x.account_id, x.wrong)
  FROM (
    SELECT a.id, a.account_id,
           CASE
             WHEN c.id IS NULL OR d.id IS NULL THEN 'an item is missing'
             WHEN c.account_id <> a.account_id OR d.account_id <> a.account_id THEN 'its items are of other accounts'
             WHEN c.amount > 0 OR d.amount < 0 THEN 'it is not a credit for a debit'
             WHEN a.effective_on < c.effective_on OR a.effective_on < d.effective_on THEN 'it is dated before an item'
             WHEN a.effective_on < lag(a.effective_on) OVER (PARTITION BY a.debit_id ORDER BY a.id)
               OR a.effective_on < lag(a.effective_on) OVER (PARTITION BY a.credit_id ORDER BY a.id)
               THEN 'it is dated before an earlier one'
             WHEN a.undoes_id IS NOT NULL AND (u.amount, u.credit_id, u.debit_id)
                  IS DISTINCT FROM (-a.amount, a.credit_id, a.debit_id) THEN 'it does not mirror what it undoes'
           END AS wrong
      FROM ledger_allocation a
      LEFT JOIN ledger_posting c ON c.id = a.credit_id
      LEFT JOIN ledger_posting d ON d.id = a.debit_id
      LEFT JOIN ledger_allocation u ON u.id = a.undoes_id
  ) x
 WHERE x.wrong IS NOT NULL
 ORDER BY x.id LIMIT 1
"""

REFERENCES_ONCE = """
SELECT format('%s %s was posted %s times', category, reference_id, count(*))
  FROM ledger_posting WHERE reversal_for_id IS NULL
 GROUP BY category, reference_id HAVING count(*) > 1 ORDER BY 1 LIMIT 1
"""

TRIPS_COUNTED = """
WITH counted AS (
  SELECT account_id, week, batch_id,
         coalesce(sum(gross_amount) FILTER (WHERE product_code IN ('C', 'P')), 0) AS earnings,
         coalesce(sum(mta_tax + improvement_surcharge + congestion_fee + airport_fee + cbd_toll)
                  FILTER (WHERE product_code IN ('C', 'P', '$')), 0) AS taxes,
         count(*) AS trips
    FROM txn_source_parent WHERE txn_type = 'TRIP' GROUP BY 1, 2, 3
)
SELECT format('account %s, week %s, batch %s: trips give %s earned and %s taxes, counted were %s and %s',
              coalesce(c.account_id, t.account_id), coalesce(c.week, t.week), coalesce(c.batch_id, t.batch_id),
              c.earnings, c.taxes, t.earnings,
              t.mta_tax + t.improvement_surcharge + t.congestion_fee + t.airport_fee + t.cbd_toll)
  FROM counted c
  FULL JOIN trip_total t ON t.account_id = c.account_id AND t.week = c.week AND t.batch_id = c.batch_id
 WHERE c.earnings IS DISTINCT FROM t.earnings
    OR c.taxes IS DISTINCT FROM
       t.mta_tax + t.improvement_surcharge + t.congestion_fee + t.airport_fee + t.cbd_toll
    OR c.trips IS DISTINCT FROM (t.card_trips + t.cash_trips + t.other_trips)::bigint
 ORDER BY 1 LIMIT 1
"""

TRIPS_LOADED_ONCE = """
SELECT format('%s %s: loaded %s times', t.source, t.source_rowid, count(*))
  FROM txn_source_parent t
 GROUP BY t.source, t.source_rowid HAVING count(*) > 1
UNION ALL
SELECT format('%s %s: loaded, but not remembered as seen', t.source, t.source_rowid)
  FROM txn_source_parent t
  LEFT JOIN source_row_seen s ON s.source = t.source AND s.source_rowid = t.source_rowid AND s.transaction_id = t.id
 WHERE s.id IS NULL
 LIMIT 1
"""

SETTLED = """
WITH trips AS (
  SELECT account_id, settled_week AS week, sum(earnings) AS earnings,
         sum(mta_tax + improvement_surcharge + congestion_fee + airport_fee + cbd_toll) AS taxes
    FROM trip_total WHERE settled_week IS NOT NULL GROUP BY 1, 2
),
posted AS (
  SELECT account_id, run_week AS week, coalesce(-sum(amount) FILTER (WHERE category = 'EARNINGS'), 0) AS earnings,
         coalesce(sum(amount) FILTER (WHERE category = 'TAXES'), 0) AS taxes
    FROM ledger_posting
   WHERE run_week IS NOT NULL AND category IN ('EARNINGS', 'TAXES') AND status = 'POSTED' AND reversal_for_id IS NULL
   GROUP BY 1, 2
)
SELECT format('account %s, week %s: trips earned %s with taxes %s, posted are %s and %s',
              coalesce(t.account_id, p.account_id), coalesce(t.week, p.week), t.earnings, t.taxes, p.earnings, p.taxes)
  FROM trips t FULL JOIN posted p ON p.account_id = t.account_id AND p.week = t.week
 WHERE coalesce(t.earnings, 0) <> coalesce(p.earnings, 0) OR coalesce(t.taxes, 0) <> coalesce(p.taxes, 0)
 ORDER BY 1 LIMIT 1
"""

STATEMENTS_ADD_UP = """
WITH line AS (
  SELECT d.account_id, d.week, d.number, c->>'category' AS category, (c->>'prior')::numeric AS prior,
         (c->>'charges')::numeric - (c->>'voids')::numeric - (c->>'earnings')::numeric
           - (c->>'desk')::numeric - (c->>'other')::numeric AS movement,
         (c->>'still_open')::numeric AS still_open
    FROM dtr d CROSS JOIN LATERAL jsonb_array_elements(d.figures->'categories') c
),
previous AS (
  SELECT d.account_id, d.week, d.number, d.open_debits,
         lag(d.still_open) OVER (PARTITION BY d.account_id ORDER BY d.week) AS still_open
    FROM dtr d
)
SELECT wrong FROM (
  SELECT format('%s %s: %s and %s give %s, not %s', number, category, prior, movement, prior + movement,
                still_open) AS wrong
    FROM line WHERE prior + movement <> still_open
  UNION ALL
  SELECT format('%s %s: starts from %s, the report before left %s', l.number, l.category, l.prior,
                coalesce(p.still_open->>l.category, '0.00'))
    FROM line l JOIN previous p ON p.account_id = l.account_id AND p.week = l.week
   WHERE l.prior <> coalesce(p.still_open->>l.category, '0')::numeric
  UNION ALL
  SELECT format('%s: owes %s, its lines leave %s', p.number, p.open_debits, coalesce(sum(l.still_open), 0))
    FROM previous p LEFT JOIN line l ON l.account_id = p.account_id AND l.week = p.week
   GROUP BY p.number, p.open_debits HAVING p.open_debits <> coalesce(sum(l.still_open), 0)
) all_wrong ORDER BY 1 LIMIT 1
"""

STATEMENTS_MEET_LEDGER = """
WITH last AS (
  SELECT DISTINCT ON (account_id) account_id, number, open_debits, through_posting_seq, through_allocation_id
    FROM dtr ORDER BY account_id, week DESC
),
since AS (
  SELECT account_id, sum(amount) AS amount FROM (
    SELECT p.account_id, p.amount FROM last l JOIN ledger_posting p
      ON p.account_id = l.account_id AND p.seq > l.through_posting_seq
     WHERE p.amount > 0 AND p.reversal_for_id IS NULL
    UNION ALL
    SELECT a.account_id, -a.amount FROM last l
      JOIN ledger_allocation a ON a.account_id = l.account_id AND a.id > l.through_allocation_id
      JOIN ledger_posting d ON d.id = a.debit_id AND d.reversal_for_id IS NULL
  ) moves GROUP BY account_id
),
now_open AS (
  SELECT account_id, sum(balance) AS amount FROM ledger_balance WHERE status = 'OPEN' AND balance > 0 GROUP BY 1
)
SELECT format('account %s: %s left %s, %s moved since, %s is open', l.account_id, l.number, l.open_debits,
              coalesce(s.amount, 0), coalesce(n.amount, 0))
  FROM last l LEFT JOIN since s USING (account_id) LEFT JOIN now_open n USING (account_id)
 WHERE l.open_debits + coalesce(s.amount, 0) <> coalesce(n.amount, 0)
 ORDER BY l.account_id LIMIT 1
"""

PAYOUTS = """
SELECT format('%s %s of account %s: %s', p.category, p.reference_id, p.account_id,
              CASE WHEN d.id IS NULL THEN 'on no DTR' ELSE d.number || ' says ' || d.net_pay END)
  FROM ledger_posting p LEFT JOIN dtr d ON d.payout_id = p.id AND d.account_id = p.account_id
 WHERE p.category = 'PAYOUT' AND p.reversal_for_id IS NULL AND p.amount IS DISTINCT FROM d.net_pay
UNION ALL
SELECT format('%s: %s, and its payments say otherwise', d.number, d.status)
  FROM dtr d LEFT JOIN LATERAL (
    SELECT kind FROM dtr_payment WHERE dtr_id = d.id ORDER BY id DESC LIMIT 1
  ) last ON true
 WHERE (d.status = 'PAID') <> (last.kind IS NOT DISTINCT FROM 'PAID')
 LIMIT 1
"""

WEEKS = """
SELECT wrong FROM (
  SELECT format('the week of %s was closed without the one before', week) AS wrong
    FROM weekly_run w
   WHERE status = 'CLOSED' AND week > (SELECT min(week) FROM weekly_run WHERE status = 'CLOSED')
     AND NOT EXISTS (SELECT FROM weekly_run b WHERE b.week = w.week - 7 AND b.status = 'CLOSED')
  UNION ALL
  SELECT format('%s %s is dated %s, in a week closed before it was posted', p.category, p.reference_id,
                p.effective_on)
    FROM ledger_posting p
    JOIN weekly_run w ON w.status = 'CLOSED' AND p.effective_on BETWEEN w.week AND w.week + 6
   WHERE p.created_at > w.closed_at
) all_wrong LIMIT 1
"""

SUBLEDGER_CHECKS: tuple[Check, ...] = (
    Check("postings = open items = running balance", "driver_account", "accounts", THREE_SUMS),
    Check("open items rebuilt from allocations", "ledger_posting", "postings", OPEN_ITEMS_REBUILT),
    Check("no item crosses zero", "ledger_balance", "open items", NO_ITEM_CROSSES_ZERO),
    Check("payment references are those in force", "ledger_balance", "open items", PAYMENT_REFERENCES),
    Check("voided means reversed once", "ledger_posting", "postings", REVERSALS),
    Check("allocations fit their items", "ledger_allocation", "allocations", ALLOCATIONS),
    Check("references are used once", "ledger_posting", "postings", REFERENCES_ONCE),
    Check("trips are counted as they came", "trip_total", "trip totals", TRIPS_COUNTED),
    Check("trips are loaded once", "txn_source_parent", "trips", TRIPS_LOADED_ONCE),
    Check("settled trips = taxes and earnings posted", "trip_total", "trip totals", SETTLED),
    Check("statements add up and follow each other", "dtr", "DTRs", STATEMENTS_ADD_UP),
    Check("statements lead to today's open items", "dtr", "DTRs", STATEMENTS_MEET_LEDGER),
    Check("payouts are those of the DTRs", "dtr", "DTRs", PAYOUTS),
    Check("weeks are closed in order and stay closed", "weekly_run", "weeks", WEEKS),
)
