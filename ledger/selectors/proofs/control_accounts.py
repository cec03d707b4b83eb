"""The proofs of the control accounts: each stands at what the sub-ledger behind it says, to the cent.

Each breaks the account down to what its lines are of (driver accounts, weeks, postings, DTRs), so that it can name
the first that is off. Set-based: a control account's lines are read once.
"""

from .check import Check, money


def _lines_of(code: str, normal: str) -> str:
    """The lines on one account, positive on its `normal` side, with what their entries are of."""
    return f"""
SELECT h.id, h.je_number, h.origin, h.posting_id, h.source_id, h.reverses_id, h.reverses_date, h.reference,
       CASE l.side WHEN '{normal}' THEN l.amount ELSE -l.amount END AS amount
  FROM ledger_entry_line l
  JOIN chart_of_accounts a ON a.id = l.account_id AND a.code = '{code}'
  LEFT JOIN ledger_entry_header h ON h.id = l.entry_id AND h.je_date = l.je_date AND h.batch_id = l.batch_id
"""


DRIVERS_RECEIVABLE = f"""
WITH line AS ({_lines_of("1200", "DR")}),
journal AS (
  SELECT p.account_id, sum(l.amount) AS amount, min(l.je_number) AS je_number
    FROM line l LEFT JOIN ledger_posting p ON p.id = l.posting_id GROUP BY 1
),
whole AS (
  SELECT coalesce((SELECT sum(amount) FROM line), 0) AS amount,
         coalesce((SELECT sum(balance) FROM driver_account), 0) AS due
)
SELECT format('1200 stands at %s, the driver accounts at %s; the first that differs is ', {money("w.amount")}, w.due)
       || CASE
            WHEN a.id IS NULL THEN
              format('%s on 1200 by no posting of an account that is there, from %s on', {money("j.amount")},
                     j.je_number)
            ELSE format('account %s (%s, lease %s): 1200 has %s, its running balance is %s', a.id, d.name, l.number,
                        {money("coalesce(j.amount, 0)")}, a.balance)
          END
  FROM driver_account a
  FULL JOIN journal j ON j.account_id = a.id
  LEFT JOIN driver d ON d.id = a.driver_id
  LEFT JOIN lease l ON l.id = a.lease_id
 CROSS JOIN whole w
 WHERE a.id IS NULL OR coalesce(j.amount, 0) <> a.balance
 ORDER BY a.id LIMIT 1
"""

# Trips bring it in by their week, and the EARNINGS of a run take out what that run settled.
EARNINGS_CLEARING = f"""
WITH line AS ({_lines_of("2300", "CR")}),
driven AS (
  SELECT t.account_id, t.week, sum(l.amount) AS amount
    FROM line l
    LEFT JOIN ledger_entry_header o ON o.id = l.reverses_id AND o.je_date = l.reverses_date
    LEFT JOIN txn_source_parent t ON t.id = coalesce(l.source_id, o.source_id)
   WHERE l.posting_id IS NULL
   GROUP BY 1, 2
),
counted AS (SELECT account_id, week, sum(journalised) AS amount FROM trip_total GROUP BY 1, 2),
taken AS (
  SELECT p.account_id, coalesce(o.run_week, p.run_week) AS week, -sum(l.amount) AS amount
    FROM line l
    JOIN ledger_posting p ON p.id = l.posting_id
    LEFT JOIN ledger_posting o ON o.id = p.reversal_for_id
   GROUP BY 1, 2
),
settled AS (
  SELECT account_id, settled_week AS week, sum(journalised) AS amount
    FROM trip_total WHERE settled_week IS NOT NULL GROUP BY 1, 2
),
whole AS (
  SELECT coalesce((SELECT sum(amount) FROM line), 0) AS amount,
         coalesce((SELECT sum(journalised) FROM trip_total WHERE settled_week IS NULL), 0) AS due
),
wrong AS (
  SELECT 1 AS rank, coalesce(d.account_id, c.account_id) AS account_id, coalesce(d.week, c.week) AS week,
         format('%s of its trips is journalised, and they put %s on 2300', coalesce(c.amount, 0),
                {money("coalesce(d.amount, 0)")}) AS what
    FROM driven d FULL JOIN counted c ON c.account_id = d.account_id AND c.week = d.week
   WHERE coalesce(d.amount, 0) <> coalesce(c.amount, 0) OR (d.amount IS NOT NULL AND d.account_id IS NULL)
  UNION ALL
  SELECT 2, coalesce(t.account_id, s.account_id), coalesce(t.week, s.week),
         format('its run settled trips of %s, and EARNINGS took %s off 2300', coalesce(s.amount, 0),
                {money("coalesce(t.amount, 0)")})
    FROM taken t FULL JOIN settled s ON s.account_id = t.account_id AND s.week = t.week
   WHERE coalesce(t.amount, 0) <> coalesce(s.amount, 0)
)
SELECT format('2300 stands at %s, trips not settled yet at %s; the first that differs is account %s, week %s: %s',
              {money("w.amount")}, w.due, coalesce(x.account_id::text, 'unknown'), coalesce(x.week::text, 'unknown'),
              x.what)
  FROM wrong x CROSS JOIN whole w
 ORDER BY x.rank, x.account_id, x.week LIMIT 1
"""

