"""The proofs of bulk runs: what a run recorded is what its entries have, and what is claimed and attached is a run's.

The lines of all runs are read once, added up by slice of a shard, day, account and fund; everything else is compared
with these sums.
"""

from ...models.batches import FIRST_BASE
from ...models.batches import LARGEST_SHARD as BLOCK
from ..bulk_lines import SLICE
from .check import Check, money


def base_of(entry: str) -> str:
    """SQL: the `entry_base` of the shard that a bulk entry's number belongs to."""
    return f"({entry} - ({entry} - 1 - {FIRST_BASE}) % {BLOCK} - 1)"


RUNS_AS_RECORDED = f"""
WITH moved AS MATERIALIZED (
  SELECT batch_id, {base_of("entry_id")} AS entry_base, (entry_id - 1 - {FIRST_BASE}) % {BLOCK} / {SLICE} AS slice,
         je_date, account_id, fund, count(*) AS lines, min(entry_id) AS first_entry, max(entry_id) AS last_entry,
         coalesce(sum(amount) FILTER (WHERE side = 'DR'), 0) AS debits,
         coalesce(sum(amount) FILTER (WHERE side = 'CR'), 0) AS credits,
         sum((entry_id % 1000003) * (account_id::bigint * (1000 + line_number))) AS keys_total,
         sum(CASE side WHEN 'DR' THEN amount * (entry_id % 1009 + line_number) ELSE -amount * line_number END)
           AS weighted_total
    FROM ledger_entry_line WHERE entry_id > {FIRST_BASE}
   GROUP BY 1, 2, 3, 4, 5, 6
),
headers AS MATERIALIZED (
  SELECT batch_id, {base_of("id")} AS entry_base, count(*) AS entries
    FROM ledger_entry_header WHERE id > {FIRST_BASE} GROUP BY 1, 2
),
shard AS (
  SELECT s.*, CASE WHEN r.large THEN r.id ELSE 0 END AS batch_id
    FROM journal_run_shard s JOIN journal_run r ON r.id = s.run_id AND r.state = 'POSTED'
),
posted AS (
  SELECT coalesce(m.batch_id, h.batch_id) AS batch_id, coalesce(m.entry_base, h.entry_base) AS entry_base,
         coalesce(h.entries, 0) AS entries, coalesce(m.lines, 0) AS lines, coalesce(m.debits, 0) AS debits,
         coalesce(m.keys_total, 0) AS keys_total, coalesce(m.weighted_total, 0) AS weighted_total
    FROM (
      SELECT batch_id, entry_base, sum(lines) AS lines, sum(debits) AS debits, sum(keys_total) AS keys_total,
             sum(weighted_total) AS weighted_total
        FROM moved GROUP BY 1, 2
    ) m
    FULL JOIN headers h ON h.batch_id = m.batch_id AND h.entry_base = m.entry_base
),
daily AS (
  SELECT batch_id, je_date, account_id, fund, sum(debits) AS debits, sum(credits) AS credits
    FROM moved WHERE batch_id <> 0 GROUP BY 1, 2, 3, 4
)
SELECT wrong FROM (
  SELECT 1 AS rank, coalesce(s.run_id, p.batch_id) AS run, s.number,
         CASE
           WHEN s.id IS NULL THEN
             format('%s lines and %s entries in batch %s, from entry %s on, are of no run that was posted', p.lines,
                    p.entries, p.batch_id, p.entry_base + 1)
           ELSE format('run %s, shard %s: %s entries, %s lines of %s were recorded; there are %s entries, %s lines of '
                       '%s', s.run_id, s.number, s.entries, s.lines, {money("s.debits")}, coalesce(p.entries, 0),
                       coalesce(p.lines, 0), {money("coalesce(p.debits, 0)")})
                || CASE WHEN (s.entries, s.lines, s.debits) = (p.entries, p.lines, p.debits)
                        THEN '; their hash totals differ' ELSE '' END
         END AS wrong
    FROM shard s
    FULL JOIN posted p ON p.batch_id = s.batch_id AND p.entry_base = s.entry_base
   WHERE (s.entries, s.lines, s.debits, s.keys_total, s.weighted_total) IS DISTINCT FROM
         (coalesce(p.entries, 0), coalesce(p.lines, 0), coalesce(p.debits, 0), coalesce(p.keys_total, 0),
          coalesce(p.weighted_total, 0))
  UNION ALL
  SELECT 2, r.id, NULL,
         format('run %s: %s entries, %s lines of %s were recorded; its shards have %s entries, %s lines of %s', r.id,
                r.entries, r.lines, {money("r.debits")}, s.entries, s.lines, {money("s.debits")})
    FROM journal_run r
    JOIN (
      SELECT run_id, sum(entries) AS entries, sum(lines) AS lines, sum(debits) AS debits
        FROM journal_run_shard GROUP BY 1
    ) s ON s.run_id = r.id
   WHERE r.state = 'POSTED' AND (r.entries, r.lines, r.debits) <> (s.entries, s.lines, s.debits)
  UNION ALL
  SELECT 3, coalesce(t.run_id, s.run_id), s.number,
         format('run %s, %s, account %s, fund %s: its shards'' totals have %s lines, %s - %s, from entry %s to %s; '
                'there are %s lines, %s - %s, from %s to %s', coalesce(t.run_id, s.run_id),
                coalesce(t.je_date, m.je_date), a.code, coalesce(t.fund, m.fund), coalesce(t.lines, 0),
                {money("coalesce(t.debits, 0)")}, {money("coalesce(t.credits, 0)")}, t.first_entry, t.last_entry,
                coalesce(m.lines, 0), {money("coalesce(m.debits, 0)")}, {money("coalesce(m.credits, 0)")},
                m.first_entry, m.last_entry)
    FROM (SELECT m.*, s.id AS shard_id FROM moved m JOIN shard s USING (batch_id, entry_base) WHERE batch_id <> 0) m
    FULL JOIN journal_shard_total t
      ON t.shard_id = m.shard_id AND t.slice = m.slice AND t.je_date = m.je_date AND t.account_id = m.account_id
     AND t.fund = m.fund
    LEFT JOIN journal_run_shard s ON s.id = coalesce(t.shard_id, m.shard_id)
    LEFT JOIN chart_of_accounts a ON a.id = coalesce(t.account_id, m.account_id)
   WHERE (t.lines, t.first_entry, t.last_entry, t.debits, t.credits) IS DISTINCT FROM
         (m.lines, m.first_entry, m.last_entry, m.debits, m.credits)
  UNION ALL
  SELECT 4, coalesce(t.batch_id, d.batch_id), NULL,
         format('batch %s, %s, account %s, fund %s: its total is %s - %s; its lines give %s - %s',
                coalesce(t.batch_id, d.batch_id), coalesce(t.je_date, d.je_date), a.code, coalesce(t.fund, d.fund),
                {money("coalesce(t.debits, 0)")}, {money("coalesce(t.credits, 0)")}, {money("coalesce(d.debits, 0)")},
                {money("coalesce(d.credits, 0)")})
    FROM daily d
    FULL JOIN batch_account_total t
      ON t.batch_id = d.batch_id AND t.je_date = d.je_date AND t.account_id = d.account_id AND t.fund = d.fund
    LEFT JOIN chart_of_accounts a ON a.id = coalesce(t.account_id, d.account_id)
   WHERE (t.debits, t.credits) IS DISTINCT FROM (d.debits, d.credits)
) found
 ORDER BY rank, run, number LIMIT 1
"""

