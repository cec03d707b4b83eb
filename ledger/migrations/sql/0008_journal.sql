-- The journal: entries partitioned by month, and within a month by batch; rules that nothing can pass by.
--
-- Errors the services translate carry SQLSTATEs of our own, beside those of 0002:
--   BC008 an entry that is not sound      BC009 a control account, and not its own service
--   BC010 a month cannot close or reopen

CREATE SEQUENCE ledger_entry_id_seq AS bigint;

CREATE TABLE ledger_entry_header (
  id bigint NOT NULL,
  je_date date NOT NULL,
  batch_id bigint NOT NULL DEFAULT 0,
  je_number varchar(30) NOT NULL GENERATED ALWAYS AS (
    'JE-' || (extract(year FROM je_date)::int * 100 + extract(month FROM je_date)::int)::text || '-' || id::text
  ) STORED,
  origin varchar(12) NOT NULL,
  template_id bigint,
  posting_id uuid,
  source_id bigint,
  reverses_id bigint,
  reverses_date date,
  event_on date NOT NULL,
  line_count smallint NOT NULL,
  total numeric(20, 6) NOT NULL,
  reference varchar(80) NOT NULL DEFAULT '',
  description varchar(160) NOT NULL DEFAULT '',
  metadata jsonb,
  created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  created_by_id bigint NOT NULL,
  PRIMARY KEY (id, je_date, batch_id),
  CONSTRAINT ledger_entry_has_lines CHECK (line_count >= 2 AND total > 0 AND total < 'Infinity'),
  CONSTRAINT ledger_entry_origin CHECK (
    origin IN ('POSTING', 'TRIP', 'DTR', 'LOAN', 'DEPOSIT', 'TRANSFER', 'MANUAL', 'BATCH', 'RECON')
  ),
  CONSTRAINT ledger_entry_of_source CHECK (
    (origin IN ('TRIP', 'BATCH') OR source_id IS NULL) AND (origin <> 'TRIP' OR source_id IS NOT NULL)
  ),
  CONSTRAINT ledger_entry_of_posting CHECK ((origin = 'POSTING') = (posting_id IS NOT NULL)),
  CONSTRAINT ledger_entry_online_posting CHECK (posting_id IS NULL OR batch_id = 0),
  CONSTRAINT ledger_entry_reverses CHECK ((reverses_id IS NULL) = (reverses_date IS NULL))
) PARTITION BY RANGE (je_date);
CREATE UNIQUE INDEX ledger_entry_posting_once
  ON ledger_entry_header (posting_id, je_date, batch_id) WHERE posting_id IS NOT NULL;

-- The key of a line tells its entry, so entries find their lines by one index and lines have a key of their own.
CREATE TABLE ledger_entry_line (
  entry_id bigint NOT NULL,
  line_number smallint NOT NULL,
  je_date date NOT NULL,
  batch_id bigint NOT NULL DEFAULT 0,
  account_id integer NOT NULL,
  currency varchar(3) NOT NULL,
  side varchar(2) NOT NULL,
  fund varchar(10) NOT NULL DEFAULT 'OP',
  amount numeric(20, 6) NOT NULL,
  id bigint NOT NULL GENERATED ALWAYS AS (entry_id * 100000 + line_number) STORED,
  PRIMARY KEY (entry_id, line_number, je_date, batch_id),
  -- "Not a number" is above all numbers, and below none.
  CONSTRAINT ledger_entry_line_positive CHECK (amount > 0 AND amount < 'Infinity' AND line_number > 0),
  CONSTRAINT ledger_entry_line_side CHECK (side IN ('DR', 'CR'))
) PARTITION BY RANGE (je_date);
CREATE INDEX ledger_entry_line_account_idx ON ledger_entry_line (account_id, entry_id);

-- ---------------------------------------------------------------------------------------------------------
-- Which days are open
CREATE FUNCTION ledger_months_closed_through() RETURNS date
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
  RETURN (SELECT (max(month) + interval '1 month')::date - 1 FROM accounting_month WHERE status = 'CLOSED');
END $$;

-- The first open day for what follows the weeks (postings, trips, net pay): never in a closed week or month.
CREATE OR REPLACE FUNCTION ledger_posting_date(recorded_on date, chosen date) RETURNS date
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
  IF chosen IS NOT NULL THEN
    RETURN chosen;
  END IF;
  RETURN greatest(
    recorded_on, (SELECT max(week) + 7 FROM weekly_run WHERE status = 'CLOSED'),
    (SELECT (max(month) + interval '1 month')::date FROM accounting_month WHERE status = 'CLOSED')
  );
