"""The proofs of the journal: its entries by themselves, and against what they are the entries of.

Set-based throughout: each reads its tables once, however many rows they have.
"""

from .check import Check, money

# Added up by entry alone, which is half the work; the few entries in several currencies are looked at again, by each.
ENTRIES_BALANCE = f"""
WITH together AS MATERIALIZED (
  SELECT entry_id, je_date, batch_id, count(*) AS lines, min(line_number) AS first_line,
         max(line_number) AS last_line, coalesce(sum(amount) FILTER (WHERE side = 'DR'), 0) AS debits,
         coalesce(sum(amount) FILTER (WHERE side = 'CR'), 0) AS credits, min(currency COLLATE "C") AS currency,
         min(currency COLLATE "C") <> max(currency COLLATE "C") AS several
    FROM ledger_entry_line GROUP BY 1, 2, 3
),
off_in_one AS (
  SELECT entry_id, je_date, batch_id, max(currency) AS currency
    FROM (
      SELECT l.entry_id, l.je_date, l.batch_id, l.currency
        FROM together t
        JOIN ledger_entry_line l ON l.entry_id = t.entry_id AND l.je_date = t.je_date AND l.batch_id = t.batch_id
       WHERE t.several
       GROUP BY 1, 2, 3, 4
      HAVING sum(CASE l.side WHEN 'DR' THEN l.amount ELSE -l.amount END) <> 0
    ) differing
   GROUP BY 1, 2, 3
),
entry AS (
  SELECT t.*, CASE WHEN t.several THEN o.currency WHEN t.debits <> t.credits THEN t.currency END AS off
    FROM together t LEFT JOIN off_in_one o USING (entry_id, je_date, batch_id)
)
SELECT wrong FROM (
  SELECT coalesce(h.id, e.entry_id) AS id,
         CASE
           WHEN h.id IS NULL THEN format('entry %s of %s has %s lines and no header', e.entry_id, e.je_date, e.lines)
           WHEN e.entry_id IS NULL THEN format('%s has no lines; its header says %s', h.je_number, h.line_count)
           WHEN e.off IS NOT NULL THEN
             format('%s: debits %s, credits %s; not balanced in %s', h.je_number, {money("e.debits")},
                    {money("e.credits")}, e.off)
           WHEN e.lines <> h.line_count OR e.first_line <> 1 OR e.last_line <> h.line_count THEN
             format('%s has %s lines numbered %s to %s; its header says %s', h.je_number, e.lines, e.first_line,
                    e.last_line, h.line_count)
           WHEN e.debits <> h.total THEN
             format('%s: lines of %s; its header says %s', h.je_number, {money("e.debits")}, {money("h.total")})
         END AS wrong
    FROM ledger_entry_header h
    FULL JOIN entry e ON e.entry_id = h.id AND e.je_date = h.je_date AND e.batch_id = h.batch_id
) found
 WHERE wrong IS NOT NULL ORDER BY id LIMIT 1
"""