ROWS_CLAIMED = """
WITH entered AS (
  SELECT h.source_id, h.id, h.je_number, h.je_date, r.entry_id IS NOT NULL AS reversed
    FROM ledger_entry_header h
    LEFT JOIN ledger_entry_reversal r ON r.entry_id = h.id
   WHERE h.source_id IS NOT NULL AND h.reverses_id IS NULL
)
SELECT wrong FROM (
  SELECT coalesce(e.source_id, s.source_id) AS id,
         CASE
           WHEN e.id IS NULL THEN
             format('source row %s is marked as journalised in entry %s, which is not there', s.source_id, s.entry_id)
           WHEN s.source_id IS NULL THEN
             format('%s is an entry of source row %s, which is not marked as journalised in it', e.je_number,
                    e.source_id)
           WHEN e.reversed THEN
             format('source row %s is marked as journalised in %s, which was reversed', s.source_id, e.je_number)
         END AS wrong
    FROM entered e
    FULL JOIN source_row_journalised s ON s.source_id = e.source_id AND s.entry_id = e.id AND s.je_date = e.je_date
   WHERE e.id IS NULL OR (s.source_id IS NULL) <> e.reversed
) found
 ORDER BY id LIMIT 1
"""

LEAVES_OF_RUNS = """
WITH leaf AS (
  SELECT c.relname, m.relname LIKE 'ledger_entry_header%' AS of_headers,
         to_date(right(m.relname, 6), 'YYYYMM') AS month,
         substring(pg_get_expr(c.relpartbound, c.oid) FROM '[0-9]+')::bigint AS batch_id
    FROM pg_inherits i
    JOIN pg_class m ON m.oid = i.inhrelid
    JOIN pg_inherits j ON j.inhparent = m.oid
    JOIN pg_class c ON c.oid = j.inhrelid
   WHERE i.inhparent IN ('public.ledger_entry_header'::regclass, 'public.ledger_entry_line'::regclass)
),
needed AS (
  SELECT DISTINCT r.id AS batch_id, date_trunc('month', of_shard::timestamp)::date AS month, kind.of_headers
    FROM journal_run r
    JOIN journal_run_shard s ON s.run_id = r.id AND s.entries > 0
   CROSS JOIN LATERAL jsonb_array_elements_text(s.months) AS of_shard
   CROSS JOIN (VALUES (true), (false)) AS kind(of_headers)
   WHERE r.state = 'POSTED' AND r.large
)
SELECT wrong FROM (
  SELECT coalesce(l.batch_id, n.batch_id) AS batch_id,
         CASE
           WHEN n.batch_id IS NULL THEN
             format('%s is part of the ledger, and run %s did not post it (%s)', l.relname, l.batch_id,
                    coalesce('it is ' || lower(r.state), 'there is no such run'))
           ELSE format('run %s was posted, and its %s of %s are not part of the ledger', n.batch_id,
                       CASE WHEN n.of_headers THEN 'entries' ELSE 'lines' END, to_char(n.month, 'YYYY-MM'))
         END AS wrong
    FROM (SELECT * FROM leaf WHERE batch_id <> 0) l
    FULL JOIN (SELECT * FROM needed WHERE NOT ledger_month_is_away('LEDGER', month)) n
      ON n.batch_id = l.batch_id AND n.month = l.month AND n.of_headers = l.of_headers
    LEFT JOIN journal_run r ON r.id = l.batch_id
   WHERE l.batch_id IS NULL OR n.batch_id IS NULL
) found
 ORDER BY batch_id LIMIT 1
"""

BATCH_CHECKS: tuple[Check, ...] = (
    Check(
        "bulk runs have what they recorded", "journal_run WHERE state = 'POSTED'", "runs", RUNS_AS_RECORDED
    ),
    Check("a source row has one entry that stands", "source_row_journalised", "source rows", ROWS_CLAIMED),
    Check(
        "partitions of the journal are of runs that posted",
        "journal_run WHERE large",
        "large runs",
        LEAVES_OF_RUNS,
    ),
)
