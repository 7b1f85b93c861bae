-- Whatever becomes of a delivery is told to the tenants that listen, in the very transaction that writes it: rows that no reader
-- can miss, however late it commits and whichever statement wrote it. Where nobody listens it costs one look at an empty table, and the
-- keeping of each row until its statement ends: pages of campaigns are written past it then (campaign_pages.py).
CREATE FUNCTION ledger_tell_notifications() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger_listener) THEN
        INSERT INTO ledger_change (id, tenant_id, notification_id, kind, at)
        SELECT uuidv7(), n.tenant_id, n.id, 'accepted', n.created_at
        FROM inserted n JOIN ledger_listener l ON l.tenant_id = n.tenant_id AND 'accepted' = ANY (l.kinds);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger_tell_new_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger_listener) THEN
        INSERT INTO ledger_change (id, tenant_id, notification_id, delivery_id, kind, reason, at)
        SELECT uuidv7(), d.tenant_id, d.notification_id, d.id, 'status.' || d.status, d.reason, clock_timestamp()
        FROM inserted d JOIN ledger_listener l ON l.tenant_id = d.tenant_id AND 'status.' || d.status = ANY (l.kinds);
    END IF;
    RETURN NULL;
END $$;

-- EXCEPT, not a join of the old rows with the new ones: the plan is made once, maybe for one row, and must do for thousands
CREATE FUNCTION ledger_tell_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger_listener) THEN
        INSERT INTO ledger_change (id, tenant_id, notification_id, delivery_id, kind, reason, at)
        SELECT uuidv7(), d.tenant_id, d.notification_id, d.id, 'status.' || d.status, d.reason, clock_timestamp()
        FROM (
            SELECT n.tenant_id, n.notification_id, n.id, n.status, n.reason FROM after n
            WHERE n.tenant_id IN (SELECT tenant_id FROM ledger_listener)
            EXCEPT SELECT o.tenant_id, o.notification_id, o.id, o.status, o.reason FROM before o
        ) d JOIN ledger_listener l ON l.tenant_id = d.tenant_id AND 'status.' || d.status = ANY (l.kinds);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger_tell_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger_listener) THEN
        INSERT INTO ledger_change (id, tenant_id, notification_id, delivery_id, kind, at)
        SELECT uuidv7(), e.tenant_id, e.notification_id, e.delivery_id, 'event.' || e.kind, e.at
        FROM inserted e JOIN ledger_listener l ON l.tenant_id = e.tenant_id AND 'event.' || e.kind = ANY (l.kinds)
        WHERE e.code <> 'machine';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_tell AFTER INSERT ON ledger_notification
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION ledger_tell_notifications();
CREATE TRIGGER ledger_tell_new AFTER INSERT ON ledger_delivery
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION ledger_tell_new_deliveries();
CREATE TRIGGER ledger_tell AFTER UPDATE ON ledger_delivery
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION ledger_tell_deliveries();
CREATE TRIGGER ledger_tell AFTER INSERT ON ledger_delivery_event
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION ledger_tell_events();