# Only of lines on control accounts it matters what they are lines of; the others' entries need not be looked up.
LINES_NAME_ACCOUNTS = f"""
WITH wrong AS MATERIALIZED (
  SELECT l.entry_id, l.line_number, l.je_date, l.batch_id, l.account_id, l.amount, l.currency
    FROM ledger_entry_line l
    LEFT JOIN chart_of_accounts a ON a.id = l.account_id
   WHERE a.id IS NULL OR a.currency_id <> l.currency
  UNION ALL
  SELECT l.entry_id, l.line_number, l.je_date, l.batch_id, l.account_id, l.amount, l.currency
    FROM ledger_entry_line l
    JOIN chart_of_accounts a ON a.id = l.account_id AND a.control_origins <> '{{}}'
    JOIN ledger_entry_header h ON h.id = l.entry_id AND h.je_date = l.je_date AND h.batch_id = l.batch_id
   WHERE NOT h.origin = ANY (a.control_origins)
)
SELECT CASE
         WHEN a.id IS NULL THEN
           format('%s, line %s: account %s does not exist', coalesce(h.je_number, l.entry_id::text), l.line_number,
                  l.account_id)
         WHEN a.currency_id <> l.currency THEN
           format('%s, line %s: %s %s on account %s, which is in %s', coalesce(h.je_number, l.entry_id::text),
                  l.line_number, {money("l.amount")}, l.currency, a.code, a.currency_id)
         ELSE format('%s, line %s: %s on control account %s by an entry of origin %s',
                     coalesce(h.je_number, l.entry_id::text), l.line_number, {money("l.amount")}, a.code, h.origin)
       END
  FROM wrong l
  LEFT JOIN ledger_entry_header h ON h.id = l.entry_id AND h.je_date = l.je_date AND h.batch_id = l.batch_id
  LEFT JOIN chart_of_accounts a ON a.id = l.account_id
 ORDER BY l.entry_id, l.line_number LIMIT 1
"""

POSTINGS_ENTERED = f"""
WITH receivable AS (
  SELECT l.entry_id, sum(CASE l.side WHEN 'DR' THEN l.amount ELSE -l.amount END) AS amount
    FROM ledger_entry_line l JOIN chart_of_accounts a ON a.id = l.account_id AND a.code = '1200'
   GROUP BY 1
),
entered AS (
  SELECT posting_id, count(*) AS entries, min(id) AS id, min(je_date) AS je_date, min(je_number) AS je_number
    FROM ledger_entry_header WHERE posting_id IS NOT NULL GROUP BY 1
)
SELECT wrong FROM (
  SELECT p.seq, e.id,
         CASE
           WHEN p.id IS NULL THEN format('%s is the entry of posting %s, which is not there', e.je_number, e.posting_id)
           WHEN e.id IS NULL THEN
             format('%s %s of account %s: %s posted, no journal entry', p.category, p.reference_id, p.account_id,
                    p.amount)
           WHEN e.entries > 1 THEN
             format('%s %s of account %s has %s journal entries, from %s on', p.category, p.reference_id,
                    p.account_id, e.entries, e.je_number)
           WHEN e.je_date <> p.effective_on THEN
             format('%s %s of account %s is of %s, its entry %s of %s', p.category, p.reference_id, p.account_id,
                    p.effective_on, e.je_number, e.je_date)
           WHEN coalesce(r.amount, 0) <> p.amount THEN
             format('%s %s of account %s is %s, and its entry %s has %s on 1200', p.category, p.reference_id,
                    p.account_id, p.amount, e.je_number, {money("coalesce(r.amount, 0)")})
         END AS wrong
    FROM ledger_posting p
    FULL JOIN entered e ON e.posting_id = p.id
    LEFT JOIN receivable r ON r.entry_id = e.id
) found
 WHERE wrong IS NOT NULL ORDER BY seq, id LIMIT 1
"""

