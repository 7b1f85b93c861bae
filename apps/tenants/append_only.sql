-- Who changed what stays as it was written.
-- Who prunes what is older than it must be kept, or erases a tenant with all it knows, says so first: SET LOCAL notifier.erase_audit = 'on'.

CREATE FUNCTION tenants_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('notifier.erase_audit', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'an audit entry does not change' USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER tenants_audit_stays
    BEFORE UPDATE OR DELETE ON tenants_auditentry
    FOR EACH ROW EXECUTE FUNCTION tenants_refuse_change();