END $$;

-- Takes the calendar's lock and makes sure that what closed meanwhile is seen: an older snapshot would not see it.
CREATE FUNCTION ledger_hold_calendar() RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  -- Waits for a closing week or month to be closed, and keeps one from closing until this transaction ends.
  PERFORM pg_advisory_xact_lock_shared(ledger_calendar_lock());
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'the ledger is written in READ COMMITTED, which sees what was closed meanwhile' USING ERRCODE = 'BC006';
  END IF;
END $$;

CREATE OR REPLACE FUNCTION ledger_check_open(earliest date, what text) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  closed_through date;
BEGIN
  PERFORM ledger_hold_calendar();
  closed_through := greatest(ledger_closed_through(), ledger_months_closed_through());
  IF earliest <= closed_through THEN
    RAISE EXCEPTION '% is dated %, and weeks and months are closed through %', what, earliest, closed_through
      USING ERRCODE = 'BC001', DETAIL = json_build_object('date', earliest, 'closed_through', closed_through);
  END IF;
END $$;

-- ---------------------------------------------------------------------------------------------------------
-- Entries are sound, however their rows arrive. Header and lines come in one statement: lines without their
-- header, and a header without its first line, are refused; numbers from 1 to the header's count leave no room
-- for lines that come later.
-- Which origins a control account takes, as bits, so that what all of an entry's accounts take is one sum; every bit
-- where it is no control account.
CREATE FUNCTION ledger_origins() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ARRAY['POSTING', 'TRIP', 'DTR', 'LOAN', 'DEPOSIT', 'TRANSFER', 'MANUAL', 'BATCH', 'RECON']
$$;
CREATE FUNCTION ledger_origin_mask(origins text[]) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN cardinality(origins) = 0 THEN -1 ELSE (
    SELECT coalesce(bit_or(1 << array_position(
             ARRAY['POSTING', 'TRIP', 'DTR', 'LOAN', 'DEPOSIT', 'TRANSFER', 'MANUAL', 'BATCH', 'RECON'], origin)), 0)
      FROM unnest(origins) AS origin
  ) END
$$;
ALTER TABLE chart_of_accounts ADD COLUMN control_mask int
  GENERATED ALWAYS AS (ledger_origin_mask(control_origins::text[])) STORED;

-- Raise what is wrong with an entry that did not pass. Entries in several currencies come here too, and pass if each of
-- them balances.
CREATE FUNCTION ledger_explain_entry(wrong bigint, dated date, batch bigint) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  header record;
  posting record;
  lines ledger_entry_line[];
  takes_back boolean;
  fault text;