# A trip's entry puts on 2300 what the trip brought; and what a total counts as journalised is that, added up. What was
# reversed brought nothing; which entry of a source row stands is proved in `batches`.
TRIPS_JOURNALISED = f"""
WITH clearing AS (
  SELECT l.entry_id, sum(CASE l.side WHEN 'CR' THEN l.amount ELSE -l.amount END) AS amount
    FROM ledger_entry_line l JOIN chart_of_accounts a ON a.id = l.account_id AND a.code = '2300'
   GROUP BY 1
),
entered AS (
  SELECT h.source_id, h.id, h.je_number, coalesce(c.amount, 0) AS amount
    FROM ledger_entry_header h
    LEFT JOIN ledger_entry_reversal r ON r.entry_id = h.id
    LEFT JOIN clearing c ON c.entry_id = h.id
   WHERE h.source_id IS NOT NULL AND h.origin = 'TRIP' AND h.reverses_id IS NULL AND r.entry_id IS NULL
),
trip AS (
  SELECT id, source, source_rowid, account_id, week, batch_id, product_code, gross_amount
    FROM txn_source_parent WHERE txn_type = 'TRIP'
),
counted AS (
  SELECT t.account_id, t.week, t.batch_id, sum(e.amount) AS amount
    FROM entered e JOIN trip t ON t.id = e.source_id GROUP BY 1, 2, 3
)
SELECT wrong FROM (
  SELECT 1 AS rank, e.source_id AS id,
         CASE
           WHEN t.id IS NULL THEN format('%s is the entry of trip %s, which is not there', e.je_number, e.source_id)
           WHEN t.product_code NOT IN ('C', 'P') THEN
             format('%s: trip %s %s was not paid by card, and has an entry of %s', e.je_number, t.source,
                    t.source_rowid, {money("e.amount")})
           WHEN e.amount <> t.gross_amount THEN
             format('%s: trip %s %s brought %s, and its entry has %s on 2300', e.je_number, t.source, t.source_rowid,
                    {money("t.gross_amount")}, {money("e.amount")})
         END AS wrong
    FROM entered e
    LEFT JOIN trip t ON t.id = e.source_id
  UNION ALL
  SELECT 2, coalesce(t.account_id, c.account_id),
         format('account %s, week %s, batch %s: %s of its trips is counted as journalised, their entries say %s',
                coalesce(t.account_id, c.account_id), coalesce(t.week, c.week), coalesce(t.batch_id, c.batch_id),
                coalesce(t.journalised, 0), {money("coalesce(c.amount, 0)")})
    FROM trip_total t
    FULL JOIN counted c ON c.account_id = t.account_id AND c.week = t.week AND c.batch_id = t.batch_id
   WHERE coalesce(t.journalised, 0) <> coalesce(c.amount, 0)
) found
 WHERE wrong IS NOT NULL ORDER BY rank, id LIMIT 1
"""

ENTRIES_REVERSED = f"""
WITH reversal AS (
  SELECT id, je_number, je_date, reverses_id, reverses_date FROM ledger_entry_header WHERE reverses_id IS NOT NULL
),
together AS (
  SELECT id AS reversal_id, id AS entry_id, je_date FROM reversal
  UNION ALL SELECT id, reverses_id, reverses_date FROM reversal
),
left_over AS (
  SELECT t.reversal_id, l.account_id, l.fund, l.currency,
         sum(CASE l.side WHEN 'DR' THEN l.amount ELSE -l.amount END) AS amount
    FROM together t JOIN ledger_entry_line l ON l.entry_id = t.entry_id AND l.je_date = t.je_date
   GROUP BY 1, 2, 3, 4
  HAVING sum(CASE l.side WHEN 'DR' THEN l.amount ELSE -l.amount END) <> 0
)
SELECT wrong FROM (
  SELECT coalesce(r.id, m.reversed_by_id) AS id,
         CASE
           WHEN r.id IS NULL THEN
             format('entry %s is marked as reversed by entry %s, which does not reverse it', m.entry_id,
                    m.reversed_by_id)
           WHEN o.id IS NULL THEN format('%s reverses entry %s, which is not there', r.je_number, r.reverses_id)
           WHEN o.reverses_id IS NOT NULL THEN
             format('%s reverses %s, which is a reversal itself', r.je_number, o.je_number)
           WHEN m.entry_id IS NULL THEN
             format('%s reverses %s, which is not marked as reversed by it', r.je_number, o.je_number)
           WHEN r.je_date < o.je_date THEN
             format('%s is dated %s, before %s that it reverses', r.je_number, r.je_date, o.je_number)
           WHEN x.amount IS NOT NULL THEN
             format('%s does not mirror %s: together they leave %s on account %s', r.je_number, o.je_number,
                    {money("x.amount")}, a.code)
         END AS wrong
    FROM reversal r
    FULL JOIN ledger_entry_reversal m
      ON m.entry_id = r.reverses_id AND m.reversed_by_id = r.id AND m.reversed_by_date = r.je_date
    LEFT JOIN ledger_entry_header o ON o.id = r.reverses_id AND o.je_date = r.reverses_date
    LEFT JOIN left_over x ON x.reversal_id = r.id
    LEFT JOIN chart_of_accounts a ON a.id = x.account_id
) found
 WHERE wrong IS NOT NULL ORDER BY id LIMIT 1
"""