LAST_PAYMENT = """
SELECT ', last ' || lower(m.kind) || ' ' || m."on" || coalesce(' by batch ' || b.number, '')
       || coalesce(' by check ' || c.number, '')
  FROM dtr_payment m
  LEFT JOIN payout_item i ON i.id = m.item_id
  LEFT JOIN payout_batch b ON b.id = i.batch_id
  LEFT JOIN payout_check c ON c.item_id = i.id
 WHERE m.dtr_id = o.id ORDER BY m.id DESC LIMIT 1
"""

NET_PAY_OWED = f"""
WITH line AS ({_lines_of("2500", "CR")}),
journal AS (
  SELECT coalesce(by_payout.id, by_number.id) AS dtr_id, sum(l.amount) AS amount, min(l.je_number) AS je_number
    FROM line l
    LEFT JOIN ledger_posting p ON p.id = l.posting_id
    LEFT JOIN dtr by_payout ON by_payout.payout_id = coalesce(p.reversal_for_id, p.id)
    LEFT JOIN dtr by_number ON by_number.number = l.reference AND l.posting_id IS NULL
   GROUP BY 1
),
owed AS (
  SELECT d.id, d.number, d.status, coalesce(p.status, '') AS payout_status,
         CASE WHEN d.status <> 'PAID' AND p.status = 'POSTED' THEN d.net_pay ELSE 0 END AS amount
    FROM dtr d LEFT JOIN ledger_posting p ON p.id = d.payout_id
),
whole AS (
  SELECT coalesce((SELECT sum(amount) FROM line), 0) AS amount, coalesce((SELECT sum(amount) FROM owed), 0) AS due
)
SELECT format('2500 stands at %s, the net pay of unpaid DTRs at %s; the first that differs is ',
              {money("w.amount")}, {money("w.due")})
       || CASE
            WHEN o.id IS NULL THEN
              format('%s on 2500 of no DTR, from %s on', {money("j.amount")}, j.je_number)
            ELSE format('%s (%s%s%s): 2500 has %s, owed is %s', o.number, lower(o.status),
                        CASE o.payout_status WHEN 'VOIDED' THEN ', its payout voided' ELSE '' END,
                        ({LAST_PAYMENT}),
                        {money("coalesce(j.amount, 0)")}, {money("o.amount")})
          END
  FROM owed o
  FULL JOIN journal j ON j.dtr_id = o.id
 CROSS JOIN whole w
 WHERE o.id IS NULL OR coalesce(j.amount, 0) <> o.amount
 ORDER BY o.id LIMIT 1
"""


def _by_posting(code: str, normal: str, categories: str, due: str, origin: str, what: str) -> str:
    """One account whose lines come from postings of some categories (`due`: what each puts there) and one origin."""
    return f"""
WITH line AS ({_lines_of(code, normal)}),
journal AS (
  SELECT posting_id, sum(amount) AS amount, min(je_number) AS je_number FROM line
   WHERE posting_id IS NOT NULL GROUP BY 1
),
posted AS (
  SELECT p.id, p.seq, p.category, p.reference_id, p.account_id,
         CASE WHEN p.category IN ({categories}) THEN {due} ELSE 0 END AS amount
    FROM ledger_posting p
),
whole AS (
  SELECT coalesce((SELECT sum(amount) FROM line), 0) AS amount,
         coalesce((SELECT sum(amount) FROM posted), 0)
           + coalesce((SELECT sum(amount) FROM line WHERE origin = '{origin}'), 0) AS due
),
wrong AS (
  SELECT 1 AS rank, p.seq, CASE
           WHEN p.id IS NULL THEN format('%s of %s on it, by a posting that is not there', j.je_number,
                                         {money("j.amount")})
           ELSE format('%s %s of account %s: it has %s, and should have %s', p.category, p.reference_id, p.account_id,
                       {money("coalesce(j.amount, 0)")}, {money("p.amount")})
         END AS what
    FROM posted p FULL JOIN journal j ON j.posting_id = p.id
   WHERE p.id IS NULL OR coalesce(j.amount, 0) <> p.amount
  UNION ALL
  SELECT 2, l.id, format('%s of %s on it, of origin %s', l.je_number, {money("l.amount")}, l.origin)
    FROM line l WHERE l.posting_id IS NULL AND l.origin IS DISTINCT FROM '{origin}'
)
SELECT format('{code} stands at %s, {what} at %s; the first that differs is %s', {money("w.amount")},
              {money("w.due")}, x.what)
  FROM wrong x CROSS JOIN whole w
 ORDER BY x.rank, x.seq LIMIT 1
"""