BEGIN
  SELECT array_agg(l) INTO lines FROM ledger_entry_line l
   WHERE l.entry_id = wrong AND l.je_date = dated AND l.batch_id = batch;
  SELECT h.* INTO header FROM ledger_entry_header h
   WHERE h.id = wrong AND h.je_date = dated AND h.batch_id = batch;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'entry % has lines and no header', wrong USING ERRCODE = 'BC008';
  END IF;
  -- What was entered on an account that was given up since can still be taken back.
  takes_back := header.reverses_id IS NOT NULL
    OR EXISTS (SELECT FROM ledger_posting WHERE id = header.posting_id AND reversal_for_id IS NOT NULL);
  SELECT CASE
           WHEN a.id IS NULL OR c.code IS NULL THEN 'an account or currency that does not exist'
           WHEN a.currency_id <> l.currency THEN format('%s in %s, and the account is in %s', a.code, l.currency, a.currency_id)
           WHEN l.amount <> round(l.amount, c.exponent) THEN format('%s %s, which has more decimals than the currency', l.amount, l.currency)
           WHEN NOT a.active AND NOT takes_back THEN format('account %s, which is not active', a.code)
         END
    INTO fault
    FROM unnest(lines) l
    LEFT JOIN chart_of_accounts a ON a.id = l.account_id
    LEFT JOIN currency c ON c.code = l.currency
   WHERE ((a.active OR takes_back) AND a.currency_id = l.currency AND l.amount = round(l.amount, c.exponent)) IS NOT TRUE
   ORDER BY l.line_number LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'entry % has a line with %', wrong, fault USING ERRCODE = 'BC008';
  END IF;
  SELECT format('entry %s: debits %s, credits %s %s', wrong, coalesce(sum(l.amount) FILTER (WHERE l.side = 'DR'), 0),
                coalesce(sum(l.amount) FILTER (WHERE l.side = 'CR'), 0), l.currency)
    INTO fault
    FROM unnest(lines) l GROUP BY l.currency
  HAVING sum(CASE l.side WHEN 'DR' THEN l.amount ELSE -l.amount END) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION '%', fault USING ERRCODE = 'BC008';
  END IF;
  SELECT a.code INTO fault FROM unnest(lines) l JOIN chart_of_accounts a ON a.id = l.account_id
   WHERE a.control_mask & (1 << array_position(ledger_origins(), header.origin::text)) = 0 ORDER BY a.code LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'account % is a control account: only its own service posts to it', fault
      USING ERRCODE = 'BC009', DETAIL = json_build_object('account', fault);
  END IF;
  IF cardinality(lines) <> header.line_count
     OR (SELECT min(line_number) <> 1 OR max(line_number) <> header.line_count
                OR sum(amount) FILTER (WHERE side = 'DR') <> header.total FROM unnest(lines)) THEN
    RAISE EXCEPTION 'entry % is not complete: its header says % lines of %', wrong, header.line_count, header.total
      USING ERRCODE = 'BC008';
  END IF;
  IF header.posting_id IS NOT NULL THEN
    SELECT amount, effective_on INTO posting FROM ledger_posting WHERE id = header.posting_id;
    IF (posting.effective_on, posting.amount) IS DISTINCT FROM (header.je_date, (
      SELECT coalesce(sum(CASE l.side WHEN 'DR' THEN l.amount ELSE -l.amount END), 0)
        FROM unnest(lines) l JOIN chart_of_accounts a ON a.id = l.account_id WHERE a.code = '1200'
    )) THEN
      RAISE EXCEPTION 'entry % is not the entry of its posting, of % on %', wrong, posting.amount, posting.effective_on
        USING ERRCODE = 'BC008';
    END IF;
  END IF;
  IF (SELECT count(DISTINCT currency) FROM unnest(lines)) = 1 THEN
    RAISE EXCEPTION 'entry % is not sound', wrong USING ERRCODE = 'BC008';
  END IF;
END $$;

CREATE FUNCTION ledger_lines_inserted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  leaf record;
  receivable int := (SELECT id FROM chart_of_accounts WHERE code = '1200');
  wrong bigint[];
  guarded boolean := false;
  found_guarded boolean;