GUARDED_BALANCES = f"""
WITH line AS (
  SELECT l.account_id,
         sum(CASE WHEN (l.side = 'DR') = (a.type IN ('ASSET', 'EXPENSE')) THEN l.amount ELSE -l.amount END) AS amount
    FROM ledger_entry_line l JOIN chart_of_accounts a ON a.id = l.account_id
   WHERE a.overdraft_limit IS NOT NULL
   GROUP BY 1
)
SELECT format('account %s %s: balance %s with floor %s; its lines give %s, its limit %s', a.code, a.name,
              coalesce({money("g.balance")}::text, 'missing'), {money("g.floor")}, {money("coalesce(l.amount, 0)")},
              coalesce({money("-a.overdraft_limit")}::text, 'none'))
  FROM chart_of_accounts a
  LEFT JOIN guarded_balance g ON g.account_id = a.id
  LEFT JOIN line l ON l.account_id = a.id
 WHERE (a.overdraft_limit IS NOT NULL OR g.account_id IS NOT NULL)
   AND ((a.overdraft_limit IS NULL) <> (g.account_id IS NULL) OR g.balance <> coalesce(l.amount, 0)
        OR g.floor <> -a.overdraft_limit OR g.balance < g.floor)
 ORDER BY a.id LIMIT 1
"""

# Of closed months alone: a reopened one may have moved since, and is counted anew when it closes. Of large runs the
# totals are taken, which are proved by their lines in `batches`.
SNAPSHOTS = f"""
WITH moved AS (
  SELECT account_id, fund, month, sum(debits) AS debits, sum(credits) AS credits
    FROM (
      SELECT account_id, fund, date_trunc('month', je_date::timestamp)::date AS month,
             coalesce(sum(amount) FILTER (WHERE side = 'DR'), 0) AS debits,
             coalesce(sum(amount) FILTER (WHERE side = 'CR'), 0) AS credits
        FROM ledger_entry_line WHERE batch_id = 0 GROUP BY 1, 2, 3
      UNION ALL
      SELECT account_id, fund, date_trunc('month', je_date::timestamp)::date, debits, credits FROM batch_account_total
    ) both_kinds
   GROUP BY 1, 2, 3
),
snapshot AS (
  SELECT s.month, s.account_id, s.fund, s.opening, s.debits, s.credits, s.closing
    FROM account_balance_snapshot s JOIN accounting_month m ON m.month = s.month AND m.status = 'CLOSED'
),
-- Every month of an account and fund that has lines or a snapshot, so that what came before can be added up.
both_sides AS (
  SELECT coalesce(m.month, s.month) AS month, coalesce(m.account_id, s.account_id) AS account_id,
         coalesce(m.fund, s.fund) AS fund, coalesce(m.debits, 0) AS debits, coalesce(m.credits, 0) AS credits,
         s.month IS NOT NULL AS taken, s.opening, s.debits AS s_debits, s.credits AS s_credits, s.closing
    FROM moved m
    FULL JOIN snapshot s ON s.month = m.month AND s.account_id = m.account_id AND s.fund = m.fund
),
added_up AS (
  SELECT *, sum(debits - credits) OVER months AS total, lead(month) OVER months AS next_month,
         (month + interval '1 month')::date AS month_after
    FROM both_sides
  WINDOW months AS (PARTITION BY account_id, fund ORDER BY month)
)
SELECT CASE
         WHEN u.taken AND u.closing = u.total AND u.opening = u.total - u.debits + u.credits
              AND (u.s_debits, u.s_credits) = (u.debits, u.credits) THEN
           format('%s, account %s, fund %s: no snapshot, and the month before ended with %s',
                  to_char(u.month_after, 'YYYY-MM'), a.code, u.fund, {money("u.closing")})
         WHEN u.taken THEN
           format('%s, account %s, fund %s: %s + %s - %s = %s; its lines give %s + %s - %s = %s',
                  to_char(u.month, 'YYYY-MM'), a.code, u.fund, {money("u.opening")}, {money("u.s_debits")},
                  {money("u.s_credits")}, {money("u.closing")}, {money("u.total - u.debits + u.credits")},
                  {money("u.debits")}, {money("u.credits")}, {money("u.total")})
         ELSE format('%s, account %s, fund %s: no snapshot; its lines give %s', to_char(u.month, 'YYYY-MM'), a.code,
                     u.fund, {money("u.total")})
       END
  FROM added_up u
  LEFT JOIN chart_of_accounts a ON a.id = u.account_id
 WHERE (u.taken AND (u.opening, u.s_debits, u.s_credits, u.closing)
                    IS DISTINCT FROM (u.total - u.debits + u.credits, u.debits, u.credits, u.total))
    OR (NOT u.taken AND u.month IN (SELECT month FROM snapshot))
    OR (u.closing <> 0 AND u.next_month IS DISTINCT FROM u.month_after
        AND u.month_after IN (SELECT month FROM snapshot))
 ORDER BY u.month, a.code LIMIT 1
"""

