"""The proofs of paying drivers: each payment of a DTR is what its entry books, and each try is what its payments say.

1010 has other movements too; of those that DTRs made, every one is compared with its transfer or check, to the cent.
"""

from .check import Check, money

PAYMENTS_BOOKED = f"""
WITH booked AS (
  SELECT p.id, p.dtr_id, CASE p.kind WHEN 'PAID' THEN p.amount ELSE -p.amount END AS amount, p.item_id, p.entry_id,
         sum(CASE WHEN a.code <> '2500' THEN 0 WHEN l.side = 'DR' THEN l.amount ELSE -l.amount END) AS owed,
         sum(CASE WHEN a.code <> '1010' THEN 0 WHEN l.side = 'CR' THEN l.amount ELSE -l.amount END) AS bank
    FROM dtr_payment p
    LEFT JOIN ledger_entry_line l ON l.entry_id = p.entry_id AND l.je_date = p.entry_date AND l.batch_id = 0
    LEFT JOIN chart_of_accounts a ON a.id = l.account_id
   WHERE p.entry_id IS NOT NULL
   GROUP BY p.id
),
entered AS (
  SELECT reference, count(*) AS entries, min(je_number) AS je_number
    FROM ledger_entry_header WHERE origin = 'DTR' AND batch_id = 0 GROUP BY 1
),
paid AS (
  SELECT d.number, count(*) AS payments FROM dtr_payment p JOIN dtr d ON d.id = p.dtr_id GROUP BY 1
)
SELECT wrong FROM (
  SELECT 1 AS rank, b.dtr_id AS id,
         format('%s: a payment of %s has %s on 2500 in entry %s', d.number, {money("b.amount")},
                {money("coalesce(b.owed, 0)")}, b.entry_id) AS wrong
    FROM booked b JOIN dtr d ON d.id = b.dtr_id WHERE b.owed IS DISTINCT FROM b.amount
  UNION ALL
  SELECT 2, b.dtr_id,
         format('%s: its transfer or check of %s has %s on 1010 in entry %s', d.number, {money("b.amount")},
                {money("coalesce(b.bank, 0)")}, b.entry_id)
    FROM booked b JOIN dtr d ON d.id = b.dtr_id WHERE b.item_id IS NOT NULL AND b.bank IS DISTINCT FROM b.amount
  UNION ALL
  SELECT 3, 0, format('%s: %s payments, and %s entries of them (%s)', coalesce(p.number, e.reference),
                      coalesce(p.payments, 0), coalesce(e.entries, 0), coalesce(e.je_number, 'none'))
    FROM paid p FULL JOIN entered e ON e.reference = p.number
   WHERE p.payments IS DISTINCT FROM e.entries
) found
 ORDER BY rank, id LIMIT 1
"""

ITEMS_PAID = f"""
WITH moved AS (
  SELECT p.item_id, count(*) FILTER (WHERE p.kind = 'PAID') AS paid,
         count(*) FILTER (WHERE p.kind = 'RETURNED') AS returned,
         bool_or(p.amount <> i.amount OR p.dtr_id <> i.dtr_id) AS differs
    FROM dtr_payment p JOIN payout_item i ON i.id = p.item_id GROUP BY 1
)
SELECT wrong FROM (
  SELECT 1 AS rank, i.id,
         format('%s: a payment by %s of %s is %s, and its payments say otherwise', d.number, lower(i.method),
                {money("i.amount")}, lower(i.state)) AS wrong
    FROM payout_item i
    JOIN dtr d ON d.id = i.dtr_id
    LEFT JOIN moved m ON m.item_id = i.id
    LEFT JOIN payout_check c ON c.item_id = i.id
   WHERE (coalesce(m.paid, 0), coalesce(m.returned, 0)) <> CASE i.state
           WHEN 'PAID' THEN (1::bigint, 0::bigint) WHEN 'RETURNED' THEN (1::bigint, 1::bigint)
           ELSE (0::bigint, 0::bigint) END
      OR m.differs OR i.amount <> d.net_pay
      OR (i.method = 'CHECK' AND (c.id IS NULL OR c.amount <> i.amount
                                  OR (c.state = 'VOIDED') <> (i.state = 'RETURNED')))
  UNION ALL
  SELECT 2, b.id, format('batch %s: %s payments of %s were approved; it has %s of %s', b.number, b.payments,
                         {money("b.total")}, count(i.id), {money("coalesce(sum(i.amount), 0)")})
    FROM payout_batch b LEFT JOIN payout_item i ON i.batch_id = b.id AND i.state <> 'WITHDRAWN'
   WHERE b.state IN ('APPROVED', 'FILED', 'SENT', 'SETTLED')
   GROUP BY b.id HAVING (b.payments, b.total) IS DISTINCT FROM (count(i.id)::int, coalesce(sum(i.amount), 0))
  UNION ALL
  SELECT 3, b.id, format('checks from %s to %s: %s of them are there', b.first_number, b.last_number, count(c.id))
    FROM payout_checkbook b
    LEFT JOIN payout_check c ON c.checkbook_id = b.id AND c.number BETWEEN b.first_number AND b.last_number
   GROUP BY b.id HAVING count(c.id) <> b.last_number - b.first_number + 1
) found
 ORDER BY rank, id LIMIT 1
"""

PAYOUT_CHECKS: tuple[Check, ...] = (
    Check("DTR payments agree with their entries", "dtr_payment", "payments", PAYMENTS_BOOKED),
    Check("transfers and checks are what was paid", "payout_item", "transfers and checks", ITEMS_PAID),
)