BEGIN
  -- Leaf by leaf, each named by plain values: so the plan, kept, opens that one partition and not all there are.
  FOR leaf IN
    SELECT DISTINCT date_trunc('month', je_date::timestamp)::date AS first_day,
           (date_trunc('month', je_date::timestamp) + interval '1 month')::date AS next_month, batch_id
      FROM new_lines
  LOOP
    SELECT array_agg(e.entry_id ORDER BY e.entry_id) FILTER (
             WHERE (e.debits = e.credits AND NOT e.unfit AND e.lines = h.line_count AND e.first_line = 1
                    AND e.last_line = h.line_count AND e.debits = h.total
                    AND e.takes & (1 << array_position(ledger_origins(), h.origin::text)) <> 0
                    AND (h.posting_id IS NULL OR (e.receivable = p.amount AND e.je_date = p.effective_on))
                    AND (NOT e.inactive OR h.reverses_id IS NOT NULL OR p.reversal_for_id IS NOT NULL)
                   ) IS NOT TRUE
           ),
           bool_or(e.any_guarded)
      INTO wrong, found_guarded
      FROM (
        SELECT n.entry_id, n.je_date, count(*) AS lines, min(n.line_number) AS first_line,
               max(n.line_number) AS last_line, sum(n.amount) FILTER (WHERE n.side = 'DR') AS debits,
               sum(n.amount) FILTER (WHERE n.side = 'CR') AS credits,
               coalesce(sum(CASE n.side WHEN 'DR' THEN n.amount ELSE -n.amount END)
                          FILTER (WHERE n.account_id = receivable), 0) AS receivable,
               bool_or((a.currency_id = n.currency AND n.amount = round(n.amount, c.exponent)) IS NOT TRUE)
                 OR min(n.currency) <> max(n.currency) AS unfit,
               bool_or(NOT a.active) AS inactive,
               bit_and(a.control_mask) AS takes,
               bool_or(a.overdraft_limit IS NOT NULL) AS any_guarded
          FROM new_lines n
          LEFT JOIN chart_of_accounts a ON a.id = n.account_id
          LEFT JOIN currency c ON c.code = n.currency
         WHERE n.batch_id = leaf.batch_id AND n.je_date >= leaf.first_day AND n.je_date < leaf.next_month
         GROUP BY n.entry_id, n.je_date
      ) e
      LEFT JOIN LATERAL (
        SELECT h.line_count, h.total, h.origin, h.posting_id, h.reverses_id FROM ledger_entry_header h
         WHERE h.id = e.entry_id AND h.je_date = e.je_date AND h.batch_id = leaf.batch_id
           AND h.je_date >= leaf.first_day AND h.je_date < leaf.next_month
        OFFSET 0
      ) h ON true
      LEFT JOIN LATERAL (
        SELECT p.amount, p.effective_on, p.reversal_for_id FROM ledger_posting p WHERE p.id = h.posting_id OFFSET 0
      ) p ON h.posting_id IS NOT NULL;
    IF wrong IS NOT NULL THEN
      PERFORM ledger_explain_entry(n.entry_id, n.je_date, n.batch_id)
         FROM (SELECT DISTINCT entry_id, je_date, batch_id FROM new_lines WHERE entry_id = ANY (wrong)) n;
    END IF;
    guarded := guarded OR found_guarded;
  END LOOP;
  IF guarded THEN
    -- In the order of their ids, so that two that move the same accounts wait and do not deadlock.
    PERFORM FROM guarded_balance WHERE account_id IN (SELECT account_id FROM new_lines)
      ORDER BY account_id FOR NO KEY UPDATE;
    UPDATE guarded_balance g SET balance = g.balance + m.amount
      FROM (
        SELECT n.account_id,
               sum(CASE WHEN (n.side = 'DR') = (a.type IN ('ASSET', 'EXPENSE')) THEN n.amount ELSE -n.amount END)
                 AS amount
          FROM new_lines n JOIN chart_of_accounts a ON a.id = n.account_id
         WHERE a.overdraft_limit IS NOT NULL
         GROUP BY n.account_id
      ) m
     WHERE g.account_id = m.account_id;
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION ledger_headers_inserted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  months_closed date;
  weeks_closed date;
  closed date;
  ahead boolean;
  reversals boolean;
  sources boolean;
  leaf record;
  wrong bigint;
