DROP TRIGGER agency_decision_names_counterpart ON agency_decision;
DROP FUNCTION agency_decision_names_counterpart();