MONTHS_STAYED_CLOSED = """
WITH closing AS (
  SELECT month_id, status, created_at AS closed_at,
         lead(created_at, 1, 'infinity') OVER (PARTITION BY month_id ORDER BY id) AS reopened_at
    FROM accounting_month_event
)
SELECT format('%s is dated %s and was made at %s; that month was closed from %s on', h.name, h.je_date,
              to_char(h.created_at AT TIME ZONE 'America/New_York', 'YYYY-MM-DD HH24:MI'),
              to_char(c.closed_at AT TIME ZONE 'America/New_York', 'YYYY-MM-DD HH24:MI'))
  FROM (
    SELECT id, je_number AS name, je_date, created_at FROM ledger_entry_header WHERE batch_id = 0
    UNION ALL
    SELECT r.id, 'run ' || r.id, min(t.je_date), r.posted_at
      FROM journal_run r JOIN batch_account_total t ON t.batch_id = r.id
     GROUP BY r.id, date_trunc('month', t.je_date::timestamp)
  ) h
  JOIN closing c ON c.month_id = date_trunc('month', h.je_date::timestamp)::date AND c.status = 'CLOSED'
 WHERE h.created_at > c.closed_at AND h.created_at < c.reopened_at
 ORDER BY h.id LIMIT 1
"""

JOURNAL_CHECKS: tuple[Check, ...] = (
    Check("entries balance and are complete", "ledger_entry_line", "lines", ENTRIES_BALANCE),
    Check("lines name accounts that take them", "ledger_entry_line", "lines", LINES_NAME_ACCOUNTS),
    Check("every posting has its entry", "ledger_posting", "postings", POSTINGS_ENTERED),
    Check("trips are journalised as they came", "source_row_journalised", "trips", TRIPS_JOURNALISED),
    Check(
        "entries are reversed once, by their mirror", "ledger_entry_reversal", "reversals", ENTRIES_REVERSED
    ),
    Check("guarded balances = their lines", "guarded_balance", "guarded accounts", GUARDED_BALANCES),
    Check("snapshots = the lines of their months", "account_balance_snapshot", "snapshots", SNAPSHOTS),
    Check("no entry in a month closed before it", "ledger_entry_header", "entries", MONTHS_STAYED_CLOSED),
)