BEGIN
  PERFORM ledger_hold_calendar();
  SELECT (SELECT (max(month) + interval '1 month')::date - 1 FROM accounting_month WHERE status = 'CLOSED'),
         (SELECT max(week) + 6 FROM weekly_run WHERE status = 'CLOSED')
    INTO months_closed, weeks_closed;
  SELECT bool_or(greatest(h.je_date, h.event_on) > (statement_timestamp() AT TIME ZONE 'America/New_York')::date
                 OR h.created_at > statement_timestamp()),
         bool_or(h.reverses_id IS NOT NULL), bool_or(h.source_id IS NOT NULL),
         -- What does not follow the weeks may be dated in a month that was reopened, though its weeks stay closed.
         min(h.je_date) FILTER (
           WHERE h.je_date <= months_closed
              OR (h.je_date <= weeks_closed
                  AND (h.origin IN ('POSTING', 'TRIP', 'DTR') OR m.status IS DISTINCT FROM 'REOPENED'))
         )
    INTO ahead, reversals, sources, closed
    FROM new_headers h
    LEFT JOIN accounting_month m ON m.month = date_trunc('month', h.je_date::timestamp)::date;
  IF closed IS NOT NULL THEN
    RAISE EXCEPTION 'an entry is dated %, and weeks and months are closed through %', closed,
                    greatest(months_closed, weeks_closed)
      USING ERRCODE = 'BC001',
            DETAIL = json_build_object('date', closed, 'closed_through', greatest(months_closed, weeks_closed));
  END IF;
  IF ahead THEN
    RAISE EXCEPTION 'an entry can neither have happened nor be dated in the future' USING ERRCODE = 'BC002';
  END IF;
  FOR leaf IN
    SELECT DISTINCT date_trunc('month', je_date::timestamp)::date AS first_day,
           (date_trunc('month', je_date::timestamp) + interval '1 month')::date AS next_month, batch_id
      FROM new_headers
  LOOP
    SELECT h.id INTO wrong
      FROM new_headers h
      LEFT JOIN common_user u ON u.id = h.created_by_id
      LEFT JOIN LATERAL (
        SELECT l.entry_id FROM ledger_entry_line l
         WHERE l.entry_id = h.id AND l.line_number = 1 AND l.je_date = h.je_date AND l.batch_id = leaf.batch_id
           AND l.je_date >= leaf.first_day AND l.je_date < leaf.next_month
        OFFSET 0
      ) l ON true
      -- By the key's first column: an entry's number is used once in its month.
      LEFT JOIN LATERAL (
        SELECT t.id FROM ledger_entry_header t
         WHERE t.id = h.id AND t.je_date <> h.je_date AND t.batch_id = leaf.batch_id
           AND t.je_date >= leaf.first_day AND t.je_date < leaf.next_month
        OFFSET 0
      ) taken ON true
     WHERE h.batch_id = leaf.batch_id AND h.je_date >= leaf.first_day AND h.je_date < leaf.next_month
       AND (l.entry_id IS NULL OR u.id IS NULL OR taken.id IS NOT NULL)
     LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION 'entry % comes without its lines, by nobody, or with a number that is taken', wrong USING ERRCODE = 'BC008';
    END IF;
  END LOOP;
  IF reversals THEN
    FOR leaf IN
      SELECT h.*, o.id IS NULL OR o.reverses_id IS NOT NULL OR o.origin <> h.origin OR o.origin = 'POSTING'
                  OR h.je_date < o.je_date OR o.line_count <> h.line_count AS unfit
        FROM new_headers h
        LEFT JOIN ledger_entry_header o ON o.id = h.reverses_id AND o.je_date = h.reverses_date
       WHERE h.reverses_id IS NOT NULL
    LOOP
      IF leaf.unfit OR EXISTS (
        SELECT account_id, currency, fund, side, amount FROM ledger_entry_line
         WHERE entry_id = leaf.reverses_id AND je_date = leaf.reverses_date
        EXCEPT ALL
        SELECT account_id, currency, fund, CASE side WHEN 'DR' THEN 'CR' ELSE 'DR' END, amount FROM ledger_entry_line
         WHERE entry_id = leaf.id AND je_date = leaf.je_date AND batch_id = leaf.batch_id
      ) THEN
        RAISE EXCEPTION 'entry % is not the mirror of an earlier entry that may be reversed', leaf.id USING ERRCODE = 'BC008';
      END IF;
    END LOOP;
    INSERT INTO ledger_entry_reversal (entry_id, reversed_by_id, reversed_by_date)
    SELECT reverses_id, id, je_date FROM new_headers WHERE reverses_id IS NOT NULL;
  END IF;
  IF sources THEN
    INSERT INTO source_row_journalised (source_id, entry_id, je_date)
    SELECT source_id, id, je_date FROM new_headers WHERE source_id IS NOT NULL ORDER BY source_id;
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION ledger_journal_refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: the journal is only ever added to', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'BC006';
END $$;
CREATE TRIGGER ledger_entry_header_append_only BEFORE UPDATE OR DELETE ON ledger_entry_header
  FOR EACH ROW EXECUTE FUNCTION ledger_journal_refuse_change();
CREATE TRIGGER ledger_entry_line_append_only BEFORE UPDATE OR DELETE ON ledger_entry_line
  FOR EACH ROW EXECUTE FUNCTION ledger_journal_refuse_change();

-- A statement's triggers fire for the table it names alone, so parents, months and leaves each have their own.
CREATE FUNCTION ledger_guard_journal_table(name text, is_header boolean) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  EXECUTE format(
    'CREATE TRIGGER ledger_journal_inserted AFTER INSERT ON %I REFERENCING NEW TABLE AS %s '
    'FOR EACH STATEMENT EXECUTE FUNCTION %s()',
    name, CASE WHEN is_header THEN 'new_headers' ELSE 'new_lines' END,
    CASE WHEN is_header THEN 'ledger_headers_inserted' ELSE 'ledger_lines_inserted' END
  );
  EXECUTE format(
    'CREATE TRIGGER ledger_journal_no_truncate BEFORE TRUNCATE ON %I '
    'FOR EACH STATEMENT EXECUTE FUNCTION ledger_journal_refuse_change()', name
  );
END $$;
SELECT ledger_guard_journal_table('ledger_entry_header', true);
SELECT ledger_guard_journal_table('ledger_entry_line', false);

