-- Postings and their open items for benchmarks of lists: %(items)s for each account, one in ten still open, a week
-- between two of them, their keys as made on their days, all weeks before the last closed. Straight into the tables,
-- without their triggers; nothing is posted here, only looked at.
SET session_replication_role = replica;
INSERT INTO ledger_posting
  (id, seq, category, amount, reference_id, effective_on, event_on, due_on, created_at, account_id, created_by_id,
   driver_id, lease_id, medallion_id, vehicle_id)
SELECT encode(overlay(uuid_send(uuid7()) PLACING substring(int8send(
         (extract(epoch FROM d.day + interval '14 hours') * 1000)::bigint) FROM 3) FROM 1 FOR 6), 'hex')::uuid,
       nextval('ledger_posting_seq'),
       (ARRAY['EZPASS', 'PVB', 'TLC', 'REPAIR', 'LOAN', 'MISC', 'LEASE', 'TAXES', 'EARNINGS', 'INTERIM_PAYMENT'])[1 + g %% 10],
       (20 + (a.id * 31 + g * 17) %% 5000 / 100.0) * CASE WHEN g %% 10 > 7 THEN -1 ELSE 1 END,
       'L-' || g || '-' || a.id, d.day, d.day, CASE WHEN g %% 10 > 7 THEN NULL ELSE d.day + 6 END,
       d.day + interval '9 hours', a.id, (SELECT id FROM common_user WHERE username = 'system'), a.driver_id,
       a.lease_id, l.medallion_id, l.vehicle_id
  FROM generate_series(1, %(items)s) g
 CROSS JOIN LATERAL (SELECT %(week)s::date - 7 * (%(items)s - g) / 10 AS day) d
 CROSS JOIN driver_account a
  JOIN lease l ON l.id = a.lease_id
 ORDER BY g, a.id;
INSERT INTO ledger_balance
  (posting_id, category, reference_id, original_amount, balance, effective_on, due_on, created_at, account_id)
SELECT id, category, reference_id, amount, CASE WHEN abs(hashtext(reference_id)) %% 10 = 0 THEN amount ELSE 0 END,
       effective_on, due_on, created_at, account_id
  FROM ledger_posting WHERE reference_id LIKE 'L-%%' ORDER BY seq;
UPDATE driver_account a SET balance = b.balance
  FROM (SELECT account_id, sum(balance) AS balance FROM ledger_balance GROUP BY account_id) b WHERE b.account_id = a.id;
INSERT INTO weekly_run (week, status, started_at, started_by_id, installments_posted, closed_at, result)
SELECT day::date, 'CLOSED', day + interval '7 days 10 hours', (SELECT id FROM common_user WHERE username = 'system'), 0,
       day + interval '7 days 10 hours', '{}'
  FROM generate_series(%(week)s::date - 7 * (%(items)s / 10 + 1), %(week)s::date - 7, interval '7 days') day;
SET session_replication_role = origin;
