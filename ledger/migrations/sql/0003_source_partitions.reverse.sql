DROP FUNCTION ensure_txn_source_month(date);
DROP TABLE txn_source_parent;
DROP FUNCTION txn_source_refuse_change();
DROP SEQUENCE txn_source_id_seq;