-- Make a month's partitions if they are missing: one per month, and in it the leaf of what is posted online.
-- Runs as the owner, for the application owns nothing; takes a month within reach, so that a wrong date cannot
-- fill the catalogue.
CREATE FUNCTION ensure_journal_month(day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  month date := date_trunc('month', day::timestamp)::date;
  suffix text := to_char(day, 'YYYYMM');
  parent text;
  partition text;
BEGIN
  IF to_regclass('ledger_entry_line_' || suffix || '_0') IS NOT NULL THEN
    RETURN;
  END IF;
  IF abs(day - current_date) > 7320 THEN
    RAISE EXCEPTION '% is not within twenty years of today', day USING ERRCODE = 'BC002';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('ensure_journal_month'));
  -- Asked of the catalogue: to_regclass may still answer as before the wait.
  IF EXISTS (
    SELECT FROM pg_class
     WHERE relname = 'ledger_entry_line_' || suffix || '_0' AND relnamespace = 'public'::regnamespace
  ) THEN
    RETURN;
  END IF;
  FOREACH parent IN ARRAY ARRAY['ledger_entry_header', 'ledger_entry_line'] LOOP
    partition := parent || '_' || suffix;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) PARTITION BY LIST (batch_id)', partition, parent);
    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES IN (0)', partition || '_0', partition);
    PERFORM ledger_guard_journal_table(partition, parent = 'ledger_entry_header');
    PERFORM ledger_guard_journal_table(partition || '_0', parent = 'ledger_entry_header');
    EXECUTE format(
      'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
      parent, partition, month, (month + interval '1 month')::date
    );
  END LOOP;
END $$;

-- ---------------------------------------------------------------------------------------------------------
-- Guarded accounts: the row with their balance comes and goes with the rule.
CREATE FUNCTION chart_of_accounts_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.overdraft_limit IS NOT NULL THEN
      INSERT INTO guarded_balance (account_id, balance, floor) VALUES (NEW.id, 0, -NEW.overdraft_limit);
    END IF;
    RETURN NULL;
  END IF;
  IF OLD.control_origins <> '{}' AND OLD.control_origins <> NEW.control_origins THEN
    RAISE EXCEPTION 'account % is a control account, and stays one', OLD.code USING ERRCODE = 'BC008';
  END IF;
  IF (OLD.code, OLD.type, OLD.currency_id) IS DISTINCT FROM (NEW.code, NEW.type, NEW.currency_id) THEN
    LOCK TABLE ledger_entry_line IN SHARE ROW EXCLUSIVE MODE;  -- its first line may be on its way
    IF EXISTS (SELECT FROM ledger_entry_line WHERE account_id = OLD.id) THEN
      RAISE EXCEPTION 'account % has entries: its code, type and currency stand', OLD.code USING ERRCODE = 'BC008';
    END IF;
  END IF;
  IF NEW.overdraft_limit IS NULL THEN
    DELETE FROM guarded_balance WHERE account_id = NEW.id;
  ELSIF OLD.overdraft_limit IS NOT NULL THEN
    UPDATE guarded_balance SET floor = -NEW.overdraft_limit
     WHERE account_id = NEW.id AND floor <> -NEW.overdraft_limit;
  ELSE
    LOCK TABLE ledger_entry_line IN SHARE ROW EXCLUSIVE MODE;  -- nothing is entered while the lines are added up
    INSERT INTO guarded_balance (account_id, balance, floor)
    SELECT NEW.id,
           coalesce(sum(CASE WHEN (side = 'DR') = (NEW.type IN ('ASSET', 'EXPENSE')) THEN amount ELSE -amount END), 0),
           -NEW.overdraft_limit
      FROM ledger_entry_line WHERE account_id = NEW.id;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER chart_of_accounts_changed AFTER INSERT OR UPDATE ON chart_of_accounts
  FOR EACH ROW EXECUTE FUNCTION chart_of_accounts_changed();
CREATE TRIGGER guarded_balance_no_direct_write BEFORE INSERT OR UPDATE OR DELETE ON guarded_balance
  FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_direct_write();
CREATE TRIGGER guarded_balance_no_truncate BEFORE TRUNCATE ON guarded_balance
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_direct_write();
CREATE TRIGGER ledger_entry_reversal_no_direct_write BEFORE INSERT OR UPDATE OR DELETE ON ledger_entry_reversal
  FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_direct_write();
CREATE TRIGGER source_row_journalised_no_direct_write BEFORE INSERT OR UPDATE OR DELETE ON source_row_journalised
  FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_direct_write();

