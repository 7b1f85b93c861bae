-- What was published stays as it was: every message names its version, and re-renders from it.
-- An operator who must erase a tenant says so first: SET LOCAL notifier.erase_templates = 'on'.

CREATE FUNCTION message_templates_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    published timestamptz;
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('notifier.erase_templates', true) = 'on' THEN
        RETURN OLD;
    END IF;
    IF TG_TABLE_NAME = 'message_templates_templatestep' THEN
        RAISE EXCEPTION 'a step of a template does not change' USING ERRCODE = 'integrity_constraint_violation';
    ELSIF TG_TABLE_NAME = 'message_templates_templateversion' THEN
        published := OLD.published_at;
    ELSIF TG_OP = 'INSERT' THEN
        SELECT published_at INTO published FROM message_templates_templateversion WHERE id = NEW.version_id;
    ELSE
        SELECT published_at INTO published FROM message_templates_templateversion WHERE id = OLD.version_id;
    END IF;
    IF published IS NOT NULL THEN
        RAISE EXCEPTION 'a published template version does not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER message_templates_version_stays
    BEFORE UPDATE OR DELETE ON message_templates_templateversion
    FOR EACH ROW EXECUTE FUNCTION message_templates_refuse_change();

CREATE TRIGGER message_templates_variant_stays
    BEFORE INSERT OR UPDATE OR DELETE ON message_templates_templatevariant
    FOR EACH ROW EXECUTE FUNCTION message_templates_refuse_change();

CREATE TRIGGER message_templates_step_stays
    BEFORE UPDATE OR DELETE ON message_templates_templatestep
    FOR EACH ROW EXECUTE FUNCTION message_templates_refuse_change();
