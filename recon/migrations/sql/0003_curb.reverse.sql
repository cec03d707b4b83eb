DROP TRIGGER curb_fetch_guard ON curb_fetch;
DROP TRIGGER curb_settlement_guard ON curb_settlement;
DROP FUNCTION curb_fetch_guard(), curb_settlement_guard();