-- ---------------------------------------------------------------------------------------------------------
-- Templates: a version in force is never edited, and nobody approves his own.
CREATE FUNCTION journal_template_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status <> 'DRAFT' THEN
      RAISE EXCEPTION 'a template begins as a draft' USING ERRCODE = 'BC006';
    END IF;
    RETURN NEW;
  END IF;
  IF (OLD.code, OLD.version) IS DISTINCT FROM (NEW.code, NEW.version) THEN
    RAISE EXCEPTION 'a template keeps its code and version' USING ERRCODE = 'BC006';
  END IF;
  IF OLD.status <> 'DRAFT' AND (
    (to_jsonb(OLD) - '{status,effective_to}'::text[]) <> (to_jsonb(NEW) - '{status,effective_to}'::text[])
    OR (OLD.status, NEW.status) NOT IN (('ACTIVE', 'ACTIVE'), ('ACTIVE', 'RETIRED'), ('RETIRED', 'RETIRED'))
  ) THEN
    RAISE EXCEPTION 'template %/% is in force: a change is a new version', OLD.code, OLD.version
      USING ERRCODE = 'BC006';
  END IF;
  IF OLD.status = 'DRAFT' AND NEW.status <> 'DRAFT' AND NEW.approved_by_id = NEW.created_by_id
     AND NOT EXISTS (SELECT FROM common_user WHERE id = NEW.created_by_id AND username = 'system') THEN
    RAISE EXCEPTION 'a template is approved by somebody other than its author' USING ERRCODE = 'BC006';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER journal_template_guard BEFORE INSERT OR UPDATE ON journal_template
  FOR EACH ROW EXECUTE FUNCTION journal_template_guard();

CREATE FUNCTION journal_template_part_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  owner bigint;
BEGIN
  IF TG_OP = 'DELETE' THEN
    owner := OLD.template_id;
  ELSE
    owner := NEW.template_id;
    IF TG_OP = 'UPDATE' AND OLD.template_id <> NEW.template_id THEN
      RAISE EXCEPTION 'a part stays with its template' USING ERRCODE = 'BC006';
    END IF;
  END IF;
  -- The share lock keeps the template from coming into force meanwhile.
  PERFORM FROM journal_template WHERE id = owner AND status = 'DRAFT' FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'a template in force is never edited: a change is a new version' USING ERRCODE = 'BC006';
  END IF;
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER journal_template_match_guard BEFORE INSERT OR UPDATE OR DELETE ON journal_template_match
  FOR EACH ROW EXECUTE FUNCTION journal_template_part_guard();
CREATE TRIGGER journal_template_line_guard BEFORE INSERT OR UPDATE OR DELETE ON journal_template_line
  FOR EACH ROW EXECUTE FUNCTION journal_template_part_guard();
CREATE TRIGGER journal_template_control_guard BEFORE INSERT OR UPDATE OR DELETE ON journal_template_control
  FOR EACH ROW EXECUTE FUNCTION journal_template_part_guard();

-- Whoever posts says which state of templates and chart his lines rest on. Any change draws a new number: counted,
-- it could come back after a rollback and mean another state.
CREATE FUNCTION template_policy_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE template_policy SET version = floor(random() * 9e15)::bigint;
  RETURN NULL;
END $$;
CREATE TRIGGER template_policy_changed AFTER UPDATE ON journal_template
  FOR EACH STATEMENT EXECUTE FUNCTION template_policy_changed();
CREATE TRIGGER template_policy_changed AFTER INSERT OR UPDATE OR DELETE ON product_account_map
  FOR EACH STATEMENT EXECUTE FUNCTION template_policy_changed();
CREATE TRIGGER template_policy_changed AFTER UPDATE ON chart_of_accounts
  FOR EACH STATEMENT EXECUTE FUNCTION template_policy_changed();

-- ---------------------------------------------------------------------------------------------------------
-- Months close in order, after every week that ends in them; the last closed one reopens first.
CREATE FUNCTION accounting_month_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  last_day date := (NEW.month + interval '1 month')::date - 1;
  first_week date;
  other date;
