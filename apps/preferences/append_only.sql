-- What people said about what they want stays as it was said: each record is bound to the one before it.
-- Who must erase a tenant with all it knows says so first: SET LOCAL notifier.erase_consents = 'on'.

CREATE FUNCTION preferences_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('notifier.erase_consents', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'a consent record does not change' USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER preferences_consent_stays
    BEFORE UPDATE OR DELETE ON preferences_consentrecord
    FOR EACH ROW EXECUTE FUNCTION preferences_refuse_change();