LOANS_RECEIVABLE = _by_posting(
    "1300",
    "DR",
    "'LOAN'",
    # An installment that was open at cut-over had left 1300 in the books before.
    "CASE WHEN p.product = 'OPENING' THEN 0 ELSE -coalesce((p.components ->> 'principal')::numeric,"
    " p.amount - coalesce((p.components ->> 'interest')::numeric, 0)) END",
    "LOAN",
    "loan principal not yet posted",
)
# The desk's movements, each with the entry it stands for: of a posting, or those that share its reference. 1020 takes
# manual journals as well; those are finance's, and no drawer's.
CASHIER_DRAWERS = f"""
WITH line AS ({_lines_of("1020", "DR")}),
journal AS (
  SELECT coalesce(posting_id::text, reference) AS key, sum(amount) AS amount, min(je_number) AS je_number
    FROM line WHERE origin IN ('POSTING', 'DTR', 'HOUSE') GROUP BY 1
),
moved AS (
  SELECT coalesce(posting_id::text, reference) AS key, sum(amount) AS amount, min(drawer_id) AS drawer_id,
         min(reference) AS reference
    FROM drawer_movement GROUP BY 1
),
held AS (
  SELECT d.cashier_id, coalesce(c.kept, 0) + coalesce((
           SELECT sum(m.amount) FROM drawer_movement m
            WHERE m.drawer_id = d.cashier_id AND m.day > coalesce(c.day, '-infinity')), 0) AS amount
    FROM drawer d
    LEFT JOIN LATERAL (
      SELECT day, kept FROM drawer_close WHERE drawer_id = d.cashier_id ORDER BY day DESC LIMIT 1
    ) c ON true
),
whole AS (
  SELECT coalesce((SELECT sum(amount) FROM journal), 0) AS amount, coalesce((SELECT sum(amount) FROM held), 0) AS due
),
wrong AS (
  SELECT 1 AS rank, format('drawer of user %s, %s: 1020 has %s, the drawer %s', coalesce(m.drawer_id::text, 'nobody'),
                           coalesce(m.reference, j.je_number), {money("coalesce(j.amount, 0)")},
                           coalesce(m.amount, 0)) AS what
    FROM journal j FULL JOIN moved m ON m.key = j.key
   WHERE coalesce(j.amount, 0) <> coalesce(m.amount, 0)
  UNION ALL
  SELECT 2, 'the closes do not lead to what the drawers hold' FROM whole WHERE amount <> due
)
SELECT format('1020 stands at %s, the drawers at %s; the first that differs is ', {money("w.amount")}, w.due) || x.what
  FROM wrong x CROSS JOIN whole w
 ORDER BY x.rank, x.what LIMIT 1
"""

DEPOSITS_HELD = _by_posting(
    "2100",
    "CR",
    "'DEPOSIT', 'DEPOSIT_APPLIED'",
    "p.amount",
    "DEPOSIT",
    "deposits posted - applied - refunded",
)

CONTROL_CHECKS: tuple[Check, ...] = (
    Check("1020 = what the drawers hold", "drawer_movement", "movements", CASHIER_DRAWERS),
    Check("1200 = the driver accounts", "driver_account", "accounts", DRIVERS_RECEIVABLE),
    Check("1300 = loan principal not yet posted", "ledger_posting", "postings", LOANS_RECEIVABLE),
    Check("2100 = deposits posted - applied - refunded", "ledger_posting", "postings", DEPOSITS_HELD),
    Check("2300 = trips journalised and not yet settled", "trip_total", "trip totals", EARNINGS_CLEARING),
    Check("2500 = net pay of unpaid DTRs", "dtr", "DTRs", NET_PAY_OWED),
)