BEGIN
  PERFORM pg_advisory_xact_lock(ledger_calendar_lock());
  IF TG_OP = 'UPDATE' AND OLD.month <> NEW.month THEN
    RAISE EXCEPTION 'a month keeps its name' USING ERRCODE = 'BC010';
  END IF;
  IF NEW.status = 'CLOSED' THEN
    IF last_day >= (now() AT TIME ZONE 'America/New_York')::date THEN
      RAISE EXCEPTION 'the month has not ended' USING ERRCODE = 'BC010';
    END IF;
    SELECT min(week) INTO first_week FROM weekly_run;
    -- The last Saturday of the month ends the last week that has to have run.
    other := last_day - ((extract(dow FROM last_day)::int + 1) % 7);
    IF coalesce(first_week <= other - 6, EXISTS (SELECT FROM ledger_posting) OR EXISTS (SELECT FROM trip_total))
       AND NOT EXISTS (SELECT FROM weekly_run WHERE week = other - 6 AND status = 'CLOSED') THEN
      RAISE EXCEPTION 'the week that ends on % has not run', other USING ERRCODE = 'BC010';
    END IF;
    SELECT min(je_date) INTO other FROM ledger_entry_header
     WHERE je_date < NEW.month AND je_date > coalesce(ledger_months_closed_through(), '-infinity');
    IF other IS NOT NULL THEN
      RAISE EXCEPTION 'months close in order, and that of % is open', other USING ERRCODE = 'BC010';
    END IF;
  ELSE
    SELECT max(month) INTO other FROM accounting_month WHERE status = 'CLOSED';
    IF other IS DISTINCT FROM NEW.month THEN
      RAISE EXCEPTION 'the last closed month reopens first' USING ERRCODE = 'BC010';
    END IF;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER accounting_month_guard BEFORE INSERT OR UPDATE ON accounting_month
  FOR EACH ROW EXECUTE FUNCTION accounting_month_guard();

-- ---------------------------------------------------------------------------------------------------------
-- Trips settle once they are journalised.
CREATE OR REPLACE FUNCTION trip_total_guard() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION 'trip totals are never deleted' USING ERRCODE = 'BC006';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.settled_week IS NOT NULL THEN
      RAISE EXCEPTION 'trips arrive unsettled' USING ERRCODE = 'BC006';
    END IF;
    RETURN NEW;
  END IF;
  IF (to_jsonb(OLD) - '{settled_week,journalised}'::text[]) <> (to_jsonb(NEW) - '{settled_week,journalised}'::text[])
     OR (OLD.settled_week IS NOT NULL AND NEW.settled_week IS NOT NULL) THEN
    RAISE EXCEPTION 'a trip total only moves between unsettled and settled' USING ERRCODE = 'BC006';
  END IF;
  IF OLD.journalised <> NEW.journalised AND OLD.settled_week IS NOT NULL THEN
    RAISE EXCEPTION 'trips that are settled stay journalised' USING ERRCODE = 'BC006';
  END IF;
  IF NEW.settled_week < NEW.week THEN
    RAISE EXCEPTION 'trips are settled by the run of their week or a later one' USING ERRCODE = 'BC006';
  END IF;
  RETURN NEW;
END $$;

-- Hold the guarded accounts among these until the transaction ends, always in the order of their ids.
CREATE FUNCTION ledger_lock_guarded(account_ids int[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM FROM guarded_balance WHERE account_id = ANY (account_ids) ORDER BY account_id FOR NO KEY UPDATE;
END $$;

-- As before, but sure: what was waited for is asked of the catalogue.
CREATE OR REPLACE FUNCTION ensure_txn_source_month(month date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  leaf text := 'txn_source_' || to_char(month, 'YYYYMM');
BEGIN
  IF month <> date_trunc('month', month::timestamp)::date OR abs(month - current_date) > 7320 THEN
    RAISE EXCEPTION '% is not the first day of a month within reach', month USING ERRCODE = 'BC002';
  END IF;
  IF to_regclass(leaf) IS NULL THEN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_txn_source_month'));
    IF NOT EXISTS (SELECT FROM pg_class WHERE relname = leaf AND relnamespace = 'public'::regnamespace) THEN
      -- Made apart and then attached: readers and loaders of other months need not wait for it.
      EXECUTE format('CREATE TABLE %I (LIKE txn_source_parent INCLUDING ALL)', leaf);
      EXECUTE format(
        'CREATE TRIGGER txn_source_no_truncate BEFORE TRUNCATE ON %I '
        'FOR EACH STATEMENT EXECUTE FUNCTION txn_source_refuse_change()', leaf
      );
      EXECUTE format(
        'ALTER TABLE txn_source_parent ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        leaf, month, (month + interval '1 month')::date
      );
    END IF;
  END IF;
  RETURN leaf;
END $$;
