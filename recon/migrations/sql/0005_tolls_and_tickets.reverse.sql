DROP TRIGGER agency_decisions_inserted ON agency_decision;
DROP TRIGGER agency_item_decided ON agency_item;
DROP TRIGGER agency_item_guard ON agency_item;
DROP FUNCTION agency_decisions_inserted(), agency_item_decided(), agency_item_guard();
